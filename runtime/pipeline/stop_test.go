package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
	"collect/runtime/pipeline/registry"
)

// stuckSink does not come back from one of its calls, whatever its context says.
type stuckSink struct {
	deafSink
	in   string
	free chan struct{}
}

func (s stuckSink) Open(context.Context) error {
	if s.in == "open" {
		<-s.free
	}
	return nil
}

func (s stuckSink) Close(context.Context) error {
	if s.in == "close" {
		<-s.free
	}
	return nil
}

func TestASinkThatDoesNotListenHoldsUpNothing(t *testing.T) {
	for in, want := range map[string]string{"open": "", "close": "sink.out does not stop"} {
		t.Run(in, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.feed("in").lines.Store(20)
				free := make(chan struct{})
				stuck := registry.Sink("stuck", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests"},
					func(fakeConfig, flow.Env) (flow.Sink, error) { return stuckSink{in: in, free: free}, nil })
				p, err := New(spec("journal", func(s *schema.AgentSpec) { s.Sinks[0].Type = "stuck" }), nil, w.registry(stuck), w.base())
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if _, err := p.Drain(ctx, false); fmt.Sprint(err) != want && (err != nil || want != "") {
					t.Errorf("drain: %v", err)
				}
				if d := time.Since(begin); d > 20*time.Second {
					t.Errorf("the drain took %v", d)
				}
				close(free)
			})
		})
	}
}

// What is delivered of a batch that goes back at the end comes again, and is counted as such.
func TestWhatComesAgainAfterAStopIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.target("out").answer = poison
		p := w.start(spec("journal", withDead("journal")))
		w.journals["channel.dead"].putErr = func() error { return errors.New("no space") }
		w.feed("in").lines.Store(10)
		eventually(t, "the living are delivered", func() bool { return len(w.target("out").lines()) == 9 })
		time.Sleep(time.Second)
		w.drain(p, time.Second)
		for _, c := range p.Snapshot().Components {
			if c.Kind == schema.Channel && c.Name == "c" && c.Duplicates != 9 {
				t.Errorf("%d counted as coming again, want 9", c.Duplicates)
			}
		}
	})
}

// slowSink takes a while to write a batch, and counts what was cut short.
type slowSink struct {
	deafSink
	target *target
	cut    *atomic.Int32
}

func (s slowSink) Write(ctx context.Context, b *flow.Batch) error {
	if err := wait.Sleep(ctx, 3*time.Second); err != nil {
		s.cut.Add(1)
		return err
	}
	s.target.mu.Lock()
	s.target.got = append(s.target.got, bodies(b)...)
	s.target.mu.Unlock()
	b.Done(flow.Result{})
	return nil
}

func TestAStopGivesAWriteTime(t *testing.T) {
	for channel, want := range map[string]int{"memory": 50, "journal": 20} { // a durable channel keeps what is not taken yet
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.feed("in").lines.Store(50)
				var cut atomic.Int32
				slow := registry.Sink("slow", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests"},
					func(fakeConfig, flow.Env) (flow.Sink, error) {
						return slowSink{target: w.target("out"), cut: &cut}, nil
					})
				p, err := New(spec(channel, func(s *schema.AgentSpec) { s.Sinks[0].Type = "slow" }), nil, w.registry(slow), w.base())
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(4 * time.Second) // in the midst of the second batch
				if n := w.drain(p, time.Minute); n != 0 || cut.Load() != 0 {
					t.Errorf("abandoned %d events, %d writes were cut short", n, cut.Load())
				}
				if d := cmp.Diff(numbers(0, want), w.target("out").lines()); d != "" {
					t.Errorf("delivered (-want +got):\n%s", d)
				}
			})
		})
	}
}

// A write that does not end must not hold up a stop for long.
func TestAStopEndsAWriteThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(50)
		deaf := registry.Sink("deaf", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests"},
			func(fakeConfig, flow.Env) (flow.Sink, error) { return deafSink{}, nil })
		p, err := New(spec("journal", func(s *schema.AgentSpec) { s.Sinks[0].Type = "deaf" }), nil, w.registry(deaf), w.base())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		begin := time.Now()
		w.drain(p, time.Hour)
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("the stop took %v", d)
		}
	})
}

func TestASinkThatHoldsBatchesIsFlushedAtTheEnd(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.feed("in").lines.Store(100)
		w.target("out").hold = true
		p := w.start(spec(channel, nil))
		eventually(t, "all is accepted", func() bool {
			g := w.target("out")
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.held) == 10
		})
		if n := w.drain(p, time.Second); n != 0 {
			t.Errorf("abandoned %d", n)
		}
		if d := cmp.Diff(numbers(0, 100), w.target("out").lines()); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
	})
}
