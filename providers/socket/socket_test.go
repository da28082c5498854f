package socket

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func escape(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

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

func make1(t testing.TB, cfg Config, env flow.Env) flow.Sink {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(protocol, addr string) Config {
	c := Defaults()
	c.Protocol, c.Address = protocol, addr
	return c
}

func start(t *testing.T, cfg Config) *providertest.Delivery {
	t.Helper()
	env := providertest.Env(t)
	s := make1(t, cfg, env)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return providertest.NewDelivery(t, s, env)
}

// gone says whether the other side has closed the connection.
func (s *Sink) gone() bool {
	s.gate <- struct{}{}
	defer s.leave()
	return s.conn != nil && s.conn.err() != nil
}

func TestConformance(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			providertest.TestSink(t, func(t *testing.T) providertest.Sink {
				s := serve(t, network).start()
				t.Cleanup(s.stop)
				var sink *Sink
				return providertest.Sink{
					New: func(t *testing.T, env flow.Env) flow.Sink {
						sink = make1(t, config(network, s.addr), env).(*Sink)
						return sink
					},
					Received: func(*testing.T) []string { return s.lines() },
					Break: func(t *testing.T) func() {
						providertest.Eventually(t, "the first batch arrives", func() bool { return len(s.lines()) == 50 })
						s.stop()
						providertest.Eventually(t, "the close arrives", sink.gone) // before the next write, or the kernel takes it
						return func() { s.start() }
					},
					Form: escape,
				}
			})
		})
	}
}

func TestConformanceUDP(t *testing.T) {
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = pc.(*net.UDPConn).SetReadBuffer(4 << 20)
		var mu sync.Mutex
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 1<<16)
			for {
				n, _, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				mu.Lock()
				got = append(got, string(buf[:n]))
				mu.Unlock()
			}
		}()
		t.Cleanup(func() { pc.Close(); <-done })
		if strings.Contains(t.Name(), "memory") || strings.Contains(t.Name(), "256") || strings.Contains(t.Name(), "order") {
			t.Skip("the kernel may drop datagrams, and has no room for large ones")
		}
		return providertest.Sink{
			New: func(t *testing.T, env flow.Env) flow.Sink {
				return make1(t, config("udp", pc.LocalAddr().String()), env)
			},
			Received: func(*testing.T) []string {
				mu.Lock()
				defer mu.Unlock()
				return slices.Clone(got)
			},
			Form: escape,
		}
	})
}

func TestALargeDatagramHoldsNobody(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	d := start(t, config("udp", pc.LocalAddr().String()))
	d.Must([]string{strings.Repeat("x", 70_000), "small"})
	r, _ := d.Result(1)
	if r.Err != nil || len(r.Events) != 1 || r.Events[0].Index != 0 || !flow.IsPermanent(r.Events[0].Err) {
		t.Errorf("%+v", r)
	}
	buf := make([]byte, 100)
	n, _, err := pc.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "small" {
		t.Errorf("%q %v", buf[:n], err)
	}
	d.Close()
}

func TestSyslogMessagesAreFramedAndCannotBeForged(t *testing.T) {
	s := serve(t, "tcp").start()
	defer s.stop()
	cfg := config("tcp", s.addr)
	cfg.Format = "syslog"
	d := start(t, cfg)
	h := func(k, v string) flow.Header { return flow.Header{Name: k, Value: []byte(v)} }
	bodies := []string{"plain", "two\nlines\r\n<0>1 forged", "", strings.Repeat("x", 12_345)}
	d.Must(bodies, h("facility", "local0"), h("severity", "err"), h("host", "car\n7 evil"), h("app", "a b"))
	d.Close()
	providertest.Eventually(t, "everything arrives", func() bool { return len(s.text()) > 12_345+4*60 })
	r := bufio.NewReader(strings.NewReader(s.text()))
	form := regexp.MustCompile(`(?s)^<131>1 2026-01-01T00:00:00\.000000Z car_7_evil a_b - - - (.*)$`)
	for _, want := range bodies {
		length, err := r.ReadString(' ')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			t.Fatalf("length %q", length)
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(r, msg); err != nil {
			t.Fatal(err)
		}
		m := form.FindStringSubmatch(string(msg))
		if m == nil || m[1] != want {
			t.Errorf("message %.80q, want body %.40q", msg, want)
		}
	}
}

func TestFieldsOfSyslog(t *testing.T) {
	for name, tc := range map[string]struct{ facility, severity, want string }{
		"names":       {"auth", "debug", "<39>"},
		"numbers":     {"23", "0", "<184>"},
		"nonsense":    {"x", "99", "<13>"},
		"local":       {"local7", "warn", "<188>"},
		"out of line": {"-1", "8", "<13>"},
	} {
		b := providertest.SinkBatch(flow.NewPool(1<<20), 1, []string{"x"}, flow.Header{Name: "facility", Value: []byte(tc.facility)}, flow.Header{Name: "severity", Value: []byte(tc.severity)})
		if got := string(appendSyslog(nil, b, 0, "h")); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %q, want %s", name, got, tc.want)
		}
	}
}

func TestAServerThatDoesNotReadStopsTheSinkInTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config("tcp", l.Addr().String())
	cfg.Timeout = 200 * time.Millisecond
	d := start(t, cfg)
	bodies := slices.Repeat([]string{strings.Repeat("x", 1000)}, 1000)
	for seq := uint64(1); ; seq++ {
		d.Must(bodies)
		if r, _ := d.Result(seq); r.Err != nil {
			if !r.Unknown || !strings.Contains(r.Err.Error(), cfg.Address) || !strings.Contains(r.Err.Error(), "timeout") {
				t.Errorf("%+v", r)
			}
			break
		}
		if seq > 100 {
			t.Fatal("100 MB were taken by a server that reads nothing")
		}
	}
	d.Close()
}

func TestAnUnreachableServerIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := make1(t, config("tcp", addr), providertest.Env(t))
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	_ = s.Close(context.Background())
}

// certificate writes a self-signed certificate for a name.
func certificate(t *testing.T, name string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

func TestTLSChecksTheOtherSide(t *testing.T) {
	cert, ca := certificate(t, "logs.test")
	_, otherCA := certificate(t, "logs.test")
	s := serve(t, "tcp")
	s.wrap = func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	s.start()
	defer s.stop()
	for name, tc := range map[string]struct {
		tls  TLS
		fail string
	}{
		"right":               {TLS{CA: ca, ServerName: "logs.test"}, ""},
		"wrong name":          {TLS{CA: ca, ServerName: "other.test"}, "other.test"},
		"wrong authority":     {TLS{CA: otherCA, ServerName: "logs.test"}, "certificate"},
		"system's only":       {TLS{ServerName: "logs.test"}, "certificate"},
		"checks switched off": {TLS{SkipVerify: true}, ""},
		"no such file":        {TLS{CA: "/does/not/exist"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config("tcp", s.addr)
			cfg.TLS = &tc.tls
			sink := make1(t, cfg, providertest.Env(t))
			err := sink.Open(t.Context())
			if (err == nil) != (tc.fail == "") || err != nil && !strings.Contains(err.Error(), tc.fail) {
				t.Errorf("got %v, want %q", err, tc.fail)
			}
			_ = sink.Close(context.Background())
		})
	}
	cfg := config("tcp", s.addr)
	cfg.TLS = &TLS{CA: ca, ServerName: "logs.test"}
	d := start(t, cfg)
	d.Must([]string{"secret"})
	d.Close()
	providertest.Eventually(t, "it arrives", func() bool { return s.text() == "secret\n" })
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	with := func(f func(*Config)) Config { c := config("tcp", "h:1"); f(&c); return c }
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no address":    {with(func(c *Config) { c.Address = "" }), "empty"},
		"no port":       {with(func(c *Config) { c.Address = "h" }), "host:port"},
		"relative path": {with(func(c *Config) { c.Protocol, c.Address = "unix", "s" }), "absolute"},
		"tls over udp":  {with(func(c *Config) { c.Protocol, c.TLS = "udp", &TLS{} }), "tls needs"},
		"half a pair":   {with(func(c *Config) { c.TLS = &TLS{Cert: "x"} }), "belong together"},
		"no time":       {with(func(c *Config) { c.Timeout = 0 }), "timeout"},
	} {
		if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func BenchmarkTCP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	env := providertest.Env(b)
	env.Pool = flow.NewPool(64 << 20)
	s := make1(b, config("tcp", l.Addr().String()), env)
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	bodies := make([]string, 4096)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("%0174d", i)
	}
	src := providertest.SinkBatch(env.Pool, 1, bodies)
	b.SetBytes(src.Bytes())
	for b.Loop() {
		v := src.Share()
		v.SetDone(func(v *flow.Batch, _ flow.Result) { v.Release() })
		if err := s.Write(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "events/s")
	_ = s.Close(b.Context())
	l.Close()
}
