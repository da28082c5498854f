package planner

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/planner/resource"
)

// partKind is a kind whose object agent.a has a part: stored events that only a confirmed loss removes.
type partKind struct {
	settingsKind
	gone bool
}

const partAddress = "agent.a.channel.old"

func (k *partKind) Read(ctx context.Context, want []*resource.Object, known []*resource.Known) ([]*resource.Live, error) {
	lives, err := k.settingsKind.Read(ctx, want, known)
	if !k.gone {
		lives = append(lives, &resource.Live{Address: partAddress, Part: "agent.a", Basis: "part"})
	}
	return lives, err
}

func (k *partKind) Diff(ctx context.Context, want *resource.Object, live *resource.Live, known *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	switch {
	case live == nil || live.Part == "":
		return k.settingsKind.Diff(ctx, want, live, known, opt)
	case slices.Contains(opt.Confirmed, live.Address):
		return &resource.Change{Action: resource.Delete, Loss: []resource.Loss{{Address: live.Address, Events: 5, What: "events waiting"}}}, nil
	}
	return &resource.Change{Action: resource.NoOp, Note: "5 events"}, nil
}

func (k *partKind) Apply(ctx context.Context, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	if c.Address == partAddress {
		k.gone = opt.Confirmed[partAddress] == 5
		return nil, nil
	}
	return k.settingsKind.Apply(ctx, c, want, opt)
}

func TestAPartIsANoteAndNoChangeUntilItsLossIsConfirmed(t *testing.T) {
	r := newRig(t)
	k := &partKind{}
	r.agents = func(s settingsKind) resource.Kind { k.settingsKind = s; return k }
	cfg := configOf(node{address: "agent.a", value: 1.0}, node{address: "agent.b", value: 1.0})
	note := []Note{{Address: partAddress, Text: "5 events"}}
	p := r.mustPlan(cfg, Options{})
	r.apply(p, ApplyOptions{})
	for name, tt := range map[string]struct {
		opt  Options
		want []Note
	}{
		"all":                    {Options{}, note},
		"its agent":              {Options{Targets: []string{"agent.a"}}, note},
		"another agent":          {Options{Targets: []string{"agent.b"}}, nil},
		"all but its agent":      {Options{Excludes: []string{"agent.a"}}, nil},
		"another's loss":         {Options{Confirmed: []string{"agent.a", "agent.b.channel.old"}}, note},
		"a loss out of the plan": {Options{Targets: []string{"agent.b"}, Confirmed: []string{partAddress}}, nil},
	} {
		p := r.mustPlan(cfg, tt.opt)
		if d := cmp.Diff(tt.want, p.Notes); d != "" || p.Differs() || !p.Empty() || slices.Contains(p.Unchanged, partAddress) {
			t.Errorf("%s: changes %+v, unchanged %v, notes (-want +got):\n%s", name, p.Changes, p.Unchanged, d)
		}
	}
	p = r.mustPlan(cfg, Options{Confirmed: []string{partAddress}})
	if d := cmp.Diff([]string{"delete " + partAddress}, stepsOf(p)); d != "" || len(p.Notes) != 0 || p.Count().Destroy != 1 {
		t.Fatalf("confirmed: %+v %s", p, d)
	}
	confirmed, open := p.Confirm([]string{partAddress})
	if len(open) > 0 {
		t.Fatalf("open: %v", open)
	}
	if a := r.apply(p, ApplyOptions{Confirmed: confirmed}); !a.OK() || !k.gone {
		t.Errorf("applied %+v", a)
	}
	if p := r.mustPlan(cfg, Options{Confirmed: []string{partAddress}}); !p.Empty() || len(p.Notes) != 0 {
		t.Errorf("afterwards: %+v", p)
	}
}
