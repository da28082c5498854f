package agents

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// anOrphan reads an installation whose one agent does not run, and has an orphan and the rest of an attempt to drain it.
func anOrphan(t *testing.T, wanted bool) (*agentKind, *resource.Live) {
	t.Helper()
	w, k := newWorld(t)
	id := api.AgentID("agent.driver_info")
	dir := w.l.AgentDir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	spec := driver()
	spec.Channels[0].Type = "disk"
	for name, v := range map[string]any{
		"meta.json": api.AgentMeta{Address: "agent.driver_info", ID: id}, "spec.json": spec,
		api.LeftFile: []api.Orphan{{Channel: "old", Events: 12345, Bytes: 2202010}, {Channel: "stream", Events: 7}},
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want []*resource.Object
	if wanted {
		spec, err := tree(spec)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, &resource.Object{Address: "agent.driver_info", Want: spec})
	}
	lives, err := k.Read(t.Context(), want, nil)
	if err != nil || len(lives) != 2 || lives[1].Address != "agent.driver_info.channel.old" || lives[1].Part != "agent.driver_info" {
		t.Fatalf("got %+v %v", lives, err)
	}
	return k, lives[1]
}

func TestAnOrphanIsANoteUntilItsLossIsConfirmed(t *testing.T) {
	const address = "agent.driver_info.channel.old"
	k, live := anOrphan(t, true)
	c, err := k.Diff(t.Context(), nil, live, nil, resource.DiffOptions{})
	if err != nil || c.Action != resource.NoOp || len(c.Loss) != 0 ||
		c.Note != "orphan, 12,345 events (2.1 MiB) that no channel delivers; declare it again, or give them up with apply -confirm-loss="+address {
		t.Errorf("got %+v %v", c, err)
	}
	c, err = k.Diff(t.Context(), nil, live, nil, resource.DiffOptions{Confirmed: []string{address}})
	if err != nil || c.Action != resource.Delete || len(c.Loss) != 1 || c.Loss[0].Events != 12345 || c.Loss[0].Address != address {
		t.Errorf("confirmed: %+v %v", c, err)
	}
	for name, opt := range map[string]resource.DiffOptions{
		"another's loss": {Confirmed: []string{"agent.driver_info.channel.stream", "agent.driver_info"}},
		"destroy":        {Destroy: true, Confirmed: []string{address}}, // it goes with its agent, whose change names the loss
	} {
		if c, err := k.Diff(t.Context(), nil, live, nil, opt); err != nil || c.Action != resource.NoOp {
			t.Errorf("%s: %+v %v", name, c, err)
		}
	}
	k, live = anOrphan(t, false)
	if c, err := k.Diff(t.Context(), nil, live, nil, resource.DiffOptions{Confirmed: []string{address}}); err != nil || c.Action != resource.NoOp || c.Note != "" {
		t.Errorf("its agent goes: %+v %v", c, err)
	}
}

func TestGivingUpAnOrphanNamesTheFigureThatWasShown(t *testing.T) {
	w, k := newWorld(t)
	c := &resource.Change{Address: "agent.a.channel.old", Action: resource.Delete, Detail: map[string]any{detailID: "x", detailOrphan: "old"}}
	var out told
	opt := out.options()
	opt.Confirmed = map[string]int64{"agent.a.channel.old": 12345, "agent.a.channel.c": 7}
	if known, err := k.Apply(t.Context(), c, nil, opt); err != nil || known != nil {
		t.Fatalf("%v %v", known, err)
	}
	if len(w.given) != 1 || w.given[0] != (api.DiscardRequest{Channel: "old", Events: 12345}) || len(w.stops) != 0 {
		t.Errorf("asked %+v, stopped %+v", w.given, w.stops)
	}
	if s := strings.Join(out.lines, "\n"); !strings.Contains(s, "giving up 12,345 events") {
		t.Errorf("told %s", s)
	}
}

// What cannot be read is an error of the plan: it is not taken for absent.
func TestAnAgentThatCannotBeReadIsAnError(t *testing.T) {
	w, k := newWorld(t)
	dir := w.l.AgentDir("x")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if lives, err := k.Read(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "agents/x") || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v %v", lives, err)
	}
}
