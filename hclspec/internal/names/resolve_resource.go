package names

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// resolveResource finds topic.NAME or agent.NAME.
func (ns *Names) resolveResource(t hcl.Traversal, all map[string]*Resource, n *Inputs) bool {
	root := t.RootName()
	name, static := "", false
	if len(t) > 1 {
		name, static = ref.StepName(t[1])
	}
	if !static {
		return ns.resolveAll(t, all, n)
	}
	r := all[name]
	if r == nil {
		ns.Fail(t.SourceRange(), "Undeclared "+root, "No %s block declares %q.%s", root, name, diag.DidYouMean(name, sorted.Keys(all), root+".%s"))
		return false
	}
	v, ok := r.get(ns)
	if !ok {
		return false
	}
	if !ns.checkResourceSteps(t, r, v) {
		return false
	}
	if n.Plain {
		if x, ok := follow(v, t[2:]); ok {
			n.Refs = append(n.Refs, x)
		}
		v = r.withoutRefs(v)
	}
	n.put(root, name, v)
	return true
}

// follow walks the steps of a reference until a reference value is met.
func follow(v cty.Value, steps []hcl.Traverser) (*ref.Ref, bool) {
	for {
		if r, ok := ref.Of(v); ok && (r.Kind != schema.Agent || len(steps) == 0) {
			return r, true
		}
		if len(steps) == 0 || !v.IsKnown() || v.IsNull() {
			return nil, false
		}
		next, diags := hcl.Traversal{steps[0]}.TraverseRel(v)
		if diags.HasErrors() {
			return nil, false
		}
		v, steps = next, steps[1:]
	}
}

// resolveAll gives every topic or agent, for references with a computed name.
func (ns *Names) resolveAll(t hcl.Traversal, all map[string]*Resource, n *Inputs) bool {
	root := t.RootName()
	if n.Plain {
		ns.Fail(t.SourceRange(), "Reference depends on the event", "Which %s is meant must be known before anything runs: write %s.NAME.", root, root)
		return false
	}
	memo := &ns.memos.topics
	if root == "agent" {
		memo = &ns.memos.agents
	}
	if *memo == cty.NilVal {
		m := make(map[string]cty.Value, len(all))
		for _, name := range sorted.Keys(all) {
			v, ok := all[name].get(ns)
			if !ok {
				return false
			}
			m[name] = v
		}
		*memo = cty.ObjectVal(m)
	}
	n.putWhole(root, *memo)
	return true
}

// checkResourceSteps checks the instance key and the attribute of a reference.
func (ns *Names) checkResourceSteps(t hcl.Traversal, r *Resource, v cty.Value) bool {
	steps := t[2:]
	if r.Unknown || len(steps) == 0 {
		return true
	}
	index, isIndex := steps[0].(hcl.TraverseIndex)
	if !r.Each && !r.Counted {
		if isIndex {
			ns.Fail(steps[0].SourceRange(), "Unknown instance", "%s has neither count nor for_each: write it without %s.", r.Address(), ref.KeyText(index.Key))
			return false
		}
		return ns.checkSteps(r.Address(), v, steps)
	}
	arg, form := "for_each", r.Address()+"[\"KEY\"]"
	if r.Counted {
		arg, form = "count", r.Address()+"[0]"
	}
	if !isIndex {
		if _, splat := steps[0].(hcl.TraverseSplat); splat {
			return true
		}
		ns.Fail(steps[0].SourceRange(), "Missing instance key", "%s has %s, so one of its instances is written %s%s.", r.Address(), arg, form, ref.TraversalText(steps))
		return false
	}
	if r.Counted && v.HasIndex(index.Key).False() || r.Each && (index.Key.Type() != cty.String || !v.Type().HasAttribute(index.Key.AsString())) {
		var keys []string
		for _, inst := range r.insts {
			keys = append(keys, ref.KeyText(inst.key))
		}
		ns.Fail(steps[0].SourceRange(), "Unknown instance", "%s has no instance %s.%s", r.Address(), ref.KeyText(index.Key), diag.DidYouMean(ref.KeyText(index.Key), keys, r.Address()+"%s"))
		return false
	}
	x, diags := hcl.Traversal{index}.TraverseRel(v)
	if diags.HasErrors() {
		return true
	}
	return ns.checkSteps(r.Address()+ref.KeyText(index.Key), x, steps[1:])
}
