package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/supervisor/api"
	"collect/runtime/telemetry"
)

// metrics is the port that answers GET /metrics, when one is declared. It has no other verb and no other path.
type metrics struct {
	net     flow.Net
	handler http.Handler
	address string
	srv     *http.Server
	done    sync.WaitGroup
}

func newMetrics(snapshot func() api.Agent, n flow.Net) *metrics {
	mux := http.NewServeMux()
	mux.Handle("/metrics", telemetry.Handler(snapshot))
	return &metrics{net: n, handler: mux}
}

// listen moves to the address that is declared now. When that fails, the one before stays.
func (m *metrics) listen(ctx context.Context, set *schema.MetricsSettings) error {
	address := ""
	if set != nil {
		address = set.Listen
	}
	if address == m.address {
		return nil
	}
	var ln net.Listener
	if address != "" {
		var err error
		if ln, err = m.net.Listen(ctx, "tcp", address); err != nil {
			return fmt.Errorf("metrics: listen on %s: %w", address, err)
		}
	}
	if err := m.close(); err != nil {
		return err
	}
	if ln == nil {
		return nil
	}
	m.address = address
	m.srv = &http.Server{
		Handler: m.handler, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10,
	}
	srv := m.srv
	m.done.Go(func() { _ = srv.Serve(ln) }) // ends with close
	return nil
}

func (m *metrics) close() error {
	if m.srv == nil {
		return nil
	}
	err := m.srv.Close()
	m.done.Wait()
	m.srv, m.address = nil, ""
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// usage gives memory and CPU time of this process.
func usage() (rss int64, cpu float64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		cpu = float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
	}
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, cpu // a system without it
	}
	if f := strings.Fields(string(raw)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64) // 0 when it is no number
		rss = pages * int64(os.Getpagesize())
	}
	return rss, cpu
}

// rates turns counters of successive snapshots into events and bytes a second.
type rates struct {
	mu    sync.Mutex // guards all below
	at    time.Time
	last  map[string][2]int64
	value map[string][2]float64
}

// rateSpan is the least time between two snapshots whose difference is a rate.
const rateSpan = 500 * time.Millisecond

func (r *rates) apply(a *api.Agent, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	span := now.Sub(r.at)
	if r.at.IsZero() {
		span = now.Sub(a.Since)
	}
	renew := span >= rateSpan
	value, last := map[string][2]float64{}, map[string][2]int64{}
	for i := range a.Components {
		c := &a.Components[i]
		key := string(c.Kind) + "." + c.Name
		if renew {
			before := r.last[key]
			value[key] = [2]float64{
				max(0, float64(c.EventsOut-before[0])) / span.Seconds(), max(0, float64(c.BytesOut-before[1])) / span.Seconds(),
			}
			last[key] = [2]int64{c.EventsOut, c.BytesOut}
		} else {
			value[key] = r.value[key]
		}
		c.EventsPerSec, c.BytesPerSec = value[key][0], value[key][1]
	}
	if renew {
		r.at, r.last, r.value = now, last, value
	}
}
