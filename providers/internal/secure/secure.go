// Package secure makes connections encrypted ones, which check the other side, for all components that dial. What it says of a file
// that is wrong names the file and never its content.
//
// The files are the configuration's: links to them are followed, as those of Kubernetes and certbot are, whose targets change at each
// renewal. What lies at the end must be a regular file of moderate size, and a key must not be readable by all users.
package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

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
		pem, err := read(disk, "tls.ca", f.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate", f.CA)
		}
	}
	if f.Cert == "" {
		return out, nil
	}
	cert, err := read(disk, "tls.cert", f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := read(disk, keyName, f.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert %s and tls.key %s: %w", f.Cert, f.Key, err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// Check looks at the files as Config does, for a library that reads them itself.
func (f Files) Check(disk flow.FS) error {
	for _, file := range []struct{ name, path string }{{"tls.ca", f.CA}, {"tls.cert", f.Cert}, {keyName, f.Key}} {
		if file.path == "" {
			continue
		}
		if _, err := read(disk, file.name, file.path); err != nil {
			return err
		}
	}
	return nil
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

const keyName = "tls.key"

// read reads the small file of an argument.
func read(disk flow.FS, name, path string) ([]byte, error) {
	h, err := disk.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	raw, err := content(h, name == keyName)
	if err = errors.Join(err, h.Close()); err != nil {
		return nil, fmt.Errorf("%s: %s %w", name, path, err)
	}
	return raw, nil
}

func content(h flow.File, private bool) ([]byte, error) {
	info, err := h.Stat()
	if err != nil {
		return nil, err
	}
	if private && info.Mode.Perm()&0o004 != 0 {
		return nil, fmt.Errorf("may be read by all users (mode %04o): take that right away", info.Mode.Perm())
	}
	buf := make([]byte, largest+1)
	n, err := h.ReadAt(buf, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && n > largest {
		err = errors.New("is larger than any certificate")
	}
	return buf[:n], err
}
