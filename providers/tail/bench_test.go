package tail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// counter takes events and forgets them.
type counter struct {
	n, want int
	done    chan struct{}
}

func BenchmarkTail(b *testing.B) {
	line := strings.Repeat("x", 174) + "\n"
	const count = 500_000
	name := filepath.Join(b.TempDir(), "app.log")
	if err := os.WriteFile(name, []byte(strings.Repeat(line, count)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(count * len(line)))
	for b.Loop() {
		env := providertest.Env(b)
		env.Pool = flow.NewPool(16 << 20)
		out := &counter{want: count, done: make(chan struct{})}
		r := providertest.Start(b, providertest.Make(b, New, config(name), env), out)
		<-out.done
		r.Stop()
	}
	b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkIdle is what one look at 100 files costs that do not change.
func BenchmarkIdle(b *testing.B) {
	dir := b.TempDir()
	for i := range 100 {
		appendTo(b, filepath.Join(dir, fmt.Sprint(i, ".log")), "x\n")
	}
	env := providertest.Env(b)
	out := &counter{want: 100, done: make(chan struct{})}
	src := providertest.Make(b, New, config(dir+"/*"), env)
	r := providertest.Start(b, src, out)
	<-out.done
	r.Stop()
	s := src.(*Source)
	s.open()
	defer s.close()
	s.loadNotes()
	s.scan()
	for b.Loop() {
		if _, err := s.round(b.Context(), out); err != nil {
			b.Fatal(err)
		}
	}
}

func (c *counter) Emit(_ context.Context, b *flow.Batch) error {
	c.n += b.Len()
	b.Ack(flow.Delivered)
	b.Release()
	if c.n == c.want {
		close(c.done)
	}
	return nil
}
