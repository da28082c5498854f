package pipeline

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
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
		w.drain(p, time.Second)
		if d := cmp.Diff(numbers(0, 80), w.target("out").lines()); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
	})
}
