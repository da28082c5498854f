package planner

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec"
	"collect/planner/resource"
	"collect/planner/state"
)

// pipe is a sender, a receiver and the topic that the receiver writes.
func pipe() []node {
	return []node{
		{address: "topic.t", value: 1.0},
		{address: "agent.sender", value: 1.0, on: []string{"agent.receiver"}},
		{address: "agent.receiver", value: 1.0, on: []string{"topic.t"}},
	}
}

func stepsOf(p *Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, string(s.Action)+" "+s.Address)
	}
	return out
}

func TestStepsFollowReferences(t *testing.T) {
	r := newRig(t)
	p := r.mustPlan(configOf(pipe()...), Options{})
	want := []string{"create topic.t", "create agent.receiver", "create agent.sender"}
	if diff := cmp.Diff(want, stepsOf(p)); diff != "" {
		t.Errorf("first plan (-want +got):\n%s", diff)
	}
	r.apply(p, ApplyOptions{Parallelism: 1})

	p = r.mustPlan(configOf(pipe()...), Options{Destroy: true})
	want = []string{"delete agent.sender", "delete agent.receiver", "delete topic.t"}
	if diff := cmp.Diff(want, stepsOf(p)); diff != "" {
		t.Errorf("destroy (-want +got):\n%s", diff)
	}
	if !p.Steps[0].First || !p.Steps[1].First || p.Steps[2].First {
		t.Errorf("agents go first, topics do not: %+v", p.Steps)
	}

	// Another sender takes over, and writes the topic itself: the old agents' ends do not wait for it, the receiver's waits for the old sender's.
	p = r.mustPlan(configOf(node{address: "topic.t", value: 1.0}, node{address: "agent.new", value: 1.0, on: []string{"topic.t"}}), Options{})
	want = []string{"create agent.new", "delete agent.sender", "delete agent.receiver"}
	if diff := cmp.Diff(want, stepsOf(p)); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	r.apply(p, ApplyOptions{Parallelism: 1})
	want = []string{"delete agent.sender", "delete agent.receiver", "create agent.new"}
	if diff := cmp.Diff(want, r.w.log[len(r.w.log)-3:]); diff != "" {
		t.Errorf("order of work (-want +got):\n%s", diff)
	}
}

func TestReceiverLeavesAfterItsSenderWasChanged(t *testing.T) {
	r := newRig(t)
	r.apply(r.mustPlan(configOf(pipe()...), Options{}), ApplyOptions{})
	r.w.log = nil
	cfg := configOf(node{address: "topic.t", value: 1.0}, node{address: "agent.sender", value: 2.0, on: []string{"topic.t"}})
	r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{})
	if diff := cmp.Diff([]string{"update agent.sender", "delete agent.receiver"}, r.w.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDevelopmentBrokerComesFirstAndGoesLast(t *testing.T) {
	cfg := configOf(pipe()...)
	cfg.Providers = []*hclspec.Provider{{Type: "kafka", Development: true}}
	r := newRig(t)
	p := r.mustPlan(cfg, Options{})
	if got := stepsOf(p); got[0] != "create kafka.development_broker" || len(got) != 4 {
		t.Errorf("steps: %v", got)
	}
	r.apply(p, ApplyOptions{})
	r.w.log = nil
	r.apply(r.mustPlan(cfg, Options{Destroy: true}), ApplyOptions{})
	if got := r.w.log; len(got) != 4 || got[3] != "delete kafka.development_broker" {
		t.Errorf("destroyed: %v", got)
	}
}

func TestAStoppedBrokerIsStartedBeforeItsTopicsAreCompared(t *testing.T) {
	cfg := configOf(pipe()...)
	cfg.Providers = []*hclspec.Provider{{Type: "kafka", Development: true}}
	r := newRig(t)
	r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{})
	r.w.stopped = true
	p := r.mustPlan(cfg, Options{Destroy: true})
	want := []string{"delete agent.sender", "delete agent.receiver", "delete kafka.development_broker", "forget topic.t"}
	got := stepsOf(p)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("destroy (-want +got):\n%s", diff)
	}
	p = r.mustPlan(cfg, Options{})
	if diff := cmp.Diff([]string{"start kafka.development_broker"}, stepsOf(p)); diff != "" || len(p.Warnings) != 1 {
		t.Errorf("plan (-want +got):\n%s%v", diff, p.Warnings)
	}
	r.apply(p, ApplyOptions{})
	if p = r.mustPlan(cfg, Options{}); !p.Empty() {
		t.Errorf("after the start: %v", stepsOf(p))
	}
}

func TestSelection(t *testing.T) {
	instances := append(pipe(), node{address: `agent.many["1"]`, value: 1.0}, node{address: `agent.many["2"]`, value: 1.0})
	tests := map[string]struct {
		opt  Options
		want []string
		err  string
	}{
		"a target pulls in what it refers to":           {opt: Options{Targets: []string{"agent.receiver"}}, want: []string{"create topic.t", "create agent.receiver"}},
		"a target means all instances":                  {opt: Options{Targets: []string{"agent.many"}}, want: []string{`create agent.many["1"]`, `create agent.many["2"]`}},
		"a target may be one instance":                  {opt: Options{Targets: []string{`agent.many["2"]`}}, want: []string{`create agent.many["2"]`}},
		"an exclusion takes what refers to it along":    {opt: Options{Excludes: []string{"agent.receiver", "agent.many"}}, want: []string{"create topic.t"}},
		"a part of an object is no target":              {opt: Options{Targets: []string{"agent.sender.sink.k"}}, err: "is a part of agent.sender"},
		"an unknown target is an error with a guess":    {opt: Options{Targets: []string{"agent.recever"}}, err: "Did you mean agent.receiver?"},
		"target and exclude together are an error":      {opt: Options{Targets: []string{"topic.t"}, Excludes: []string{"agent.many"}}, err: "not both"},
		"an unknown address to replace is an error":     {opt: Options{Replace: []string{"agent.x"}}, err: "-replace=agent.x"},
		"a topic is not replaced":                       {opt: Options{Replace: []string{"topic.t"}}, err: "a topic has nothing that could be started again"},
		"what is left out is not replaced":              {opt: Options{Replace: []string{"agent.sender"}, Targets: []string{"topic.t"}}, err: "-replace=agent.sender: -target or -exclude"},
		"what is excluded is not replaced":              {opt: Options{Replace: []string{"agent.sender"}, Excludes: []string{"agent.sender"}}, err: "-replace=agent.sender: -target or -exclude"},
		"nothing is replaced while all is destroyed":    {opt: Options{Replace: []string{"agent.sender"}, Destroy: true}, err: "starts nothing again"},
		"-refresh=false leaves topics alone":            {opt: Options{NoRefresh: true, Targets: []string{"agent.receiver"}}, want: []string{"create agent.receiver"}},
		"a target in a destroy takes its users as well": {opt: Options{Destroy: true, Targets: []string{"topic.t"}}, want: nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, diags := newRig(t).plan(configOf(instances...), tt.opt)
			if tt.err != "" {
				if !strings.Contains(diags.Error(), tt.err) {
					t.Fatalf("got %v, want %q", diags, tt.err)
				}
				return
			}
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(tt.want, stepsOf(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTargetedDestroyTakesUsersAlong(t *testing.T) {
	r := newRig(t)
	r.apply(r.mustPlan(configOf(pipe()...), Options{}), ApplyOptions{})
	p := r.mustPlan(configOf(pipe()...), Options{Destroy: true, Targets: []string{"agent.receiver"}})
	if diff := cmp.Diff([]string{"delete agent.sender", "delete agent.receiver"}, stepsOf(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := p.Change("agent.sender"); c.Pulled != "agent.receiver" {
		t.Errorf("pulled by %q", c.Pulled)
	}
}

func TestProtectedObjectsAndWhatTheyNeedAreKept(t *testing.T) {
	nodes := pipe()
	nodes[2].protect = true
	r := newRig(t)
	r.apply(r.mustPlan(configOf(nodes...), Options{}), ApplyOptions{})

	p := r.mustPlan(configOf(nodes...), Options{Destroy: true})
	want := []Protected{{"topic.t", "agent.receiver needs it"}, {"agent.receiver", "prevent_destroy"}}
	if diff := cmp.Diff(want, p.Protected); diff != "" {
		t.Errorf("destroy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"delete agent.sender"}, stepsOf(p)); diff != "" {
		t.Errorf("destroy (-want +got):\n%s", diff)
	}

	// Taking the block away does not take the protection away; saying so does.
	p = r.mustPlan(configOf(nodes[0]), Options{})
	if len(p.Protected) != 1 || p.Protected[0].Address != "agent.receiver" {
		t.Errorf("block removed: protected %v", p.Protected)
	}
	nodes[2].protect = false
	r.apply(r.mustPlan(configOf(nodes...), Options{}), ApplyOptions{})
	if p = r.mustPlan(configOf(nodes...), Options{Destroy: true}); len(p.Protected) > 0 {
		t.Errorf("protection removed: protected %v", p.Protected)
	}
}

func TestProblemsHaveAPlace(t *testing.T) {
	r := newRig(t)
	r.apply(r.mustPlan(configOf(pipe()...), Options{}), ApplyOptions{})
	nodes := pipe()
	nodes[0].value = "forbidden"
	_, diags := r.plan(configOf(nodes...), Options{})
	if len(diags) != 1 || diags[0].Summary != "Cannot become this" || diags[0].Subject == nil || diags[0].Subject.Start.Line != 1 {
		t.Errorf("got %+v", diags)
	}
}

func TestAFailedReadIsAnErrorAndNeverAnAbsence(t *testing.T) {
	r := newRig(t)
	r.w.broken = errors.New("connection refused")
	p, diags := r.plan(configOf(pipe()...), Options{})
	if p != nil || !strings.Contains(diags.Error(), "Connection refused") && !strings.Contains(diags.Error(), "connection refused") {
		t.Errorf("plan %v, %v", p, diags)
	}
}

func TestOutputs(t *testing.T) {
	r := newRig(t)
	cfg := configOf()
	cfg.Outputs = []hclspec.Output{{Name: "a", Value: cty.StringVal("x")}, {Name: "secret", Value: cty.StringVal("hunter2"), Sensitive: true}}
	p := r.mustPlan(cfg, Options{})
	if p.Differs() || p.Empty() || p.Outputs[0].Action != resource.Create || p.Outputs[1].Value != nil {
		t.Errorf("outputs %+v", p.Outputs)
	}
	r.apply(p, ApplyOptions{})
	if p = r.mustPlan(cfg, Options{}); p.Differs() {
		t.Errorf("again: %+v", p.Outputs)
	}
	cfg.Outputs[0].Value = cty.NumberIntVal(3)
	if p = r.mustPlan(cfg, Options{}); !p.Differs() || p.Outputs[0].Action != resource.Update {
		t.Errorf("changed: %+v", p.Outputs)
	}
	cfg.Outputs = nil
	if p = r.mustPlan(cfg, Options{}); len(p.Outputs) != 2 || p.Outputs[0].Action != resource.Delete {
		t.Errorf("gone: %+v", p.Outputs)
	}
}

func TestFailedStepsSkipOnlyWhatNeedsThem(t *testing.T) {
	nodes := append(pipe(), node{address: "agent.other", value: 1.0})
	r := newRig(t)
	r.w.fail["agent.receiver"] = errors.New("port is taken")
	a := r.apply(r.mustPlan(configOf(nodes...), Options{}), ApplyOptions{})
	got := map[string]string{}
	for _, res := range a.Results {
		got[res.Address] = string(res.Outcome) + res.Err + res.Because
	}
	want := map[string]string{"topic.t": "done", "agent.receiver": "failedport is taken", "agent.sender": "skippedagent.receiver", "agent.other": "done"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delete(r.w.fail, "agent.receiver")
	p := r.mustPlan(configOf(nodes...), Options{})
	if diff := cmp.Diff([]string{"create agent.receiver", "create agent.sender"}, stepsOf(p)); diff != "" {
		t.Errorf("next plan (-want +got):\n%s", diff)
	}
}

func TestParallelismIsBounded(t *testing.T) {
	var nodes []node
	for _, c := range "abcdefgh" {
		nodes = append(nodes, node{address: "agent." + string(c), value: 1.0})
	}
	r := newRig(t)
	var wg sync.WaitGroup
	wg.Add(3)
	// The first three wait for each other: with fewer at the same time this would not end.
	r.w.gate = func(a string) {
		if a < "agent.d" {
			wg.Done()
			wg.Wait()
		}
	}
	r.apply(r.mustPlan(configOf(nodes...), Options{}), ApplyOptions{Parallelism: 3})
	if r.w.most != 3 {
		t.Errorf("%d steps ran at the same time, want 3", r.w.most)
	}
}

func TestLossNeedsConfirmation(t *testing.T) {
	r := newRig(t)
	cfg := configOf(node{address: "agent.a", value: 1200.0})
	r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{})
	p := r.mustPlan(cfg, Options{Destroy: true})
	store, err := state.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = Apply(t.Context(), p, store, r.wrapped(), ApplyOptions{})
	var open *UnconfirmedError
	if !errors.As(err, &open) || !strings.Contains(err.Error(), "1200 records in agent.a would be lost: confirm with -confirm-loss=agent.a") {
		t.Fatalf("got %v", err)
	}
	if len(r.w.things) != 1 {
		t.Fatal("something was destroyed")
	}
	confirmed, left := p.Confirm([]string{"agent.a"})
	if len(left) > 0 || confirmed["agent.a"] != 1200 {
		t.Fatalf("confirmed %v, open %v", confirmed, left)
	}
	if a, err := Apply(t.Context(), p, store, r.wrapped(), ApplyOptions{Confirmed: confirmed}); err != nil || !a.OK() {
		t.Fatalf("%+v, %v", a, err)
	}
}

// While people read a plan, agents go on: what they still write to a topic until the plan has stopped them belongs to the loss.
func TestALossNamesTheAgentsThatAddToItUntilTheyStop(t *testing.T) {
	r := newRig(t)
	nodes := []node{
		{address: "topic.t", value: 1200.0},
		{address: "agent.changed", value: 1.0, on: []string{"topic.t"}},
		{address: "agent.gone", value: 1.0, on: []string{"topic.t"}},
		{address: "agent.other", value: 1.0},
	}
	r.apply(r.mustPlan(configOf(nodes...), Options{}), ApplyOptions{})
	p := r.mustPlan(configOf(node{address: "agent.changed", value: 2.0}, nodes[3]), Options{})
	want := []resource.Loss{{Address: "topic.t", Events: 1200, What: "records", Writers: []string{"agent.changed", "agent.gone"}}}
	if diff := cmp.Diff(want, p.Losses()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := p.Steps[len(p.Steps)-1]; s.Address != "topic.t" || !cmp.Equal(s.After, want[0].Writers) {
		t.Errorf("the last step is %+v", s)
	}
	p = r.mustPlan(configOf(nodes...), Options{Destroy: true, Targets: []string{"topic.t"}})
	for _, l := range p.Losses() {
		if l.Address == "topic.t" && len(l.Writers) > 0 && len(p.Steps) == 1 {
			t.Errorf("agents that stay are no excuse: %+v", l)
		}
	}
}

func TestReplaceKeepsOthersAlone(t *testing.T) {
	r := newRig(t)
	r.apply(r.mustPlan(configOf(pipe()...), Options{}), ApplyOptions{})
	p := r.mustPlan(configOf(pipe()...), Options{Replace: []string{"agent.sender"}})
	if diff := cmp.Diff([]string{"replace agent.sender"}, stepsOf(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := p.Count(); n.Change != 1 || n.Add+n.Destroy != 0 {
		t.Errorf("count %+v", n)
	}
	check := func() error {
		st, err := state.Load(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		return CheckBasis(t.Context(), p, st, r.wrapped())
	}
	if err := check(); err != nil {
		t.Errorf("before it is carried out: %v", err)
	}
	r.apply(p, ApplyOptions{})
	var stale *StaleError
	if err := check(); !errors.As(err, &stale) {
		t.Errorf("a saved plan starts an agent again only once, got %v", err)
	}
}

func TestUndeclaredKindIsAnError(t *testing.T) {
	cfg := configOf(node{address: "topic.t", value: 1.0})
	_, diags := New(t.Context(), cfg, state.New(), nil, Options{})
	if !slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary == "Unknown kind of object" }) {
		t.Errorf("got %v", diags)
	}
}
