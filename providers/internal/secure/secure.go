// Package secure makes connections encrypted ones, which check the other side, for all components that dial. What it says of a file
// that is wrong names the file and never its content.
package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"collect/runtime/flow"
)

// Files are the certificates of one side, as a tls block names them.
type Files struct {
	CA, Cert, Key string // paths; "": the system's authorities, no certificate of ours
	ServerName    string // "": the host that is dialled
	SkipVerify    bool
}

// largest is far above what a file of certificates has.
const largest = 1 << 20

// Config reads the files.
func (f Files) Config(disk flow.FS) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	out.InsecureSkipVerify = f.SkipVerify // the user asked for it, and the reference says what it means
	if f.CA != "" {
		pem, err := read(disk, f.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate", f.CA)
		}
	}
	if f.Cert == "" {
		return out, nil
	}
	cert, err := read(disk, f.Cert)
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	key, err := read(disk, f.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert %s and tls.key %s: %w", f.Cert, f.Key, err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// Client encrypts a connection to an address, host:port, and closes it when that fails.
func Client(ctx context.Context, c net.Conn, cfg *tls.Config, address string) (net.Conn, error) {
	own := cfg.Clone()
	if own.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		own.ServerName = host
	}
	t := tls.Client(c, own)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return t, nil
}

// read reads a small file.
func read(disk flow.FS, path string) ([]byte, error) {
	d, err := disk.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	h, err := d.Open(filepath.Base(path))
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	buf := make([]byte, largest+1)
	n, err := h.ReadAt(buf, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && n > largest {
		err = fmt.Errorf("%s is larger than any certificate", path)
	}
	return buf[:n], errors.Join(err, h.Close(), d.Close())
}
