package emit

import (
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

func TestAPanicOfARouteIsAnErrorOfItsBatch(t *testing.T) {
	dir, err := host.FS().OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	pos, err := position.Open(dir, "fake", host.Rand(), func([]string) {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := flow.NewPoisonPool(1 << 20)
	mem, err := memory.New(memory.Defaults(), flow.Env{Pool: pool, Stats: &flow.Stats{}, Log: slog.New(slog.DiscardHandler), Rand: host.Rand()})
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
	e := New(Config{
		Source: "in", Prefix: Prefix(pos.ID(), "r"), Stats: &flow.Stats{}, Log: slog.New(slog.DiscardHandler), Pool: pool, Rand: host.Rand(),
		Run: t.Context(), Hard: t.Context(), Positions: pos, Router: router, Edges: counters.New(),
		Channels: func(name string) *channel.Node { return &channel.Node{Name: name, Channel: mem, Stats: &flow.Stats{}} },
	})
	emit := func() (*atomic.Int32, error) {
		out := &atomic.Int32{}
		b := pool.Get()
		b.Begin("other", 0, &flow.Meta{Counted: true})
		b.AddBody([]byte("x"), 1)
		b.OnAck(func(o flow.Outcome) { out.Store(int32(o)) })
		err := guard.Call(func() error { return e.Emit(t.Context(), b) })
		return out, err
	}
	channels := router.Channels
	router.Channels = nil // the router's tables do not fit any more
	if out, err := emit(); err == nil || flow.Outcome(out.Load()) != flow.Abandoned {
		t.Errorf("outcome %v, error %v", out.Load(), err)
	}
	router.Channels = channels
	if _, err := emit(); err != nil {
		t.Errorf("the next batch: %v", err)
	}
	if err := mem.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
