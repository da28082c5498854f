// Package socket is the sink that writes events to a TCP, UDP or unix socket. No answer comes back: delivered means that the kernel
// took the bytes. What it has not sent when the connection breaks is lost without notice, so this is no sink for data that
// must not be lost. When a write fails, its whole batch is sent again, and may then arrive twice.
package socket

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/runtime/flow"
)

// Config is the configuration of the sink.
type Config struct {
	Address  string        `collect:"address,required" doc:"host:port, or the path of a unix socket."`
	Protocol string        `collect:"protocol,enum=tcp|udp|unix" doc:"tcp and unix: a stream. udp: a datagram for each event."`
	Format   string        `collect:"format,enum=lines|json|syslog" doc:"lines: the body and a newline. json: an object with time, headers and body on a line. syslog: RFC 5424, with the length in front on a stream; the headers facility, severity, host and app are used."`
	Newline  string        `collect:"newline,enum=escape|split|keep" doc:"A newline inside a body becomes the two characters \\n, ends a line, or is kept."`
	Timeout  time.Duration `collect:"timeout" doc:"Longest time for connecting, and for writing a batch."`
	TLS      *TLS          `collect:"tls" doc:"Encrypt, and check the certificate of the other side."`
}

// TLS is the tls block.
type TLS struct {
	CA         string `collect:"ca,contents" doc:"File with the certificates of the authorities that are trusted; by default those of the system."`
	Cert       string `collect:"cert,contents" doc:"File with our certificate."`
	Key        string `collect:"key,contents" doc:"File with our key. It must not be readable by all users."`
	ServerName string `collect:"server_name" doc:"Name that the certificate must be for; by default the host of address."`
	SkipVerify bool   `collect:"insecure_skip_verify" doc:"Trust any certificate. Whoever is in between can read and change everything."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{Protocol: "tcp", Format: "lines", Newline: "escape", Timeout: 30 * time.Second}
}

// About describes the sink.
func About() schema.About {
	return schema.About{
		Doc:         "Writes events to a TCP, UDP or unix socket. No answer comes back, so delivered means taken by the kernel, and nothing can be dead-lettered but a datagram that is too large.",
		Unconfirmed: true,
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if _, err := codec.New(c.codec(), c.Newline); err != nil {
		return err
	}
	switch {
	case c.Address == "":
		return errors.New("address is empty")
	case c.Timeout < 100*time.Millisecond:
		return errors.New("timeout must be at least 100ms")
	case c.TLS != nil && c.Protocol != "tcp":
		return fmt.Errorf("tls needs protocol = \"tcp\", not %q", c.Protocol)
	case c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errors.New("tls.cert and tls.key belong together")
	case c.Protocol == "unix":
		if !filepath.IsAbs(c.Address) {
			return fmt.Errorf("address %q must be an absolute path", c.Address)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(c.Address)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return fmt.Errorf("address %q is not host:port", c.Address)
	}
	return nil
}

// codec gives the format of the part that is not syslog's own.
func (c Config) codec() string {
	if c.Format == "syslog" {
		return "lines"
	}
	return c.Format
}

// New makes the sink.
func New(cfg Config, env flow.Env) (flow.Sink, error) {
	c, err := codec.New(cfg.codec(), cfg.Newline)
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, env: env, codec: c, gate: gate.New()}, nil
}
