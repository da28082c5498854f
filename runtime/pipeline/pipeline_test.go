package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
)

func TestEventsReachTheSinkInOrder(t *testing.T) {
	for _, channel := range []string{"memory", "journal"} {
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.feed("in").lines.Store(95)
				p := w.start(spec(channel, nil))
				eventually(t, "all lines are delivered", func() bool { return len(w.target("out").lines()) == 95 })
				if n := w.drain(p, time.Second); n != 0 {
					t.Errorf("drain abandoned %d events", n)
				}
				if d := cmp.Diff(numbers(0, 95), w.target("out").lines()); d != "" {
					t.Errorf("delivered (-want +got):\n%s", d)
				}
				want := flow.Delivered
				if channel == "journal" {
					want = flow.Durable
				}
				for _, o := range w.feed("in").outcomes() {
					if o != want {
						t.Errorf("acknowledged %d, want %d", o, want)
					}
				}
				addUp(t, p)
			})
		})
	}
}

// addUp checks that the counters of a pipeline at rest explain each other.
func addUp(t *testing.T, p *Pipeline) {
	t.Helper()
	a := p.Snapshot()
	var emitted, routed, taken, delivered, dropped, dead int64
	for _, c := range a.Components {
		switch c.Kind {
		case "source", "interceptor":
			if c.Kind == "source" {
				emitted += c.EventsOut
			}
			dropped += c.Dropped
			dead += c.DeadLettered
		case "sink":
			delivered += c.EventsOut
		}
	}
	for _, e := range a.Edges {
		switch e.Kind {
		case "emit":
			routed += e.Events
		case "take":
			taken += e.Events
		}
	}
	if emitted-dropped-dead > routed {
		t.Errorf("emitted %d, dropped %d, dead %d, routed only %d", emitted, dropped, dead, routed)
	}
	if taken != delivered {
		t.Errorf("taken %d, delivered %d", taken, delivered)
	}
}
