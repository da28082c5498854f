package socket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
)

// secure makes the connection an encrypted one.
func (s *Sink) secure(ctx context.Context, c net.Conn) (net.Conn, error) {
	cfg, err := s.tlsConfig()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return t, nil
}

func (s *Sink) tlsConfig() (*tls.Config, error) {
	t := s.cfg.TLS
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	out.InsecureSkipVerify = t.SkipVerify // the user asked for it, and the reference says what it means
	if out.ServerName == "" {
		host, _, err := net.SplitHostPort(s.cfg.Address)
		if err != nil {
			return nil, err
		}
		out.ServerName = host
	}
	if t.CA != "" {
		pem, err := s.read(t.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate", t.CA)
		}
	}
	if t.Cert == "" {
		return out, nil
	}
	cert, err := s.read(t.Cert)
	if err != nil {
		return nil, err
	}
	key, err := s.read(t.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// read reads a small file.
func (s *Sink) read(path string) ([]byte, error) {
	d, err := s.env.FS.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	h, err := d.Open(filepath.Base(path))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), d.Close())
	}
	buf := make([]byte, 1<<20)
	n, _ := h.ReadAt(buf, 0) // a short read is the end; what is damaged is refused when it is parsed
	return buf[:n], errors.Join(h.Close(), d.Close())
}
