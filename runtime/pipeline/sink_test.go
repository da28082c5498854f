package pipeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

var channelTypes = []string{"memory", "journal"}

// each runs a test in a bubble for each kind of channel.
func each(t *testing.T, f func(t *testing.T, channel string, w *world)) {
	for _, channel := range channelTypes {
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, channel, newWorld(t)) })
		})
	}
}

func health(p *Pipeline, kind schema.Kind, name string) (string, string) {
	for _, c := range p.Snapshot().Components {
		if c.Kind == kind && c.Name == name {
			return c.Health, c.Why
		}
	}
	return "", ""
}

func TestFailuresAreTriedAgainInOrder(t *testing.T) {
	times := func(n int, what error) func() error {
		return func() error {
			if n--; n >= 0 {
				return what
			}
			return nil
		}
	}
	failures := map[string]func(w *world, g *target){
		"writes are refused": func(_ *world, g *target) {
			fail := times(7, errors.New("away"))
			g.write = func([]string) error { return fail() }
		},
		"every third batch fails at first": func(_ *world, g *target) {
			seen := map[string]bool{}
			g.answer = func(_ *flow.Batch, lines []string) flow.Result {
				if len(lines) > 0 && strings.HasSuffix(lines[0], "0") && !seen[lines[0]] {
					seen[lines[0]] = true
					return flow.Result{Err: errors.New("lost"), Unknown: true}
				}
				return flow.Result{}
			}
		},
		"single events fail at first": func(_ *world, g *target) {
			seen := map[string]bool{}
			g.answer = func(_ *flow.Batch, lines []string) flow.Result {
				var res flow.Result
				for i, l := range lines {
					if strings.HasSuffix(l, "7") && !seen[l] {
						seen[l] = true
						res.Events = append(res.Events, flow.EventResult{Index: i, Err: errors.New("not now")})
					}
				}
				return res
			}
		},
		"the first failures come after the memory is gone": func(_ *world, g *target) {
			fail := times(3, errors.New("away"))
			g.unload = true
			g.answer = func(*flow.Batch, []string) flow.Result { return flow.Result{Err: fail()} }
		},
		"the sink panics": func(_ *world, g *target) {
			fail := times(2, errors.New("bug"))
			g.write = func([]string) error {
				if fail() != nil {
					panic("a bug in the sink")
				}
				return nil
			}
		},
		"it cannot open at first": func(_ *world, g *target) { g.open = times(4, errors.New("no route")) },
	}
	for name, arrange := range failures {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, channel string, w *world) {
				w.feed("in").lines.Store(200)
				arrange(w, w.target("out"))
				p := w.start(spec(channel, nil))
				eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) >= 200 })
				w.drain(p, time.Second)
				got := w.target("out").lines()
				if name != "single events fail at first" { // those come later by their nature
					if d := cmp.Diff(numbers(0, 200), got); d != "" {
						t.Errorf("delivered (-want +got):\n%s", d)
					}
				}
				slices.Sort(got)
				want := numbers(0, 200)
				slices.Sort(want)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("delivered, sorted (-want +got):\n%s", d)
				}
				addUp(t, p)
			})
		})
	}
}

func TestAFullChannelMakesTheSinkFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := w.feed("in")
		f.lines.Store(400)
		f.perRun = 4
		big := strings.Repeat("x", 100_000)
		f.body = func(int) string { return big }
		w.target("out").hold = true
		p := w.start(spec("memory", func(s *schema.AgentSpec) { s.Channels[0].Config = schema.Config{"max_size": "4MiB"} }))
		eventually(t, "all is delivered although the sink holds everything until it is flushed", func() bool {
			return len(w.target("out").lines()) >= 350
		})
		w.drain(p, time.Second)
		if n := len(w.target("out").lines()); n != 400 {
			t.Errorf("delivered %d of 400", n)
		}
	})
}

func TestLargeBatchesAreSplitForTheSink(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		f.perRun = 50
		largest := 0
		w.target("out").answer = func(_ *flow.Batch, lines []string) flow.Result {
			largest = max(largest, len(lines))
			return flow.Result{}
		}
		p := w.start(spec(channel, func(s *schema.AgentSpec) {
			s.Sinks[0].Settings = schema.Config{"batch": map[string]any{"max_events": 7.0}}
		}))
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 100 })
		w.drain(p, time.Second)
		if d := cmp.Diff(numbers(0, 100), w.target("out").lines()); d != "" || largest != 7 {
			t.Errorf("largest part %d; delivered (-want +got):\n%s", largest, d)
		}
	})
}

// A part of a batch has no identity, and keeps the memory of the whole: a sink that holds batches until a file ends gets no parts.
func TestASinkThatRollsGetsWholeBatches(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		f.perRun = 50
		w.target("out").answer = func(b *flow.Batch, lines []string) flow.Result {
			if len(lines) != 50 || b.ID() == (flow.ID{}) {
				t.Errorf("a batch of %d events with identity %v", len(lines), b.ID())
			}
			return flow.Result{}
		}
		p := w.start(spec(channel, func(s *schema.AgentSpec) {
			s.Sinks[0].Type = "rolling"
			s.Sinks[0].Settings = schema.Config{"batch": map[string]any{"max_events": 7.0}}
		}))
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 100 })
		w.drain(p, time.Second)
	})
}
