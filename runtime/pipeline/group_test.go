package pipeline

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

func group(strategy string, more schema.Config) func(*schema.AgentSpec) {
	return func(s *schema.AgentSpec) {
		s.Sinks = []schema.SinkSpec{{Type: "fake", Name: "a"}, {Type: "fake", Name: "b"}}
		set := schema.Config{"strategy": strategy, "backoff": map[string]any{"initial": "1s", "max": "10s"}}
		for k, v := range more {
			set[k] = v
		}
		s.Groups = []schema.GroupSpec{{Name: "g", Channel: "c", Sinks: []string{"a", "b"}, Settings: set}}
	}
}

func TestFailoverUsesTheSecondWhileTheFirstIsAwayAndReturns(t *testing.T) {
	each(t, func(t *testing.T, channel string, w *world) {
		f := w.feed("in")
		f.lines.Store(30)
		var away atomic.Bool
		away.Store(true)
		w.target("a").write = func([]string) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}
		p := w.start(spec(channel, group("failover", nil)))
		eventually(t, "the second takes it", func() bool { return len(w.target("b").lines()) == 30 })
		away.Store(false)
		time.Sleep(time.Minute) // longer than the longest pause
		f.lines.Store(60)
		eventually(t, "the first has it back", func() bool { return len(w.target("a").lines()) == 30 })
		w.drain(p, time.Second)
		if d := cmp.Diff(numbers(30, 60), w.target("a").lines()); d != "" {
			t.Errorf("first (-want +got):\n%s", d)
		}
	})
}

func TestLoadBalanceSharesTheBatches(t *testing.T) {
	for _, policy := range []string{"round_robin", "random"} {
		each(t, func(t *testing.T, channel string, w *world) {
			w.feed("in").lines.Store(400)
			p := w.start(spec(channel, group("load_balance", schema.Config{"policy": policy})))
			eventually(t, "all is delivered", func() bool {
				return len(w.target("a").lines())+len(w.target("b").lines()) == 400
			})
			w.drain(p, time.Second)
			a, b := w.target("a").lines(), w.target("b").lines()
			if policy == "round_robin" && len(a) != 200 || len(a) < 100 || len(b) < 100 {
				t.Errorf("%s: %d and %d", policy, len(a), len(b))
			}
			all := slices.Sorted(slices.Values(append(a, b...)))
			if d := cmp.Diff(slices.Sorted(slices.Values(numbers(0, 400))), all); d != "" {
				t.Errorf("together (-want +got):\n%s", d)
			}
		})
	}
}

func TestReplicateGivesEachMemberEverythingAtItsOwnPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.feed("in").lines.Store(50)
		var away atomic.Bool
		away.Store(true)
		w.target("b").write = func([]string) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}
		p := w.start(spec("memory", group("replicate", nil)))
		eventually(t, "the first has all", func() bool { return len(w.target("a").lines()) == 50 })
		if len(w.feed("in").outcomes()) != 0 {
			t.Error("acknowledged before the second has it")
		}
		away.Store(false)
		eventually(t, "the second has all", func() bool { return len(w.target("b").lines()) == 50 })
		w.drain(p, time.Second)
		for _, name := range []string{"a", "b"} {
			if d := cmp.Diff(numbers(0, 50), w.target(name).lines()); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	})
}

func TestABatchOfUnknownFateWaitsForTheSameMember(t *testing.T) {
	for name, back := range map[string]bool{"it comes back in time": true, "it stays away": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, channel string, w *world) {
				w.feed("in").lines.Store(10)
				start := time.Now()
				w.target("a").answer = func(*flow.Batch, []string) flow.Result {
					if back && time.Since(start) > 5*time.Second {
						return flow.Result{}
					}
					return flow.Result{Err: errors.New("no answer"), Unknown: true}
				}
				p := w.start(spec(channel, group("failover", schema.Config{"sticky": "20s"})))
				want := "b"
				if back {
					want = "a"
				}
				eventually(t, "it is delivered", func() bool { return len(w.target(want).lines()) == 10 })
				if d := time.Since(start); !back && d < 20*time.Second {
					t.Errorf("re-routed after %v", d)
				}
				w.drain(p, time.Second)
				dup := int64(0)
				for _, c := range p.Snapshot().Components {
					if c.Kind == schema.SinkGroup {
						dup = c.Duplicates
					}
				}
				if back != (dup == 0) {
					t.Errorf("possible duplicates by re-routing: %d", dup)
				}
			})
		})
	}
}
