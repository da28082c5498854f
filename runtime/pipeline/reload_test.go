package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
)

func reload(t *testing.T, p *Pipeline, s *schema.AgentSpec, drop ...orphan.Loss) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return p.Reload(ctx, s, nil, drop...)
}

// grow feeds more lines and waits until n are delivered to a sink.
func grow(t *testing.T, w *world, sink string, n int) {
	t.Helper()
	w.feed("in").lines.Store(int64(n))
	eventually(t, "all is delivered", func() bool { return len(w.target(sink).lines()) >= n })
}

func TestReloadLeavesAloneWhatDidNotChange(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		two := func(s *schema.AgentSpec) {
			s.Sources = append(s.Sources, schema.SourceSpec{Type: "fake", Name: "in2", Routes: []schema.RouteSpec{{Channels: []string{"d"}}}})
			s.Channels = append(s.Channels, schema.ChannelSpec{Type: channel, Name: "d"})
			s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: "out2", Channel: "d"})
		}
		w.feed("in2").lines.Store(30)
		p := w.start(spec(channel, two))
		grow(t, w, "out", 50)
		before := map[string]any{"source": p.sources["in2"], "channel": p.channels["d"], "sink": p.runners["sink.out2"]}
		err := reload(t, p, spec(channel, func(s *schema.AgentSpec) {
			two(s)
			s.Sinks[0].Config = schema.Config{"arg": "other"}
			s.Sinks[0].At = schema.Pos{File: "moved.hcl", Line: 7}
			s.Sources[0].Settings = schema.Config{"in_flight": map[string]any{"max_batches": 7.0}}
			s.Sinks[1].Settings = schema.Config{"retry": map[string]any{"max": "77s"}}
		}))
		if err != nil {
			t.Fatal(err)
		}
		after := map[string]any{"source": p.sources["in2"], "channel": p.channels["d"], "sink": p.runners["sink.out2"]}
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("the untouched %s was made anew", name)
			}
		}
		if n := w.count(w.made, "sink.out"); n != 2 {
			t.Errorf("the changed sink was made %d times", n)
		}
		if n := w.count(w.made, "source.in"); n != 1 {
			t.Errorf("the source was made %d times for another in_flight", n)
		}
		if n := w.count(w.made, "sink.out2"); n != 1 {
			t.Errorf("the sink was made %d times for another retry", n)
		}
		grow(t, w, "out", 100)
		w.ends(p, 100)
	})
}

func TestWhatAReloadChangesOfTheLivingHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var tries []time.Time
		var away atomic.Bool
		w.target("out").write = func([]string) error {
			if !away.Load() {
				return nil
			}
			tries = append(tries, time.Now())
			return errors.New("away")
		}
		p := w.start(spec("journal", nil))
		grow(t, w, "out", 10)
		err := reload(t, p, spec("journal", func(s *schema.AgentSpec) {
			s.Sources[0].Settings = schema.Config{"in_flight": map[string]any{"max_batches": 7.0}}
			s.Sinks[0].Settings = schema.Config{"retry": map[string]any{"max": "1h"}}
		}))
		if err != nil {
			t.Fatal(err)
		}
		away.Store(true)
		j := w.journals["channel.c"]
		j.holdAcks(true)
		w.feed("in").lines.Store(200)
		time.Sleep(10 * time.Hour)
		if n := p.Snapshot().Components[0].InFlight; n != 70 {
			t.Errorf("%d events in flight, want 7 batches of 10", n)
		}
		longest := time.Duration(0)
		for i := 1; i < len(tries); i++ {
			longest = max(longest, tries[i].Sub(tries[i-1]))
		}
		if longest < 5*time.Minute || longest > time.Hour {
			t.Errorf("the longest pause between tries was %v", longest)
		}
		away.Store(false)
		j.holdAcks(false)
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 200 })
		w.drain(p, time.Second)
	})
}

func TestAReplacedSinkFlushesAndNothingIsDoubled(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.target("out").hold = true
		w.feed("in").lines.Store(50)
		p := w.start(spec(channel, nil))
		time.Sleep(time.Second)
		err := reload(t, p, spec(channel, func(s *schema.AgentSpec) { s.Sinks[0].Name = "next" }))
		if err != nil {
			t.Fatal(err)
		}
		w.feed("in").lines.Store(80)
		eventually(t, "the next has the rest", func() bool { return len(w.target("next").lines()) == 30 })
		w.drain(p, time.Second)
		if d := cmp.Diff(numbers(0, 50), w.target("out").lines()); d != "" {
			t.Errorf("before (-want +got):\n%s", d)
		}
	})
}

func TestAReplacedSourceGoesOnWhereTheOldOneStopped(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		p := w.start(spec(channel, nil))
		grow(t, w, "out", 50)
		w.target("out").holdFrom(true) // so that something is in flight
		w.feed("in").lines.Store(90)
		time.Sleep(time.Second)
		err := reload(t, p, spec(channel, func(s *schema.AgentSpec) {
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"drop": "line 10"}}}
		}))
		if err != nil {
			t.Fatal(err)
		}
		w.feed("in").lines.Store(120)
		time.Sleep(time.Second)
		w.drain(p, time.Second)
		want := slices.DeleteFunc(numbers(0, 120), func(l string) bool { return strings.HasPrefix(l, "line 10") && l != "line 10" })
		if d := cmp.Diff(want, w.target("out").lines()); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
		if channel == "journal" {
			j := w.journals["channel.c"]
			if len(j.decided) != 1 || len(j.forgot) == 0 {
				t.Errorf("keys of the old routing stay: %v", j.decided)
			}
		}
	})
}

func TestAChannelThatLeavesDrainsThroughItsSink(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		var slow atomic.Bool
		slow.Store(true)
		w.target("out").write = func([]string) error {
			if slow.Load() {
				return errors.New("away")
			}
			return nil
		}
		w.feed("in").lines.Store(50)
		p := w.start(spec(channel, nil))
		time.Sleep(time.Second)
		time.AfterFunc(5*time.Second, func() { slow.Store(false) })
		err := reload(t, p, spec("memory", func(s *schema.AgentSpec) {
			s.Channels[0].Name = "d"
			s.Sources[0].Routes[0].Channels = []string{"d"}
			s.Sinks[0].Name, s.Sinks[0].Channel = "next", "d"
		}))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(numbers(0, 50), w.target("out").lines()); d != "" {
			t.Errorf("old sink (-want +got):\n%s", d)
		}
		w.feed("in").lines.Store(70)
		eventually(t, "the new way is used", func() bool { return len(w.target("next").lines()) == 20 })
		w.drain(p, time.Second)
	})
}

func TestAChannelThatCannotDrainStaysAsAnOrphan(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		var back atomic.Bool
		w.target("out").write = func([]string) error {
			if back.Load() {
				return nil
			}
			return errors.New("away")
		}
		w.feed("in").lines.Store(50)
		p := w.start(spec(channel, nil))
		time.Sleep(time.Second)
		next := spec("memory", func(s *schema.AgentSpec) {
			s.Channels[0].Name = "d"
			s.Sources[0].Routes[0].Channels = []string{"d"}
			s.Sinks[0].Name, s.Sinks[0].Channel = "next", "d"
		})
		if err := reload(t, p, next); err != nil {
			t.Fatal(err)
		}
		orphans := p.Snapshot().Orphans
		if channel == "journal" {
			if len(orphans) != 1 || orphans[0].Channel != "c" || orphans[0].Events != 50 {
				t.Errorf("orphans: %v", orphans)
			}
			back.Store(true)
			if err := reload(t, p, spec(channel, nil)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "its events are delivered when it is declared again", func() bool { return len(w.target("out").lines()) == 50 })
			if o := p.Snapshot().Orphans; len(o) != 0 {
				t.Errorf("orphans: %v", o)
			}
		} else { // the source reads again what the channel lost
			eventually(t, "nothing is lost", func() bool { return len(w.target("next").lines()) == 50 })
		}
		w.drain(p, time.Second)
	})
}

func TestEveryReloadUnderLoadKeepsEveryEvent(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(1 << 30)
		f.pause = time.Millisecond
		p := w.start(spec(channel, nil))
		for _, edit := range []func(*schema.AgentSpec){
			func(s *schema.AgentSpec) { s.Sinks[0].Config = schema.Config{"arg": "1"} },
			func(s *schema.AgentSpec) {
				s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"drop": "nothing"}}}
			},
			func(s *schema.AgentSpec) {
				s.Channels[0].Name, s.Sinks[0].Channel = "d", "d"
				s.Sources[0].Routes[0].Channels = []string{"d"}
			},
			nil,
		} {
			before := len(w.target("out").lines())
			eventually(t, "more is delivered", func() bool { return len(w.target("out").lines()) > before+20 })
			if err := reload(t, p, spec(channel, edit)); err != nil {
				t.Fatal(err)
			}
		}
		w.drain(p, 10*time.Second)
		got := w.target("out").lines()
		if d := cmp.Diff(numbers(0, len(got)), got); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
	})
}

// Positions mean something to one type of source only. Those of the type before must still be there when it comes back, above all when
// the reload fails.
func TestASourceOfAnotherTypeTakesNoPositionsAway(t *testing.T) {
	idle := func(arg string) func(*schema.AgentSpec) {
		return func(s *schema.AgentSpec) {
			s.Sources[0].Type = "idle"
			if arg != "" {
				s.Sources[0].Config = schema.Config{"arg": arg}
			}
		}
	}
	t.Run("the reload fails", func(t *testing.T) {
		each(t, func(t *testing.T, channel string, w *world) {
			p := w.start(spec(channel, nil))
			grow(t, w, "out", 50)
			if err := reload(t, p, spec(channel, idle("address already in use"))); err == nil {
				t.Fatal("no error")
			}
			grow(t, w, "out", 100)
			w.ends(p, 100)
		})
	})
	t.Run("it comes back later", func(t *testing.T) {
		each(t, func(t *testing.T, channel string, w *world) {
			layout := api.Layout{Data: t.TempDir()}
			w.dir = filepath.Join(layout.AgentDir("a"), "data")
			if err := os.MkdirAll(w.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			p := w.start(spec(channel, nil))
			grow(t, w, "out", 50)
			w.target("out").holdFrom(true) // acknowledged behind a volatile channel only after the change
			w.feed("in").lines.Store(60)
			time.Sleep(time.Second)
			if err := reload(t, p, spec(channel, idle(""))); err != nil {
				t.Fatal(err)
			}
			w.target("out").holdFrom(false)
			w.drain(p, time.Second)
			for typ, want := range map[string]bool{"fake": true, "idle": true, "tail": false} {
				if got := layout.PositionsOf("a", "in", typ); got != want {
					t.Errorf("the plan sees positions of type %s: %v", typ, got)
				}
			}
			p = w.start(spec(channel, idle("")))
			if err := reload(t, p, spec(channel, nil)); err != nil {
				t.Fatal(err)
			}
			grow(t, w, "out", 100)
			w.ends(p, 100)
		})
	})
}

// Under other routes channels do not know the positions of before: a kill right after the change must find them in the file.
func TestPositionsAreStoredBeforeRoutesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(spec("journal", nil))
		grow(t, w, "out", 50)
		err := reload(t, p, spec("journal", func(s *schema.AgentSpec) {
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"drop": "nothing"}}}
		}))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(w.base().Dir, "source.in", "positions"))
		if err != nil || !strings.Contains(string(raw), `"k":{"pos":50,`) {
			t.Errorf("%s %v", raw, err)
		}
		w.drain(p, time.Second)
	})
}

// What a reload mends is healthy afterwards.
func TestAnInterceptorIsHealthyOnceItsDeadLettersHaveAPlace(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.feed("in").lines.Store(100)
		dead := func(s *schema.AgentSpec) {
			s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "fake", Config: schema.Config{"dead": "7"}}}
		}
		p := w.start(spec(channel, dead))
		eventually(t, "the source is blocked", func() bool { return p.Snapshot().State == api.Blocked })
		if err := reload(t, p, spec(channel, func(s *schema.AgentSpec) { withDead("memory")(s); dead(s) })); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is delivered", func() bool {
			return len(w.target("out").lines()) == 81 && len(w.target("morgue").lines()) == 19
		})
		if snap := p.Snapshot(); snap.State != api.Running {
			t.Errorf("state %v: %+v", snap.State, snap.Components)
		}
		w.drain(p, time.Second)
	})
}
