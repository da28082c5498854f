package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
)

func TestAReloadThatFailsLeavesTheOldRunning(t *testing.T) {
	bad := map[string]func(*schema.AgentSpec){
		"unknown type":       func(s *schema.AgentSpec) { s.Sinks[0].Type = "nothing" },
		"a sink's argument":  func(s *schema.AgentSpec) { s.Sinks[0].Config = schema.Config{"arg": "broken"} },
		"a dangling channel": func(s *schema.AgentSpec) { s.Sources[0].Routes[0].Channels = []string{"nowhere"} },
		"a condition": func(s *schema.AgentSpec) {
			s.Sources[0].Routes[0].When = map[string]any{"expr": "nothing(event.body)"}
		},
		"a source that cannot start": func(s *schema.AgentSpec) {
			s.Sources = append(s.Sources, schema.SourceSpec{Type: "fake", Name: "bad", Routes: s.Sources[0].Routes})
		},
	}
	for name, edit := range bad {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, channel string, w *world) {
				w.feed("bad").fail = func() error { return errors.New("address already in use") }
				p := w.start(spec(channel, nil))
				grow(t, w, "out", 50)
				hash := p.Snapshot().ConfigHash
				if err := reload(t, p, spec(channel, edit)); err == nil {
					t.Fatal("no error")
				}
				if got := p.Snapshot(); got.ConfigHash != hash || !got.Ready {
					t.Errorf("snapshot: %+v", got)
				}
				grow(t, w, "out", 100)
				w.ends(p, 100)
			})
		})
	}
}

// When a reload fails and what was before cannot be had back at once, that is visible, and tried until it works.
func TestWhatCouldNotBeRestoredIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(spec("journal", nil))
		grow(t, w, "out", 50)
		opened := 0
		w.journals["channel.c"].openErr = func() error {
			if opened++; opened > 1 && opened < 8 { // the first is the new configuration
				return errors.New("input/output error")
			}
			return nil
		}
		err := reload(t, p, spec("journal", func(s *schema.AgentSpec) {
			s.Channels[0].Config = schema.Config{"arg": "other"}
			s.Sources = append(s.Sources, schema.SourceSpec{Type: "idle", Name: "bad", Config: schema.Config{"arg": "in use"}, Routes: s.Sources[0].Routes})
		}))
		if err == nil || !strings.Contains(err.Error(), "input/output error") {
			t.Fatal(err)
		}
		snap := p.Snapshot()
		if snap.Ready || !strings.Contains(snap.NotReady, "input/output error") || snap.State != api.Blocked {
			t.Errorf("snapshot: %v %q %v", snap.Ready, snap.NotReady, snap.State)
		}
		if h, why := health(p, schema.Source, "in"); h != string(flow.Failed) || why == "" {
			t.Errorf("the source that does not run: %s %s", h, why)
		}
		grow(t, w, "out", 100)
		if snap := p.Snapshot(); !snap.Ready || snap.State != api.Running {
			t.Errorf("snapshot: %v %q %v", snap.Ready, snap.NotReady, snap.State)
		}
		w.ends(p, 100)
	})
}

func TestAPipelineThatCouldNotBeRestoredEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(spec("journal", nil))
		grow(t, w, "out", 50)
		w.journals["channel.c"].openErr = func() error { return errors.New("input/output error") }
		if err := reload(t, p, spec("journal", func(s *schema.AgentSpec) { s.Channels[0].Config = schema.Config{"arg": "other"} })); err == nil {
			t.Fatal("no error")
		}
		time.Sleep(time.Minute)
		w.drain(p, time.Second)
	})
}

// What was confirmed for a configuration that could not be is not confirmed for the next one.
func TestALossThatWasConfirmedOnceIsNotConfirmedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.target("out").write = func([]string) error { return errors.New("away") }
		w.feed("in").lines.Store(50)
		p := w.start(spec("journal", nil))
		eventually(t, "all is stored", func() bool { return p.channel("c").Channel.Stats().Events == 50 })
		w.journals["channel.c"].openErr = func() error { return errors.New("input/output error") }
		other := func(s *schema.AgentSpec) {
			s.Channels[0].Name, s.Sinks[0].Channel, s.Sources[0].Routes[0].Channels = "d", "d", []string{"d"}
		}
		bad := func(s *schema.AgentSpec) {
			other(s)
			s.Sources = append(s.Sources, schema.SourceSpec{Type: "idle", Name: "bad", Config: schema.Config{"arg": "in use"}, Routes: s.Sources[0].Routes})
		}
		if err := reload(t, p, spec("journal", bad), orphan.Loss{Channel: "c", Events: 50}); err == nil {
			t.Fatal("no error")
		}
		if err := reload(t, p, spec("journal", other)); err != nil {
			t.Fatal(err)
		}
		if o := p.Snapshot().Orphans; len(o) != 1 || o[0].Channel != "c" || o[0].Events != 50 {
			t.Errorf("orphans: %+v", o)
		}
		if _, err := os.Stat(filepath.Join(w.base().Dir, "channel.c")); err != nil {
			t.Error(err)
		}
		w.drain(p, time.Second)
	})
}
