package socket

import (
	"context"
	"errors"
	"net"

	"collect/providers/internal/secure"
)

// secure makes the connection an encrypted one. The files are read each time: certificates are renewed.
func (s *Sink) secure(ctx context.Context, c net.Conn) (net.Conn, error) {
	t := s.cfg.TLS
	cfg, err := secure.Files{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName, SkipVerify: t.SkipVerify}.Config(s.env.FS)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return secure.Client(ctx, c, cfg, s.cfg.Address)
}
