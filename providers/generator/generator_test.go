package generator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]Config{
		"default body": Defaults(),
		"own body":     {Size: 10, Body: schema.Expr{Src: `"event ${event.meta.offset}"`}},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Test(t, func(t *testing.T) providertest.Source {
				cfg := cfg
				return providertest.Source{
					New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, cfg, env) },
					Feed: func(_ *testing.T, n int) (all []string) {
						for i := range n {
							seq := int(cfg.Count) + i
							body := fmt.Sprintf("event %d", seq)
							if !cfg.Body.IsSet() {
								body = fmt.Sprintf("seq=%010d ", seq)
								for k := len(body); k < int(cfg.Size); k++ {
									body += string(rune('a' + k%26))
								}
							}
							all = append(all, body)
						}
						cfg.Count += int64(n)
						return all
					},
				}
			})
		})
	}
}

func TestSizes(t *testing.T) {
	for size, want := range map[schema.Bytes]int{0: 14, 14: 14, 15: 15, 100: 100, 100000: 100000} {
		env := providertest.Env(t)
		out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
		r := providertest.Start(t, providertest.Make(t, New, Config{Size: size, Count: 3}, env), out)
		out.Wait(3)
		r.Stop()
		if got := out.Bodies()[2]; len(got) != want || !strings.HasPrefix(got, "seq=0000000002") {
			t.Errorf("size %d gave %d bytes: %.20s", size, len(got), got)
		}
	}
}

func TestRate(t *testing.T) {
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	start := time.Now()
	r := providertest.Start(t, providertest.Make(t, New, Config{Rate: 1000, Size: 20}, env), out)
	out.Wait(1)
	out.Wait(300)
	took := time.Since(start)
	r.Stop()
	if took < 290*time.Millisecond {
		t.Errorf("300 events at 1,000 a second took %v", took)
	}
}

func TestASlowRateEmitsOneByOne(t *testing.T) {
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	start := time.Now()
	r := providertest.Start(t, providertest.Make(t, New, Config{Rate: 20, Size: 20}, env), out)
	out.Wait(3)
	r.Stop()
	if n, took := len(out.Events()), time.Since(start); float64(n) > 20*took.Seconds()+2 {
		t.Errorf("%d events came in %v at 20 a second", n, took)
	}
}

func TestItSaysWhenAllEventsAreMade(t *testing.T) {
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	r := providertest.Start(t, providertest.Make(t, New, Config{Count: 7}, env), out)
	out.Wait(7)
	providertest.Until(t, "it says so", func() bool {
		f := env.Stats.Snapshot().Facts
		return len(f) == 1 && f[0].Label == "complete" && f[0].Value == "7"
	})
	r.Stop()
	if n := len(out.Events()); n != 7 {
		t.Errorf("%d events", n)
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"rate": {Rate: -1}, "count": {Count: -1}, "size": {Size: 1 << 30},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(Config{Body: schema.Expr{Src: "event.nothing"}}, providertest.Env(t)); err == nil {
		t.Error("a wrong body was accepted")
	}
}

type discard struct{ n int }

func (d *discard) Emit(_ context.Context, b *flow.Batch) error {
	d.n += b.Len()
	b.Ack(flow.Delivered)
	b.Release()
	return nil
}

func BenchmarkGenerator(b *testing.B) {
	env := providertest.Env(b)
	env.Pool = flow.NewPool(16 << 20)
	src := providertest.Make(b, New, Config{Size: 175}, env).(*Source)
	out, next := &discard{}, uint64(0)
	b.SetBytes(4096 * 176)
	for b.Loop() {
		batch, err := src.batch(next, 4096)
		if err != nil {
			b.Fatal(err)
		}
		next += uint64(batch.Len())
		_ = out.Emit(b.Context(), batch)
	}
	b.ReportMetric(float64(out.n)/b.Elapsed().Seconds(), "events/s")
}
