package pipeline

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
)

// read gives a spec in which these sinks read the channel.
func read(channel string, sinks ...string) *schema.AgentSpec {
	return spec(channel, func(s *schema.AgentSpec) {
		s.Sinks = nil
		for _, name := range sinks {
			s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "fake", Name: name, Channel: "c"})
		}
	})
}

func eachReal(t *testing.T, f func(t *testing.T, channel string, w *world)) {
	for _, channel := range []string{"memory", "disk"} {
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, channel, newWorld(t)) })
		})
	}
}

func TestReadersComeAndGoWithoutDoublingAnything(t *testing.T) {
	eachReal(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(1 << 30)
		f.pause = time.Millisecond
		p := w.start(read(channel, "a"))
		for i, sinks := range [][]string{{"a", "b"}, {"a"}, {"a", "b"}, {"b"}, {"c"}, {"c", "a"}, {"c", "b"}, {"b"}} {
			if i == 6 { // as after a restart
				w.drain(p, time.Second)
				p = w.start(read(channel, "c", "a"))
			}
			eventually(t, "the source is ready", func() bool { ok, _ := p.Ready(); return ok })
			made := w.count(w.made, "source.in")
			if err := reload(t, p, read(channel, sinks...)); err != nil {
				t.Fatal(err)
			}
			if n := w.count(w.made, "source.in"); n != made {
				t.Error("the source was made anew for another reader of its channel")
			}
			for _, name := range sinks {
				before := len(w.target(name).lines())
				eventually(t, "more is delivered to "+name, func() bool { return len(w.target(name).lines()) > before+100 })
			}
		}
		w.drain(p, time.Second)
		seen := map[string]bool{}
		for _, name := range []string{"a", "b", "c"} {
			own := map[string]bool{}
			for _, l := range w.target(name).lines() {
				if own[l] {
					t.Fatalf("%s got %q twice", name, l)
				}
				own[l], seen[l] = true, true
			}
		}
		for i := range len(seen) {
			if l := f.body(i); !seen[l] {
				t.Fatalf("nobody got %q", l)
			}
		}
	})
}

func TestASinkThatIsTakenAwayDoesNotDoubleWhatTheOthersHave(t *testing.T) {
	eachReal(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		w.target("b").write = func([]string) error { return errors.New("away") }
		p := w.start(read(channel, "a", "b"))
		eventually(t, "a has all", func() bool { return len(w.target("a").lines()) == 100 })
		for _, c := range p.Snapshot().Components {
			if c.Name == "b" && c.BacklogEvents != 100 {
				t.Errorf("%d events wait for b, want 100", c.BacklogEvents)
			}
		}
		if err := reload(t, p, read(channel, "a")); err != nil {
			t.Fatal(err)
		}
		f.lines.Store(130)
		eventually(t, "a goes on", func() bool { return len(w.target("a").lines()) >= 130 })
		time.Sleep(time.Minute)
		snap := p.Snapshot()
		if n := w.drain(p, time.Second); n != 0 {
			t.Errorf("abandoned %d", n)
		}
		if d := cmp.Diff(numbers(0, 130), w.target("a").lines()); d != "" {
			t.Errorf("a (-want +got):\n%s", d)
		}
		for _, c := range snap.Components {
			if c.Kind == schema.Channel && (c.DroppedBy["reader_left"] != 100 || c.BacklogEvents != 0) {
				t.Errorf("what b did not get: dropped %v, %d waiting", c.DroppedBy, c.BacklogEvents)
			}
		}
	})
}

func TestASinkThatLeavesDeliversWhatWaitsForIt(t *testing.T) {
	eachReal(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		var away atomic.Bool
		away.Store(true)
		w.target("b").write = func([]string) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}
		p := w.start(read(channel, "a", "b"))
		eventually(t, "a has all", func() bool { return len(w.target("a").lines()) == 100 })
		time.AfterFunc(5*time.Second, func() { away.Store(false) })
		if err := reload(t, p, read(channel, "a")); err != nil {
			t.Fatal(err)
		}
		w.drain(p, time.Second)
		for _, name := range []string{"a", "b"} {
			if d := cmp.Diff(numbers(0, 100), w.target(name).lines()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	})
}

func TestAReloadThatFailsTakesNobodysPlace(t *testing.T) {
	eachReal(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(100)
		w.feed("bad").fail = func() error { return errors.New("address already in use") }
		var away atomic.Bool
		away.Store(true)
		w.target("b").write = func([]string) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}
		p := w.start(read(channel, "a", "b"))
		eventually(t, "a has all", func() bool { return len(w.target("a").lines()) == 100 })
		for _, sinks := range [][]string{{"a"}, {"a", "b", "c"}, {"c"}} {
			next := read(channel, sinks...)
			next.Sources = append(next.Sources, schema.SourceSpec{Type: "fake", Name: "bad", Routes: next.Sources[0].Routes})
			if err := reload(t, p, next); err == nil {
				t.Fatal("no error")
			}
		}
		away.Store(false)
		eventually(t, "b has all", func() bool { return len(w.target("b").lines()) >= 100 })
		time.Sleep(time.Minute)
		w.drain(p, time.Second)
		for _, name := range []string{"a", "b"} {
			if d := cmp.Diff(numbers(0, 100), w.target(name).lines()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	})
}
