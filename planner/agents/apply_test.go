package agents

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

func TestApplyWaitsUntilReadyAndWarnsOfSinks(t *testing.T) {
	w, k := newWorld(t)
	w.agent = api.Agent{Ready: true, Components: []api.Component{{Kind: schema.Sink, Type: "kafka", Name: "stream", Health: "retrying", LastError: "127.0.0.1:9: connection refused"}}}
	w.ending = 1 // the first supervisor is about to end: the next one is asked
	w.answer()
	o, c := w.object()
	var out told
	known, err := k.Apply(t.Context(), c, o, out.options())
	if err != nil {
		t.Fatal(err)
	}
	if known.Identity["id"] != "x" || known.Origin != resource.Created {
		t.Errorf("known %+v", known)
	}
	if len(w.starts) != 1 || w.starts[0].Secrets["p"] != "v" || w.starts[0].Meta.Address != o.Address || w.ensure != 2 {
		t.Errorf("starts %+v, supervisors %d", w.starts, w.ensure)
	}
	if len(out.lines) != 2 || out.lines[0] != "starting" || !strings.HasPrefix(out.lines[1], "ready") {
		t.Errorf("lines %q", out.lines)
	}
	if len(out.warns) != 1 || !strings.Contains(out.warns[0], "kafka.stream is retrying: 127.0.0.1:9: connection refused") {
		t.Errorf("warnings %q", out.warns)
	}
}

func TestASinkThatConnectsIsWaitedFor(t *testing.T) {
	w, k := newWorld(t)
	w.agent = api.Agent{Ready: true, Components: []api.Component{{Kind: schema.Sink, Type: "kafka", Name: "stream", Health: "waiting", Why: "connecting"}}}
	w.answer()
	object, c := w.object()
	var out told
	if _, err := k.Apply(t.Context(), c, object, out.options()); err != nil {
		t.Fatal(err)
	}
	if w.asked < 2 || len(out.warns) != 1 || !strings.Contains(out.warns[0], "kafka.stream is waiting: connecting") {
		t.Errorf("asked %d times, warnings %q", w.asked, out.warns)
	}
}

// An apply that waits says for what: without a word people take it for hung.
func TestWhatIsWaitedForIsSaid(t *testing.T) {
	w, k := newWorld(t)
	o := k.Options
	o.Wait = time.Hour
	k = Kinds(o)[1].(*agentKind)
	w.agent = api.Agent{Ready: true, Components: []api.Component{{Kind: schema.Sink, Type: "kafka", Name: "stream", Health: "retrying", LastError: "refused"}}}
	w.answer()
	object, c := w.object()
	var out told
	opt := out.options()
	report := opt.Report
	opt.Report = func(s string) {
		report(s)
		if s == "waiting for kafka.stream" { // then it connects
			w.mu.Lock()
			defer w.mu.Unlock()
			w.agent.Components = nil
		}
	}
	if _, err := k.Apply(t.Context(), c, object, opt); err != nil {
		t.Fatal(err)
	}
	if len(out.lines) != 4 || out.lines[2] != "waiting for kafka.stream" || !strings.HasPrefix(out.lines[3], "ready (") || len(out.warns) != 0 {
		t.Errorf("lines %q, warnings %q", out.lines, out.warns)
	}
}

func TestWithoutAWaitSinksAreLookedAtOnce(t *testing.T) {
	w, k := newWorld(t)
	o := k.Options
	o.Wait = 0
	k = Kinds(o)[1].(*agentKind)
	w.agent = api.Agent{Ready: true, Components: []api.Component{{Kind: schema.Sink, Type: "kafka", Name: "stream", Health: "retrying", LastError: "refused"}}}
	w.answer()
	object, c := w.object()
	var out told
	if _, err := k.Apply(t.Context(), c, object, out.options()); err != nil {
		t.Fatal(err)
	}
	if w.asked != 1 || len(out.warns) != 1 {
		t.Errorf("asked %d times, warnings %q", w.asked, out.warns)
	}
}

func TestAnAgentThatEndsAtOnceFailsTheStepWithItsCause(t *testing.T) {
	w, k := newWorld(t)
	dir := w.l.AgentDir("x")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent.log"), []byte("starting\nchannel c: disk is read-only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, c := w.object()
	var out told
	_, err := k.Apply(t.Context(), c, o, out.options())
	if err == nil || !strings.Contains(err.Error(), "exit status 1: channel c: disk is read-only") {
		t.Errorf("got %v", err)
	}
}

func TestAnAgentThatDoesNotBecomeReadyIsNotWaitedForEver(t *testing.T) {
	w, k := newWorld(t)
	k.Ready = 200 * time.Millisecond
	w.agent = api.Agent{NotReady: "source tail.log scans"}
	w.answer()
	o, c := w.object()
	for end := time.Now().Add(time.Minute); ; { // on a slow machine it does not even answer in that time
		var out told
		_, err := k.Apply(t.Context(), c, o, out.options())
		if err == nil {
			t.Fatal("an agent that is not ready was taken for ready")
		}
		if strings.Contains(err.Error(), "source tail.log scans") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestUndeliveredEventsAreNotDeletedUnasked(t *testing.T) {
	w, k := newWorld(t)
	w.stop = api.StopReply{Left: []api.Orphan{{Channel: "old", Events: 1204}, {Channel: "odd", Events: api.UnknownEvents}}}
	c := &resource.Change{Address: "agent.a", Action: resource.Delete, Detail: map[string]any{detailID: "x", detailDurable: true}}
	var out told
	_, err := k.Apply(t.Context(), c, nil, out.options())
	if err == nil || !strings.Contains(err.Error(), "1,204 events in channel.old") || !strings.Contains(err.Error(), "-confirm-loss=agent.a.channel.old") ||
		!strings.Contains(err.Error(), "an unknown number of events in channel.odd") {
		t.Errorf("got %v", err)
	}
	w.stop = api.StopReply{Removed: true}
	opt := out.options()
	opt.Confirmed = map[string]int64{"agent.a.channel.old": 1204, "agent.b.channel.c": 99}
	if known, err := k.Apply(t.Context(), c, nil, opt); err != nil || known != nil {
		t.Errorf("confirmed: %v %v", known, err)
	}
	if len(w.stops) != 2 || !w.stops[0].Empty || !w.stops[0].Keep || len(w.stops[0].Lose) != 0 || len(w.stops[1].Lose) != 1 || w.stops[1].Lose["old"] != 1204 {
		t.Errorf("asked %+v", w.stops)
	}
}

func TestAStartOfASavedPlanIsTheSame(t *testing.T) {
	w, k := newWorld(t)
	w.agent = api.Agent{Ready: true}
	w.answer()
	o, c := w.object()
	c.Action = resource.Update
	c.Detail = map[string]any{detailID: "x", detailRestart: true, detailDropped: anyList([]string{"old"})}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var saved resource.Change
	if err := json.Unmarshal(raw, &saved); err != nil {
		t.Fatal(err)
	}
	var out told
	opt := out.options()
	opt.Confirmed = map[string]int64{"agent.driver_info.channel.old": 5}
	if _, err := k.Apply(t.Context(), &saved, o, opt); err != nil {
		t.Fatal(err)
	}
	if !w.starts[0].Restart || w.starts[0].Lose["old"] != 5 {
		t.Errorf("asked %+v", w.starts)
	}
	if len(w.given) != 1 || w.given[0] != (api.DiscardRequest{Channel: "old", Events: 5}) {
		t.Errorf("given up %+v", w.given)
	}
}

func TestReadFindsAgentsThatNobodyWants(t *testing.T) {
	w, k := newWorld(t)
	id := api.AgentID("agent.driver_info")
	dir := w.l.AgentDir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"meta.json": api.AgentMeta{Address: "agent.driver_info", ID: id}, "spec.json": driver(), "desired": api.Desired{State: "running"}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lives, err := k.Read(t.Context(), nil, nil)
	if err != nil || len(lives) != 1 || lives[0].Basis != driver().Hash()+":"+id {
		t.Fatalf("got %+v %v", lives, err)
	}
	o, _ := w.object()
	c, err := k.Diff(t.Context(), o, lives[0], nil, resource.DiffOptions{})
	if err != nil || c.Action != resource.Start {
		t.Errorf("crashed: %+v %v", c, err)
	}
}

func TestFinishEndsASupervisorWithNothingToWatch(t *testing.T) {
	w, k := newWorld(t)
	lock, err := api.TakeLock(filepath.Join(w.l.Data, "supervisor.lock"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	k.end = 100 * time.Millisecond
	if err := k.Finish(t.Context(), true, resource.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("while it holds its lock: %v", err)
	}
	if err := lock.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := k.Finish(t.Context(), true, resource.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if len(w.modes) != 1 || w.modes[0] != api.Retire {
		t.Errorf("asked to %v", w.modes)
	}
}

func TestTheBrokerIsCreatedStartedAndDeleted(t *testing.T) {
	w, _ := newWorld(t)
	k := Kinds(Options{Layout: w.l})[0]
	want := &resource.Object{Address: BrokerAddress, Kind: "kafka", Want: map[string]any{}}
	diff := func(want *resource.Object) resource.Action {
		t.Helper()
		lives, err := k.Read(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var live *resource.Live
		if len(lives) > 0 {
			live = lives[0]
		}
		c, err := k.Diff(t.Context(), want, live, nil, resource.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Action
	}
	if got := diff(want); got != resource.Create {
		t.Errorf("nothing there: %s", got)
	}
	if err := os.MkdirAll(w.l.BrokerDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.l.BrokerDir(), "meta.json"), []byte(`{"port":4711}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := diff(want); got != resource.Start {
		t.Errorf("not running: %s", got)
	}
	lock, err := api.TakeLock(filepath.Join(w.l.BrokerDir(), "lock"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if got := diff(want); got != resource.NoOp {
		t.Errorf("running: %s", got)
	}
	if got := diff(nil); got != resource.Delete {
		t.Errorf("not wanted: %s", got)
	}
	if a, ok, err := DevelopmentBroker(w.l); a != "127.0.0.1:4711" || !ok || err != nil {
		t.Errorf("address %q %v %v", a, ok, err)
	}
	if _, err := k.Apply(t.Context(), &resource.Change{Action: "x"}, nil, resource.ApplyOptions{Report: func(string) {}}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("unknown action: %v", err)
	}
}
