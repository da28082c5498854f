package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// A bug of a component that shows as memory given back twice stops the intake, loudly, and loses nothing: the next process goes on.
func TestWhatMustNeverBeStopsTheIntakeAndLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		w.pool = flow.NewPool(8 << 20) // the other kind panics
		w.feed("in").lines.Store(100)
		twice := true
		w.target("out").answer = func(b *flow.Batch, lines []string) flow.Result {
			if twice && slices.Contains(lines, "line 50") {
				twice = false
				b.Done(flow.Result{}) // and once more by whoever asked
			}
			return flow.Result{}
		}
		p := w.start(spec(channel, nil))
		eventually(t, "it is noticed", func() bool { return p.Snapshot().Violations == 1 })
		w.feed("in").lines.Store(200)
		eventually(t, "the source is blocked", func() bool { h, _ := health(p, schema.Source, "in"); return h == "blocked" })
		if _, why := health(p, schema.Source, "in"); !strings.Contains(why, "done twice") || p.Snapshot().State != "blocked" {
			t.Errorf("why: %s", why)
		}
		if n := len(w.target("out").lines()); n == 200 {
			t.Error("it went on as if nothing had been")
		}
		w.drain(p, time.Second)
		w.pool = flow.NewPool(8 << 20)
		p = w.start(spec(channel, nil))
		all := numbers(0, 200)
		eventually(t, "all is delivered", func() bool {
			got := w.target("out").lines()
			slices.Sort(got)
			return len(slices.Compact(got)) == len(all)
		})
		w.drain(p, time.Second)
	})
}
