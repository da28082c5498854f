package topic

import (
	"strings"
	"sync"
	"testing"

	"collect/planner/resource"
)

// grown makes a topic, plans to delete it while agents write to it, and lets it grow after that.
func grown(t *testing.T, writers ...string) (*world, *resource.Change, map[string]int64) {
	t.Helper()
	w := newWorld(t, broker(t, "c"))
	w.must(w.object("t", nil), "", resource.Create)
	w.produce("t", 5)
	ch, err := w.plan(nil, "topic.t")
	if err != nil || len(ch.Loss) != 1 || ch.Loss[0].Events != 5 {
		t.Fatalf("%+v %v", ch, err)
	}
	ch.Loss[0].Writers = writers
	w.produce("t", 2)
	return w, ch, map[string]int64{"topic.t": 5}
}

func TestWhatAgentsOfThePlanWroteUntilTheyStoppedIsNoSurprise(t *testing.T) {
	t.Parallel()
	w, ch, confirmed := grown(t, "agent.a")
	if _, err := w.kind.Apply(t.Context(), ch, nil, resource.ApplyOptions{Confirmed: confirmed}); err != nil {
		t.Fatal(err)
	}
	if ch, err := w.plan(nil, "topic.t"); err != nil || ch != nil {
		t.Errorf("after delete: %+v %v", ch, err)
	}
}

func TestWhatSomebodyElseWroteIsASurprise(t *testing.T) {
	t.Parallel()
	w, ch, confirmed := grown(t)
	_, err := w.kind.Apply(t.Context(), ch, nil, resource.ApplyOptions{Confirmed: confirmed})
	if err == nil || !strings.Contains(err.Error(), "holds 7 records, and the loss of 5 was confirmed") {
		t.Errorf("got %v", err)
	}
}

func TestATopicThatGrowsAfterItsAgentsHaveStoppedIsNotDeleted(t *testing.T) {
	t.Parallel()
	w, ch, confirmed := grown(t, "agent.a")
	end := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				w.produce("t", 1)
			}
		}
	})
	_, err := w.kind.Apply(t.Context(), ch, nil, resource.ApplyOptions{Confirmed: confirmed})
	close(end)
	other.Wait()
	if err == nil || !strings.Contains(err.Error(), "somebody else writes to it") {
		t.Errorf("got %v", err)
	}
	if ch, err := w.plan(nil, "topic.t"); err != nil || ch == nil {
		t.Errorf("it was deleted: %+v %v", ch, err)
	}
}
