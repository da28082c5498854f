package topic

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/planner/resource"
	"collect/testdata/servertest"
)

// life is the whole life of a topic; it runs against kfake and against a real Kafka.
func life(t *testing.T, addr string) {
	t.Parallel()
	w := newWorld(t, addr)
	ch := w.must(w.object("life", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "60000", "cleanup.policy": "compact,delete"}}), "", resource.Create)
	want := []string{"create partitions <nil> -> 2", "create config.cleanup.policy <nil> -> compact,delete", "create config.retention.ms <nil> -> 60000"}
	if diff := cmp.Diff(want, paths(ch)); diff != "" {
		t.Error(diff)
	}
	w.must(w.object("life", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "60000", "cleanup.policy": "delete, compact"}}), "", resource.NoOp)

	grown := w.object("life", map[string]any{"partitions": 4.0, "config": map[string]any{"retention.ms": "70000"}})
	ch = w.must(grown, "", resource.Update)
	got := paths(ch)
	if len(got) != 3 || got[0] != "update partitions 2 -> 4" || got[1] != "update config.retention.ms 60000 -> 70000" || !strings.HasPrefix(got[2], "delete config.cleanup.policy compact,delete -> ") {
		t.Errorf("items %q", got)
	}
	if ch.Items[0].Note == "" || ch.Items[0].Place != "main.hcl:3" {
		t.Errorf("item %+v", ch.Items[0])
	}
	w.must(grown, "", resource.NoOp)

	for _, tc := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"partitions": 3.0}, "partitions can only grow (4 -> 3)"},
		{map[string]any{"partitions": 4.0, "replication_factor": 3.0}, "replication_factor cannot be changed (1 -> 3)"},
	} {
		_, err := w.plan(w.object("life", tc.config), "")
		var p *resource.Problem
		if !errors.As(err, &p) || p.Summary != tc.want || p.Path == "" || p.Detail == "" {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	renamed := w.object("other", nil)
	renamed.Address = "topic.life"
	if _, err := w.plan(renamed, ""); err == nil || !strings.Contains(err.Error(), "cannot be renamed") {
		t.Errorf("got %v", err)
	}

	w.produce("life", 5)
	ch, err := w.apply(nil, "topic.life", nil)
	if err == nil || !strings.Contains(err.Error(), "-confirm-loss=topic.life") {
		t.Errorf("got %v", err)
	}
	if len(ch.Loss) != 1 || ch.Loss[0].Events != 5 || ch.Loss[0].What != "records" {
		t.Errorf("loss %+v", ch.Loss)
	}
	if _, err := w.apply(nil, "topic.life", map[string]int64{"topic.life": 4}); err == nil || !strings.Contains(err.Error(), "plan again") {
		t.Errorf("got %v", err)
	}
	if _, err := w.apply(nil, "topic.life", map[string]int64{"topic.life": 5}); err != nil {
		t.Fatal(err)
	}
	if ch, err := w.plan(nil, "topic.life"); err != nil || ch != nil {
		t.Errorf("after delete: %+v %v", ch, err)
	}
}

func TestTheLifeOfATopic(t *testing.T)        { life(t, broker(t, "c")) }
func TestTheLifeOfATopicOnKafka(t *testing.T) { life(t, servertest.Kafka(t)) }

func TestATopicThatExistsIsAdoptedAndNeverDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	other := newWorld(t, w.addr)
	other.must(other.object("theirs", map[string]any{"partitions": 3.0}), "", resource.Create)
	mine := w.object("theirs", map[string]any{"partitions": 3.0})
	if ch := w.must(mine, "", resource.Adopt); ch.Reason == "" {
		t.Error("adoption is not explained")
	}
	w.must(mine, "", resource.NoOp)
	w.must(w.object("theirs", map[string]any{"partitions": 3.0, "config": map[string]any{"retention.ms": "1"}}), "", resource.Update)
	w.produce("theirs", 1)
	w.must(nil, "topic.theirs", resource.Forget)
	other.must(other.object("theirs", map[string]any{"partitions": 3.0}), "", resource.NoOp)
}

func TestDeletedStateAdoptsAndChangesInOneStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	w.must(w.object("t", map[string]any{"partitions": 1.0}), "", resource.Create)
	w.known = map[string]*resource.Known{}
	ch := w.must(w.object("t", map[string]any{"partitions": 2.0}), "", resource.Update)
	if !strings.Contains(ch.Reason, "adopted") || w.known["topic.t"].Origin != resource.Adopted {
		t.Errorf("%+v, %+v", ch, w.known["topic.t"])
	}
}

func TestATopicThatSomebodyMadeAnewIsNotDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", nil)
	w.must(o, "", resource.Create)
	planned, err := w.plan(nil, "topic.t")
	if err != nil || planned.Action != resource.Delete {
		t.Fatalf("%+v %v", planned, err)
	}
	other := newWorld(t, w.addr)
	other.known = map[string]*resource.Known{"topic.t": w.known["topic.t"]}
	other.must(nil, "topic.t", resource.Delete)
	other.must(o, "", resource.Create)
	if _, err := w.kind.Apply(t.Context(), planned, nil, resource.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("got %v", err)
	}
	w.must(nil, "topic.t", resource.Forget)
}

func TestApplyCanBeRepeatedAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", map[string]any{"partitions": 2.0, "config": map[string]any{"retention.ms": "5"}})
	ch, err := w.plan(o, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as if the first one was killed before state was written
		if _, err := w.kind.Apply(t.Context(), ch, o, resource.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.must(o, "", resource.Adopt)
}

func TestIgnoredChangesAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	w.must(w.object("t", map[string]any{"partitions": 3.0, "config": map[string]any{"retention.ms": "5"}}), "", resource.Create)
	o := w.object("t", map[string]any{"partitions": 1.0, "config": map[string]any{"retention.ms": "6"}})
	o.IgnoreChanges = []string{"partitions", "config.retention.ms"}
	w.must(o, "", resource.NoOp)
}

func TestManyTopicsAreReadInOneGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	var want []*resource.Object
	for i := range 20 {
		o := w.object(fmt.Sprintf("t%02d", i), nil)
		want = append(want, o)
		if i%2 == 0 {
			w.must(o, "", resource.Create)
		}
	}
	lives, err := w.kind.Read(t.Context(), want, nil)
	if err != nil || len(lives) != 10 {
		t.Errorf("%d topics, %v", len(lives), err)
	}
}
