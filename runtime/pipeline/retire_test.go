package pipeline

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/registry"
)

func TestASourceThatLeftCostsNothingAndGoesOnWhenItComesBack(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		two := func(s *schema.AgentSpec) {
			s.Sources = append(s.Sources, schema.SourceSpec{Type: "fake", Name: "other", Routes: s.Sources[0].Routes})
		}
		w.feed("in").lines.Store(50)
		w.feed("other").body = func(i int) string { return "other" }
		p := w.start(spec(channel, two))
		grow(t, w, "out", 50)
		w.target("out").holdFrom(true) // what is in flight when the source leaves
		w.feed("in").lines.Store(60)
		time.Sleep(time.Second)
		without := spec(channel, two)
		without.Sources = without.Sources[1:]
		if err := reload(t, p, without); err != nil {
			t.Fatal(err)
		}
		w.target("out").holdFrom(false)
		changed := spec(channel, two)
		changed.Sources, changed.Sinks[0].Config = changed.Sources[1:], schema.Config{"arg": "x"} // flushes what is held
		if err := reload(t, p, changed); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is delivered", func() bool { return len(w.target("out").lines()) == 60 })
		if channel == "memory" { // acknowledged only now
			if err := reload(t, p, without); err != nil {
				t.Fatal(err)
			}
		}
		if p.pos["in/fake"] != nil || p.pos["other/fake"] == nil {
			t.Errorf("positions in memory: %v", slices.Sorted(maps.Keys(p.pos)))
		}
		if j := w.journals["channel.c"]; channel == "journal" && len(j.decided) != 0 {
			t.Errorf("the channel keeps %v", j.decided)
		}
		if err := reload(t, p, spec(channel, two)); err != nil {
			t.Fatal(err)
		}
		grow(t, w, "out", 80)
		w.ends(p, 80)
	})
}

// oneShot emits one line and forgets its key when it is told to stop.
type oneShot struct{ env flow.Env }

func (s oneShot) Run(ctx context.Context, out flow.Emitter) error {
	s.env.Ready()
	b := s.env.Pool.Get()
	b.Begin("once", 0, nil)
	b.AddBody([]byte("line"), 1)
	if err := out.Emit(ctx, b); err != nil {
		return err
	}
	<-ctx.Done()
	s.env.Positions.Forget("once")
	return nil
}

func TestKeysThatASourceForgetsAtItsEndLeaveTheChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		once := registry.Source("once", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests"},
			func(_ fakeConfig, env flow.Env) (flow.Source, error) { return oneShot{env}, nil })
		before := spec("journal", func(s *schema.AgentSpec) { s.Sources[0].Type = "once" })
		p, err := New(before, nil, w.registry(once), w.base())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the line is delivered", func() bool { return len(w.target("out").lines()) == 1 })
		j := w.journals["channel.c"]
		if err := reload(t, p, spec("journal", func(s *schema.AgentSpec) { s.Sources[0].Name = "other" })); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		j.mu.Lock()
		left := maps.Clone(j.decided)
		j.mu.Unlock()
		if len(left) != 0 {
			t.Errorf("the channel keeps %v", left)
		}
		w.drain(p, time.Second)
	})
}
