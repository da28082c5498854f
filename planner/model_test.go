package planner

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"collect/planner/resource"
	"collect/planner/state"
)

// drawConfig draws a small configuration: topics, and agents that use topics and send to each other, also in circles.
func drawConfig(t *rapid.T, label string) []node {
	var nodes []node
	topics := rapid.IntRange(0, 3).Draw(t, label+" topics")
	agents := rapid.IntRange(0, 5).Draw(t, label+" agents")
	for i := range topics {
		nodes = append(nodes, node{address: fmt.Sprintf("topic.t%d", i), value: float64(rapid.IntRange(1, 3).Draw(t, "value"))})
	}
	for i := range agents {
		n := node{address: fmt.Sprintf("agent.a%d", i), value: float64(rapid.IntRange(1, 3).Draw(t, "value"))}
		for j := range topics {
			if rapid.Bool().Draw(t, "uses") {
				n.on = append(n.on, fmt.Sprintf("topic.t%d", j))
			}
		}
		for j := range agents {
			if i != j && rapid.IntRange(0, 3).Draw(t, "sends") == 0 {
				n.on = append(n.on, fmt.Sprintf("agent.a%d", j))
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// TestModel draws configurations that follow each other, with applies that are killed in the middle, and holds planner and
// world against what must always be true.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		defer os.RemoveAll(r.dir)
		foreign := thing{kind: KindTopic, value: 7.0, id: "foreign"}
		r.w.things["topic.not_declared"] = foreign
		for round := range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			nodes := drawConfig(rt, fmt.Sprint("round ", round))
			cfg := configOf(nodes...)
			destroy := rapid.IntRange(0, 5).Draw(rt, "destroy") == 0
			for r.w.kill = rapid.IntRange(1, 6).Draw(rt, "kill after"); ; r.w.kill = -1 {
				p, diags := r.plan(cfg, Options{Destroy: destroy})
				if diags.HasErrors() {
					rt.Fatalf("plan: %v", diags)
				}
				checkSteps(rt, p)
				r.w.log = nil
				a := r.apply(p, ApplyOptions{Parallelism: rapid.IntRange(1, 4).Draw(rt, "parallelism")})
				checkOrder(rt, r.w, nodes, destroy)
				if a.OK() {
					break
				}
				if r.w.kill < 0 {
					rt.Fatalf("apply without a kill: %+v", a.Results)
				}
			}
			checkWorld(rt, r, nodes, destroy)
			if p := r.mustPlan(cfg, Options{Destroy: destroy}); !p.Empty() {
				rt.Fatalf("plan after apply: %+v", p.Steps)
			}
			if r.w.things["topic.not_declared"] != foreign {
				rt.Fatal("something that nobody declared was touched")
			}
		}
	})
}

// checkSteps: each step comes after what it waits for, and there is a step for each change.
func checkSteps(rt *rapid.T, p *Plan) {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		for _, a := range s.After {
			if !seen[a] {
				rt.Fatalf("step %s stands before %s, which it waits for", s.Address, a)
			}
		}
		seen[s.Address] = true
	}
	if len(p.Steps) != len(p.Changes) {
		rt.Fatalf("%d steps for %d changes", len(p.Steps), len(p.Changes))
	}
}

// checkOrder: in what happened, makers follow what they need, and nothing goes before those that need it.
func checkOrder(rt *rapid.T, w *world, nodes []node, destroy bool) {
	for _, n := range nodes {
		for _, d := range n.on {
			needs, needed := w.at("create "+n.address), w.at("create "+d)
			if kindOfAddress(d) == KindTopic && needs >= 0 && needed > needs {
				rt.Fatalf("%s was created before %s: %v", n.address, d, w.log)
			}
			gone, user := w.at("delete "+d), w.at("delete "+n.address)
			if destroy && kindOfAddress(d) == KindTopic && gone >= 0 && user > gone {
				rt.Fatalf("%s was deleted before %s: %v", d, n.address, w.log)
			}
		}
	}
}

func checkWorld(rt *rapid.T, r *rig, nodes []node, destroy bool) {
	want := map[string]any{"topic.not_declared": 7.0}
	for _, n := range nodes {
		if !destroy {
			want[n.address] = n.value
		}
	}
	got := map[string]any{}
	for a, t := range r.w.things {
		got[a] = t.value
	}
	if !maps.Equal(got, want) {
		rt.Fatalf("the world holds %v, want %v", got, want)
	}
}

// A lost state never deletes a topic, and finds every agent.
func TestLostStateDeletesNothing(t *testing.T) {
	r := newRig(t)
	cfg := configOf(node{address: "topic.t", value: 1.0}, node{address: "agent.a", value: 1.0, on: []string{"topic.t"}})
	r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{})
	if err := os.Remove(filepath.Join(r.dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	p := r.mustPlan(cfg, Options{})
	if p.Differs() || p.Count().Adopt != 1 || !slices.Contains(p.Unchanged, "agent.a") {
		t.Fatalf("plan with a lost state: differs %v, %+v", p.Differs(), p.Changes)
	}
	r.apply(p, ApplyOptions{})
	r.apply(r.mustPlan(cfg, Options{Destroy: true}), ApplyOptions{})
	if _, there := r.w.things["topic.t"]; !there {
		t.Error("an adopted topic was deleted")
	}
	if _, there := r.w.things["agent.a"]; there {
		t.Error("the agent is still there")
	}
}

// A topic whose creation was begun by an apply that was killed is ours.
func TestKilledCreateIsStillOurs(t *testing.T) {
	r := newRig(t)
	cfg := configOf(node{address: "topic.t", value: 1.0})
	r.w.kill = 1
	if a := r.apply(r.mustPlan(cfg, Options{}), ApplyOptions{}); a.OK() {
		t.Fatal("the apply was not killed")
	}
	r.w.kill = -1
	st, err := state.Load(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if k := st.Known("topic.t"); k == nil || k.Origin != resource.Created || k.Intent != resource.Create {
		t.Fatalf("after a killed create: %+v", k)
	}
	p := r.mustPlan(cfg, Options{})
	if c := p.Change("topic.t"); p.Differs() || c == nil || c.Action != resource.Adopt || c.Known.Identity["id"] == "" {
		t.Fatalf("plan after it: %+v", p.Changes)
	}
	r.apply(p, ApplyOptions{})
	if p = r.mustPlan(cfg, Options{}); !p.Empty() {
		t.Fatalf("plan after the next apply: %+v", p.Changes)
	}
	r.apply(r.mustPlan(cfg, Options{Destroy: true}), ApplyOptions{})
	if len(r.w.things) > 0 {
		t.Errorf("left: %v", r.w.things)
	}
}

func TestTenThousandObjectsInAChain(t *testing.T) {
	var nodes []node
	for i := range 10_000 {
		n := node{address: fmt.Sprintf("agent.a%05d", i), value: 1.0}
		if i > 0 {
			n.on = []string{fmt.Sprintf("agent.a%05d", i-1)}
		}
		nodes = append(nodes, n)
	}
	r := newRig(t)
	p := r.mustPlan(configOf(nodes...), Options{})
	if len(p.Steps) != 10_000 || p.Steps[9_999].Address != "agent.a09999" {
		t.Fatalf("%d steps", len(p.Steps))
	}
	p = r.mustPlan(configOf(nodes...), Options{Targets: []string{"agent.a09999"}})
	if len(p.Steps) != 10_000 || p.Changes[0].Pulled != "agent.a09999" {
		t.Fatalf("%d steps with a target", len(p.Steps))
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, shape := range []string{"flat", "chain"} {
		b.Run(shape, func(b *testing.B) {
			var nodes []node
			for i := range 10_000 {
				n := node{address: fmt.Sprintf("agent.a%05d", i), value: 1.0}
				if i > 0 && shape == "chain" {
					n.on = []string{fmt.Sprintf("agent.a%05d", i-1)}
				}
				nodes = append(nodes, n)
			}
			cfg := configOf(nodes...)
			r := newRig(b)
			b.ReportAllocs()
			for b.Loop() {
				r.mustPlan(cfg, Options{})
			}
		})
	}
}
