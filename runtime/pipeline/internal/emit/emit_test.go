package emit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"collect/hclspec/schema"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/counters"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/route"
)

func TestInFlightLimitsWhatIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow()
		w.limit(3, 100)
		in := []*join{{bytes: 40}, {bytes: 40}}
		for _, j := range in {
			if !w.tryEnter(j) {
				t.Fatal("no room")
			}
		}
		if w.tryEnter(&join{bytes: 40}) {
			t.Error("more bytes than allowed")
		}
		if !w.tryEnter(&join{bytes: 20}) || w.tryEnter(&join{}) {
			t.Error("the limit of batches does not hold")
		}
		entered := make(chan error)
		go func() { entered <- w.enter(t.Context(), &join{bytes: 500, events: 5}, nil) }()
		synctest.Wait()
		w.limit(0, 0)
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

// emitter makes one that leads to a memory channel.
func emitter(t *testing.T, size int) (*Emitter, *flow.Pool) {
	t.Helper()
	dir, err := host.FS().OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	pos, err := position.Open(dir, "fake", host.Rand(), func([]string) {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := flow.NewPoisonPool(1 << 20)
	cfg := memory.Defaults()
	cfg.MaxSize = schema.Bytes(size)
	mem, err := memory.New(cfg, flow.Env{Pool: pool, Stats: &flow.Stats{}, Log: slog.New(slog.DiscardHandler), Rand: host.Rand()})
	if err != nil {
		t.Fatal(err)
	}
	if err := mem.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := route.New([]schema.RouteSpec{{Channels: []string{"c"}}}, "h")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mem.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return New(Config{
		Source: "in", Prefix: Prefix(pos.ID(), "r"), Stats: &flow.Stats{}, Log: slog.New(slog.DiscardHandler), Pool: pool, Rand: host.Rand(),
		Run: t.Context(), Hard: t.Context(), Positions: pos, Router: router, Edges: counters.New(),
		Channels: func(name string) *channel.Node { return &channel.Node{Name: name, Channel: mem, Stats: &flow.Stats{}} },
	}), pool
}

func TestAPanicOfARouteIsAnErrorOfItsBatch(t *testing.T) {
	e, pool := emitter(t, 4<<20)
	emit := func() (*atomic.Int32, error) {
		out := &atomic.Int32{}
		b := pool.Get()
		b.Begin("other", 0, &flow.Meta{Counted: true})
		b.AddBody([]byte("x"), 1)
		b.OnAck(func(o flow.Outcome) { out.Store(int32(o)) })
		err := guard.Call(func() error { return e.Emit(t.Context(), b) })
		return out, err
	}
	channels := e.router.Channels
	e.router.Channels = nil // the router's tables do not fit any more
	if out, err := emit(); err == nil || flow.Outcome(out.Load()) != flow.Abandoned {
		t.Errorf("outcome %v, error %v", out.Load(), err)
	}
	e.router.Channels = channels
	if _, err := emit(); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

// What is abandoned while its source is still in Emit ends once.
func TestASourceHearsOfABatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, pool := emitter(t, 2<<20)
		told := 0
		emit := func(ctx context.Context) error {
			b := pool.Get()
			b.Begin("k", 0, nil)
			b.AddBody(make([]byte, 1_500_000), 1)
			b.OnAck(func(flow.Outcome) { told++ })
			return e.Emit(ctx, b)
		}
		if err := emit(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- emit(ctx) }() // it waits for room
		synctest.Wait()
		e.Window().AbandonAll()
		cancel()
		if err := <-ended; err == nil {
			t.Error("no error")
		}
		if told != 2 {
			t.Errorf("told %d times of two batches", told)
		}
	})
}
