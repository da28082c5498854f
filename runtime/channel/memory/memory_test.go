package memory_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	providertest.Channel{New: func(t *testing.T, env flow.Env) flow.Channel {
		cfg := memory.Defaults()
		cfg.MaxSize = 8 << 20
		c, err := memory.New(cfg, env)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}}.Test(t)
}

func env() flow.Env {
	return flow.Env{Rand: host.Rand(), FS: host.FS(), Pool: flow.NewPool(64 << 20), Log: slog.New(slog.DiscardHandler), Stats: &flow.Stats{}}
}

func TestRejectRefusesWhenFull(t *testing.T) {
	t.Parallel()
	c, err := memory.New(memory.Config{MaxSize: 1 << 20, WhenFull: "reject"}, env())
	if err != nil {
		t.Fatal(err)
	}
	slot, err := c.Reserve(t.Context(), flow.Size{Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reserve(t.Context(), flow.Size{Bytes: 1}); !errors.Is(err, flow.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	slot.Release()
	if slot, err = c.Reserve(t.Context(), flow.Size{Bytes: 1}); err != nil {
		t.Error(err)
	} else {
		slot.Release()
	}
}

func TestSmallBatchPinsNoLargeBlock(t *testing.T) {
	t.Parallel()
	e := env()
	c, err := memory.New(memory.Defaults(), e)
	if err != nil {
		t.Fatal(err)
	}
	b := e.Pool.Get()
	b.Begin("k", 0, nil)
	b.AddBody([]byte("x"), 2)
	slot, err := c.Reserve(t.Context(), b.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := slot.Put(b); err != nil {
		t.Fatal(err)
	}
	if used := c.Stats().Bytes; used > 4096 {
		t.Errorf("one byte pins %d", used)
	}
	_ = c.Close(t.Context())
}

func TestSizeIsChecked(t *testing.T) {
	t.Parallel()
	if memory.Defaults().Validate() != nil || (memory.Config{MaxSize: 1}).Validate() == nil {
		t.Error("max_size is not checked")
	}
}

func BenchmarkHandOver(b *testing.B) {
	e := env()
	c, err := memory.New(memory.Defaults(), e)
	if err != nil {
		b.Fatal(err)
	}
	k := c.Consumer("a")
	ctx := context.Background()
	batch := e.Pool.GetSized(175 * 4096)
	batch.Begin("k", 0, nil)
	for i := range 4096 {
		batch.AddBody(make([]byte, 174), uint64(i+1)*175)
	}
	b.ReportAllocs()
	for b.Loop() {
		v := batch.Share()
		slot, err := c.Reserve(ctx, flow.Size{Bytes: 1 << 20})
		if err == nil {
			err = slot.Put(v)
		}
		if err != nil {
			b.Fatal(err)
		}
		l, err := k.Take(ctx)
		if err != nil {
			b.Fatal(err)
		}
		l.Batch().Release()
		if err := l.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
