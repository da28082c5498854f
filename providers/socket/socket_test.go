package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func escape(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

func config(protocol, addr string) Config {
	c := Defaults()
	c.Protocol, c.Address = protocol, addr
	return c
}

func start(t *testing.T, cfg Config) *providertest.Delivery {
	t.Helper()
	env := providertest.Env(t)
	return providertest.Open(t, providertest.Make(t, New, cfg, env), env)
}

// gone says whether the other side has closed the connection.
func (s *Sink) gone() bool {
	s.gate <- struct{}{}
	defer s.gate.Leave()
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
						sink = providertest.Make(t, New, config(network, s.addr), env).(*Sink)
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
				return providertest.Make(t, New, config("udp", pc.LocalAddr().String()), env)
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
	s := providertest.Make(t, New, config("tcp", addr), providertest.Env(t))
	if err := s.Open(t.Context()); err == nil || err.Error() != "connect to tcp "+addr+": connection refused" || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	_ = s.Close(context.Background())
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
	s := providertest.Make(b, New, config("tcp", l.Addr().String()), env)
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
