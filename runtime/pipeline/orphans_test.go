package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
)

// orphanage leaves 50 events in the channel "c", which nothing declares any more, and gives the spec of before and the one of now.
func orphanage(t *testing.T, w *world, away *atomic.Bool) (before, now *schema.AgentSpec) {
	t.Helper()
	away.Store(true)
	w.target("out").write = func([]string) error {
		if away.Load() {
			return errors.New("away")
		}
		return nil
	}
	w.feed("in").lines.Store(50)
	before = spec("disk", nil)
	now = spec("memory", func(s *schema.AgentSpec) {
		s.Channels[0].Name = "d"
		s.Sources[0].Routes[0].Channels = []string{"d"}
		s.Sinks[0].Name, s.Sinks[0].Channel = "next", "d"
	})
	p := w.start(before)
	eventually(t, "all is stored", func() bool { return p.channel("c").Channel.Stats().Events == 50 })
	if err := reload(t, p, now); err != nil {
		t.Fatal(err)
	}
	w.drain(p, time.Second)
	return before, now
}

func oneOrphan(t *testing.T, got []api.Orphan, events int64) {
	t.Helper()
	if len(got) != 1 || got[0].Channel != "c" || got[0].Events != events || got[0].Bytes == 0 || got[0].Why == "" {
		t.Errorf("orphans: %+v", got)
	}
}

func TestANewProcessKnowsTheOrphansOfEarlierOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		before, now := orphanage(t, w, &away)
		stored, err := orphan.Stored(w.registry(), host.FS(), w.base().Dir, nil)
		if err != nil || len(stored) != 1 || stored[0].Events != 50 {
			t.Errorf("on disk: %+v %v", stored, err)
		}
		p := w.start(now)
		oneOrphan(t, p.Snapshot().Orphans, 50)
		away.Store(false)
		if err := reload(t, p, before); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its events are delivered when it is declared again", func() bool { return len(w.target("out").lines()) == 50 })
		if o := p.Snapshot().Orphans; len(o) != 0 {
			t.Errorf("orphans: %+v", o)
		}
		w.drain(p, time.Second)
	})
}

// A sink of another name goes on where the one before was.
func TestAChannelDeclaredAgainWithAnotherSinkContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		before, _ := orphanage(t, w, &away)
		before.Sinks[0].Name = "another"
		p := w.start(before)
		eventually(t, "its events are delivered", func() bool { return len(w.target("another").lines()) == 50 })
		w.drain(p, time.Second)
	})
}

func TestAVolatileChannelOfTheSameNameHidesNoOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		before, now := orphanage(t, w, &away)
		now.Channels[0].Name, now.Sinks[0].Channel, now.Sources[0].Routes[0].Channels = "c", "c", []string{"c"}
		p := w.start(now)
		oneOrphan(t, p.Snapshot().Orphans, 50)
		if err := reload(t, p, before); err != nil {
			t.Fatal(err)
		}
		if o := p.Snapshot().Orphans; len(o) != 0 {
			t.Errorf("orphans: %+v", o)
		}
		if err := reload(t, p, now); err != nil {
			t.Fatal(err)
		}
		oneOrphan(t, p.Snapshot().Orphans, 50)
		w.drain(p, time.Second)
	})
}

func TestAnOrphanIsGivenUpOnlyToTheConfirmedFigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		before, now := orphanage(t, w, &away)
		p := w.start(now)
		if err := p.Discard(t.Context(), orphan.Loss{Channel: "c", Events: 49}); err == nil {
			t.Error("more was given up than was confirmed")
		}
		oneOrphan(t, p.Snapshot().Orphans, 50)
		for range 2 { // again, after an answer that was lost
			if err := p.Discard(t.Context(), orphan.Loss{Channel: "c", Events: 50}); err != nil {
				t.Error(err)
			}
		}
		if o := p.Snapshot().Orphans; len(o) != 0 {
			t.Errorf("orphans: %+v", o)
		}
		names, err := filepath.Glob(filepath.Join(w.base().Dir, "*channel.c"))
		if err != nil || len(names) > 0 {
			t.Errorf("left: %v %v", names, err)
		}
		away.Store(false)
		if err := reload(t, p, before); err != nil {
			t.Fatal(err)
		}
		if n := p.channel("c").Channel.Stats().Events; n != 0 {
			t.Errorf("the channel begins with %d events", n)
		}
		if err := p.Discard(t.Context(), orphan.Loss{Channel: "c", Events: 1000}); err == nil {
			t.Error("a declared channel is no orphan")
		}
		w.drain(p, time.Second)
	})
}

// What a killed process had begun to remove is nobody's data.
func TestWhatIsHalfRemovedIsNoOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		_, now := orphanage(t, w, &away)
		dir := w.base().Dir
		if err := os.Rename(filepath.Join(dir, "channel.c"), filepath.Join(dir, "removed.channel.c")); err != nil {
			t.Fatal(err)
		}
		p := w.start(now)
		if o := p.Snapshot().Orphans; len(o) != 0 {
			t.Errorf("orphans: %+v", o)
		}
		if _, err := os.Stat(filepath.Join(dir, "removed.channel.c")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
		w.drain(p, time.Second)
	})
}

// A channel that leaves with more than was confirmed is no loss but an orphan.
func TestALeavingChannelIsGivenUpOnlyToTheConfirmedFigure(t *testing.T) {
	for confirmed, left := range map[int64]int{49: 1, 50: 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var away atomic.Bool
			before, now := orphanage(t, w, &away)
			p := w.start(before)
			if err := reload(t, p, now, orphan.Loss{Channel: "c", Events: confirmed}); err != nil {
				t.Fatal(err)
			}
			if o := p.Snapshot().Orphans; len(o) != left {
				t.Errorf("confirmed %d: orphans: %+v", confirmed, o)
			}
			w.drain(p, time.Second)
		})
	}
}

func TestAnOrphanThatCannotBeReadIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		_, now := orphanage(t, w, &away)
		cursors, err := filepath.Glob(filepath.Join(w.base().Dir, "channel.c", "data", "*.seg"))
		if err != nil || len(cursors) == 0 {
			t.Fatal(cursors, err)
		}
		for _, name := range cursors {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			copy(raw, strings.Repeat("x", 4096))
			if err := os.WriteFile(name, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := w.start(now)
		o := p.Snapshot().Orphans
		if !slices.ContainsFunc(o, func(o api.Orphan) bool { return o.Channel == "c" && o.Events == api.UnknownEvents && o.Why != "" }) {
			t.Errorf("orphans: %+v", o)
		}
		w.drain(p, time.Second)
	})
}

// A loss is confirmed for the configuration that was planned. When that cannot be, nothing is given up.
func TestAReloadThatFailsGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		before, now := orphanage(t, w, &away)
		p := w.start(before)
		now.Sources = append(now.Sources, schema.SourceSpec{Type: "idle", Name: "bad", Config: schema.Config{"arg": "in use"}, Routes: now.Sources[0].Routes})
		if err := reload(t, p, now, orphan.Loss{Channel: "c", Events: 50}); err == nil {
			t.Fatal("no error")
		}
		away.Store(false)
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 50 })
		w.drain(p, time.Second)
		if stored, err := orphan.Stored(w.registry(), host.FS(), w.base().Dir, nil); err != nil || len(stored) != 0 {
			t.Errorf("on disk: %+v %v", stored, err)
		}
		if _, err := os.Stat(filepath.Join(w.base().Dir, "channel.d")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the channel of the configuration that could not be is still there: %v", err)
		}
	})
}
