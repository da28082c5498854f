package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/planner/state"
)

// world is a reality in memory: what exists, by address, with its version. It is what fake kinds read and change.
type world struct {
	mu      sync.Mutex // guards all that follows
	things  map[string]thing
	log     []string // "create agent.a", in the order of their ends
	fail    map[string]error
	kill    int // this many more changes happen; then the process is gone. Negative: never
	reads   int
	broken  error
	stopped bool // the development broker: its topics cannot be read
	running int
	most    int
	gate    func(address string)
}

type thing struct {
	kind  string
	value any
	id    string
}

func newWorld() *world { return &world{things: map[string]thing{}, fail: map[string]error{}, kill: -1} }

var errKilled = errors.New("killed")

// fakeKind is a kind of objects in a world. An object's wanted value is Want["value"].
type fakeKind struct {
	name string
	w    *world
}

func (w *world) kinds() []resource.Kind {
	return []resource.Kind{&fakeKind{KindBroker, w}, &fakeKind{KindTopic, w}, &fakeKind{KindAgent, w}}
}

func (k *fakeKind) Name() string { return k.name }

func (k *fakeKind) Read(_ context.Context, want []*resource.Object, known []*resource.Known) ([]*resource.Live, error) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.reads++
	if k.w.broken != nil {
		return nil, k.w.broken
	}
	asked := map[string]bool{}
	for _, o := range want {
		asked[o.Address] = true
	}
	for _, n := range known {
		asked[n.Address] = true
	}
	var out []*resource.Live
	for _, a := range slices.Sorted(maps.Keys(k.w.things)) {
		t := k.w.things[a]
		if t.kind != k.name || k.name == KindTopic && !asked[a] { // undeclared topics are nobody's business; agents are found by themselves
			continue
		}
		if k.w.stopped && k.name == KindTopic {
			out = append(out, &resource.Live{Address: a, Unread: "connection refused"})
			continue
		}
		out = append(out, &resource.Live{Address: a, Have: map[string]any{"value": t.value}, Basis: fmt.Sprint(t.value, t.id), Identity: map[string]string{"id": t.id}})
	}
	return out, nil
}

func (k *fakeKind) Diff(_ context.Context, want *resource.Object, live *resource.Live, known *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	c := &resource.Change{Action: resource.NoOp}
	switch {
	case want == nil && live == nil:
		return c, nil
	case want == nil && live.Unread != "":
		return nil, errors.New(live.Unread)
	case want == nil:
		c.Action, c.Before = resource.Delete, live.Have
		if k.name == KindTopic && (known == nil || known.Origin != resource.Created) {
			c.Action = resource.Forget
			if known == nil {
				c.Action = resource.NoOp
			}
		}
		if l, ok := live.Have["value"].(float64); ok && l >= 1000 {
			c.Loss = []resource.Loss{{Address: live.Address, Events: int64(l), What: "records"}}
		}
	case live != nil && live.Unread != "":
		return nil, errors.New(live.Unread)
	case live == nil:
		c.Action, c.After = resource.Create, want.Want
	case k.name == KindBroker && k.w.stopped:
		c.Action = resource.Start
	case live.Have["value"] != want.Want["value"]:
		if want.Want["value"] == "forbidden" {
			return nil, &resource.Problem{Summary: "Cannot become this", Detail: "Choose another value.", Path: "value"}
		}
		c.Action, c.Before, c.After = resource.Update, live.Have, want.Want
	case opt.Replace:
		c.Action = resource.Replace
	case k.name == KindTopic && known == nil:
		c.Action = resource.Adopt
	}
	return c, nil
}

func (k *fakeKind) Apply(_ context.Context, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	if g := k.w.gate; g != nil {
		k.w.note(1)
		g(c.Address)
		k.w.note(-1)
	}
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if k.w.kill == 0 {
		return nil, errKilled
	}
	if err := k.w.fail[c.Address]; err != nil {
		return nil, err
	}
	opt.Report(string(c.Action))
	known := &resource.Known{Origin: resource.Created}
	if c.Known != nil {
		known.Origin = c.Known.Origin
	}
	switch c.Action {
	case resource.Delete:
		delete(k.w.things, c.Address)
		known = nil
	case resource.Adopt:
		if c.Known == nil {
			known.Origin = resource.Adopted
		}
		known.Identity = map[string]string{"id": k.w.things[c.Address].id}
	case resource.Start:
		k.w.stopped = false
	case resource.Create, resource.Update, resource.Replace:
		k.w.things[c.Address] = thing{kind: k.name, value: want.Want["value"], id: fmt.Sprint(len(k.w.log))}
	}
	k.w.log = append(k.w.log, string(c.Action)+" "+c.Address)
	if k.w.kill > 0 {
		if k.w.kill--; k.w.kill == 0 {
			return nil, errKilled // it happened, and nobody could note it
		}
	}
	return known, nil
}

func (w *world) note(d int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running += d
	w.most = max(w.most, w.running)
}

// at gives the place of a line in the log, -1 where it is not.
func (w *world) at(line string) int { return slices.Index(w.log, line) }

// node is one object of a small configuration.
type node struct {
	address string
	value   any
	on      []string
	protect bool
}

// configOf makes a configuration of nodes. What an agent is stands in its settings' drain, which the kind compares.
func configOf(nodes ...node) *hclspec.Config {
	cfg := &hclspec.Config{Name: "test", NameDeclared: true, Root: "/conf", DataDir: "/data"}
	for i, n := range nodes {
		r := hcl.Range{Filename: "main.hcl", Start: hcl.Pos{Line: i + 1, Column: 1}, End: hcl.Pos{Line: i + 1, Column: 2}}
		life := hclspec.Lifecycle{PreventDestroy: n.protect}
		switch kindOfAddress(n.address) {
		case KindTopic:
			cfg.Topics = append(cfg.Topics, &hclspec.Topic{
				Address: n.address, Config: schema.Config{"value": n.value}, DependsOn: n.on, Lifecycle: life, Range: r, Ranges: map[string]hcl.Range{"value": r},
			})
		case KindAgent:
			cfg.Agents = append(cfg.Agents, &hclspec.Agent{
				Spec: schema.AgentSpec{Address: n.address, Settings: schema.Config{"value": n.value}}, DependsOn: n.on, Lifecycle: life, Ranges: map[string]hcl.Range{"": r},
			})
		}
	}
	return cfg
}

func kindOfAddress(a string) string {
	for i := range a {
		if a[i] == '.' {
			return a[:i]
		}
	}
	return a
}

// rig is an installation for tests.
type rig struct {
	t   testing.TB
	dir string
	w   *world

	agents func(settingsKind) resource.Kind // wraps the kind of agents
}

func newRig(t testing.TB) *rig {
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm" // thousands of records are synced, and no test here is about the disk
	}
	dir, err := os.MkdirTemp(base, "planner")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &rig{t: t, dir: dir, w: newWorld()}
}

func (r *rig) plan(cfg *hclspec.Config, o Options) (*Plan, hcl.Diagnostics) {
	st, err := state.Load(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	o.Now = time.Unix(1, 0)
	o.Installation = Installation{Name: cfg.Name, Root: cfg.Root, DataDir: r.dir, Machine: "m"}
	return New(context.Background(), cfg, st, r.wrapped(), o)
}

func (r *rig) mustPlan(cfg *hclspec.Config, o Options) *Plan {
	p, diags := r.plan(cfg, o)
	if diags.HasErrors() {
		r.t.Fatalf("plan: %v", diags)
	}
	return p
}

func (r *rig) apply(p *Plan, o ApplyOptions) *Applied {
	store, err := state.Open(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	defer store.Close()
	a, err := Apply(context.Background(), p, store, r.wrapped(), o)
	if err != nil {
		r.t.Fatalf("apply: %v", err)
	}
	return a
}

// wrapped lets agents' wanted value be found where the fake kind looks for it.
func (r *rig) wrapped() []resource.Kind {
	out := r.w.kinds()
	for i, k := range out {
		s := settingsKind{k.(*fakeKind)}
		if out[i] = s; r.agents != nil && s.name == KindAgent {
			out[i] = r.agents(s)
		}
	}
	return out
}

type settingsKind struct{ *fakeKind }

func flat(o *resource.Object) *resource.Object {
	if o == nil {
		return nil
	}
	if s, ok := o.Want["settings"].(map[string]any); ok {
		c := *o
		c.Want = s
		return &c
	}
	return o
}

func (k settingsKind) Diff(ctx context.Context, want *resource.Object, live *resource.Live, known *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	return k.fakeKind.Diff(ctx, flat(want), live, known, opt)
}

func (k settingsKind) Apply(ctx context.Context, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	return k.fakeKind.Apply(ctx, c, flat(want), opt)
}
