package socket

import (
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// server reads what comes on a stream. It can be stopped and started again on its address.
type server struct {
	t       *testing.T
	network string
	wrap    func(net.Listener) net.Listener

	mu    sync.Mutex // guards all below
	addr  string
	got   []*strings.Builder // of each connection, in the order in which they came
	conns []net.Conn
	l     net.Listener
	wg    sync.WaitGroup
}

func serve(t *testing.T, network string) *server {
	s := &server{t: t, network: network, addr: "127.0.0.1:0"}
	if network == "unix" {
		s.addr = filepath.Join(t.TempDir(), "s")
	}
	return s
}

func (s *server) start() *server {
	s.t.Helper()
	l, err := net.Listen(s.network, s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if s.wrap != nil {
		l = s.wrap(l)
	}
	s.l = l
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			got := &strings.Builder{}
			s.got = append(s.got, got)
			s.mu.Unlock()
			s.wg.Go(func() { s.read(c, got) })
		}
	})
	return s
}

func (s *server) read(c net.Conn, got *strings.Builder) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		s.mu.Lock()
		got.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			c.Close()
			return
		}
	}
}

func (s *server) stop() {
	s.l.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, g := range s.got {
		all.WriteString(g.String())
	}
	return all.String()
}

func (s *server) lines() []string {
	text := s.text()
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
