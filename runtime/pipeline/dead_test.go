package pipeline

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// withDead adds a dead-letter channel and a sink that reads it.
func withDead(channel string) func(*schema.AgentSpec) {
	return func(s *schema.AgentSpec) {
		s.Settings = schema.Config{"dead_letter": map[string]any{"ref": "channel.dead"}}
		s.Channels = append(s.Channels, schema.ChannelSpec{Type: channel, Name: "dead"})
		s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: "morgue", Channel: "dead"})
	}
}

// poison refuses lines that end in 7 for good.
func poison(_ *flow.Batch, lines []string) flow.Result {
	var res flow.Result
	for i, l := range lines {
		if strings.HasSuffix(l, "7") {
			res.Events = append(res.Events, flow.EventResult{Index: i, Err: flow.Permanent(errors.New("malformed"))})
		}
	}
	return res
}

func TestUndeliverableEventsGoToTheDeadLetterChannel(t *testing.T) {
	for _, unload := range []bool{false, true} {
		each(t, func(t *testing.T, channel string, w *world) {
			w.feed("in").lines.Store(100)
			g := w.target("out")
			g.unload, g.answer = unload, poison
			heads := map[string]string{}
			w.target("morgue").answer = func(b *flow.Batch, _ []string) flow.Result {
				b.Headers(0, func(n, v []byte) bool { heads[string(n)] = string(v); return true })
				return flow.Result{}
			}
			p := w.start(spec(channel, withDead("memory")))
			eventually(t, "the dead are delivered", func() bool { return len(w.target("morgue").lines()) == 10 })
			eventually(t, "nothing waits", func() bool {
				return p.Snapshot().Components[1].BacklogEvents == 0
			})
			w.drain(p, time.Second)
			alive := slices.DeleteFunc(numbers(0, 100), func(s string) bool { return strings.HasSuffix(s, "7") })
			got := slices.Compact(slices.Sorted(slices.Values(g.lines())))
			if d := cmp.Diff(slices.Sorted(slices.Values(alive)), got); d != "" {
				t.Errorf("delivered (-want +got):\n%s", d)
			}
			if heads["collect.error"] != "malformed" || heads["collect.component"] != "sink.out" || heads["collect.time"] == "" {
				t.Errorf("headers of the dead: %v", heads)
			}
		})
	}
}

func TestWithoutADeadLetterChannelNothingIsDropped(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.feed("in").lines.Store(100)
		var open atomic.Bool
		w.target("out").answer = func(b *flow.Batch, lines []string) flow.Result {
			if open.Load() {
				return flow.Result{}
			}
			return poison(b, lines)
		}
		p := w.start(spec(channel, nil))
		eventually(t, "it is blocked", func() bool { h, _ := health(p, schema.Sink, "out"); return h == "blocked" })
		if _, why := health(p, schema.Sink, "out"); !strings.Contains(why, "malformed") || !strings.Contains(why, "dead_letter") {
			t.Errorf("why: %s", why)
		}
		if s := p.Snapshot().State; s != "blocked" {
			t.Errorf("state %s", s)
		}
		open.Store(true)
		eventually(t, "it goes on when the other side takes it", func() bool { return len(w.target("out").lines()) == 100 })
		w.drain(p, time.Second)
		if h, _ := health(p, schema.Sink, "out"); h != "ok" {
			t.Errorf("health %s", h)
		}
	})
}

func TestADeadLetterIsNotDoubledByACrashBeforeTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(10)
		var fail atomic.Bool
		fail.Store(true)
		w.target("out").answer = func(b *flow.Batch, lines []string) flow.Result {
			res := poison(b, lines)
			if fail.Load() { // line 7 is dead, the others fail: the lease is not committed
				for i, l := range lines {
					if l != "line 7" {
						res.Events = append(res.Events, flow.EventResult{Index: i, Err: errors.New("away")})
					}
				}
			}
			return res
		}
		p := w.start(spec("journal", withDead("journal")))
		eventually(t, "the dead one is delivered", func() bool { return len(w.target("morgue").lines()) == 1 })
		w.drain(p, time.Nanosecond)
		fail.Store(false)
		p = w.start(spec("journal", withDead("journal")))
		eventually(t, "the rest is delivered", func() bool { return len(w.target("out").lines()) == 9 })
		time.Sleep(time.Second)
		w.drain(p, time.Second)
		if got := w.target("morgue").lines(); len(got) != 1 {
			t.Errorf("dead letters: %v", got)
		}
		if keys := w.journals["channel.dead"].decided; len(keys) != 0 {
			t.Errorf("keys left in the dead-letter channel: %v", keys)
		}
	})
}

// Batches whose dead letters wait in a volatile channel end when those are delivered. Neither a drain nor a full channel may wait for the
// file of the dead to fill.
func TestDeadLettersThatAreHeldBackStopNothing(t *testing.T) {
	t.Run("drain", func(t *testing.T) {
		each(t, func(t *testing.T, channel string, w *world) {
			w.feed("in").lines.Store(100)
			g := w.target("out")
			g.hold, g.answer = true, poison
			w.target("morgue").hold = true
			p := w.start(spec(channel, withDead("memory")))
			eventually(t, "all is accepted", func() bool {
				g.mu.Lock()
				defer g.mu.Unlock()
				return len(g.held) == 10
			})
			begin := time.Now()
			if n := w.drain(p, time.Minute); n != 0 || time.Since(begin) > 10*time.Second {
				t.Errorf("abandoned %d in %v", n, time.Since(begin))
			}
			if n := len(w.target("morgue").lines()); n != 10 && channel == "memory" { // a durable channel keeps what failed at the end
				t.Errorf("%d dead letters, want 10", n)
			}
		})
	})
	t.Run("full channel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			f := w.feed("in")
			f.lines.Store(400)
			f.perRun = 4
			big := strings.Repeat("x", 100_000)
			f.body = func(i int) string { return big + strconv.Itoa(i) }
			w.target("out").answer = poison
			w.target("morgue").hold = true
			p := w.start(spec("memory", func(s *schema.AgentSpec) {
				withDead("memory")(s)
				s.Channels[0].Config = schema.Config{"max_size": "4MiB"}
			}))
			eventually(t, "all that can be is delivered", func() bool { return len(w.target("out").lines()) == 360 })
			w.drain(p, time.Minute)
			if n := len(w.target("morgue").lines()); n != 40 {
				t.Errorf("%d dead letters, want 40", n)
			}
		})
	})
}

// A lease that goes back to the channel with an older one takes all its parts with it, also those that are dead.
func TestNothingOfALeaseIsUsedAfterItWentBack(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		g := w.target("out")
		g.hold, g.unload = true, true
		calls := 0
		g.answer = func(b *flow.Batch, lines []string) flow.Result {
			calls++
			switch {
			case calls == 2:
				return poison(b, lines) // the second batch has a dead event from now on
			case calls <= 4:
				return flow.Result{Err: errors.New("away")}
			}
			return poison(b, lines)
		}
		f := w.feed("in")
		f.lines.Store(20)
		f.body = func(i int) string {
			if i == 15 {
				return "15 dead 7"
			}
			return strconv.Itoa(i) + " alive"
		}
		p := w.start(spec(channel, func(s *schema.AgentSpec) {
			withDead("memory")(s)
			s.Sinks[0].Type = "rolling"
		}))
		eventually(t, "both batches are accepted", func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.held) == 2
		})
		p.channel("c").Pressure()
		eventually(t, "the dead one is delivered", func() bool { return len(w.target("morgue").lines()) > 0 })
		eventually(t, "all is settled", func() bool {
			p.channel("c").Pressure()
			return p.channel("c").Channel.Stats().Events == 0
		})
		w.drain(p, time.Second)
		if d := cmp.Diff([]string{"15 dead 7"}, w.target("morgue").lines()); d != "" {
			t.Errorf("dead (-want +got):\n%s", d)
		}
		var want []string
		for i := range 20 {
			if i != 15 {
				want = append(want, strconv.Itoa(i)+" alive")
			}
		}
		got := slices.Compact(slices.Sorted(slices.Values(g.lines())))
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
	})
}

// A sink is unhealthy while something is tried again, and not longer.
func TestASinkIsHealthyAgain(t *testing.T) {
	for name, set := range map[string]func(g *target){
		"after dead letters": func(g *target) { g.answer = poison },
		"after a flush that failed": func(g *target) {
			failed := false
			g.flush = func() error {
				if failed {
					return nil
				}
				failed = true
				return errors.New("away")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, channel string, w *world) {
				set(w.target("out"))
				p := w.start(spec(channel, withDead("memory")))
				p.channel("c").Pressure()
				w.feed("in").lines.Store(10)
				eventually(t, "all is settled", func() bool { return p.channel("c").Channel.Stats().Events == 0 && len(w.target("out").lines()) > 0 })
				time.Sleep(time.Second)
				if h, why := health(p, schema.Sink, "out"); h != "ok" {
					t.Errorf("%s: %s", h, why)
				}
				w.drain(p, time.Second)
			})
		})
	}
}
