package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// resolveResource finds topic.NAME or agent.NAME.
func (l *loader) resolveResource(t hcl.Traversal, all map[string]*resource, n *names) bool {
	root := t.RootName()
	name, static := "", false
	if len(t) > 1 {
		name, static = stepName(t[1])
	}
	if !static {
		return l.resolveAll(t, all, n)
	}
	r := all[name]
	if r == nil {
		l.fail(t.SourceRange(), "Undeclared "+root, "No %s block declares %q.%s", root, name, diag.DidYouMean(name, sortedKeys(all), root+".%s"))
		return false
	}
	v, ok := r.get(l)
	if !ok {
		return false
	}
	if !l.checkResourceSteps(t, r, v) {
		return false
	}
	if n.plain {
		if x, ok := follow(v, t[2:]); ok {
			n.refs = append(n.refs, x)
		}
		v = r.withoutRefs(v)
	}
	n.put(root, name, v)
	return true
}

// follow walks the steps of a reference until a reference value is met.
func follow(v cty.Value, steps []hcl.Traverser) (*ref, bool) {
	for {
		if r, ok := refOf(v); ok && (r.Kind != schema.Agent || len(steps) == 0) {
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
func (l *loader) resolveAll(t hcl.Traversal, all map[string]*resource, n *names) bool {
	root := t.RootName()
	if n.plain {
		l.fail(t.SourceRange(), "Reference depends on the event", "Which %s is meant must be known before anything runs: write %s.NAME.", root, root)
		return false
	}
	memo := &l.memos.topics
	if root == "agent" {
		memo = &l.memos.agents
	}
	if *memo == cty.NilVal {
		m := make(map[string]cty.Value, len(all))
		for _, name := range sortedKeys(all) {
			v, ok := all[name].get(l)
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
func (l *loader) checkResourceSteps(t hcl.Traversal, r *resource, v cty.Value) bool {
	steps := t[2:]
	if r.unknown || len(steps) == 0 {
		return true
	}
	index, isIndex := steps[0].(hcl.TraverseIndex)
	if !r.each && !r.counted {
		if isIndex {
			l.fail(steps[0].SourceRange(), "Unknown instance", "%s has neither count nor for_each: write it without %s.", r.address(), keyText(index.Key))
			return false
		}
		return l.checkSteps(r.address(), v, steps)
	}
	arg, form := "for_each", r.address()+"[\"KEY\"]"
	if r.counted {
		arg, form = "count", r.address()+"[0]"
	}
	if !isIndex {
		if _, splat := steps[0].(hcl.TraverseSplat); splat {
			return true
		}
		l.fail(steps[0].SourceRange(), "Missing instance key", "%s has %s, so one of its instances is written %s%s.", r.address(), arg, form, traversalText(steps))
		return false
	}
	if r.counted && v.HasIndex(index.Key).False() || r.each && (index.Key.Type() != cty.String || !v.Type().HasAttribute(index.Key.AsString())) {
		var keys []string
		for _, inst := range r.insts {
			keys = append(keys, keyText(inst.key))
		}
		l.fail(steps[0].SourceRange(), "Unknown instance", "%s has no instance %s.%s", r.address(), keyText(index.Key), diag.DidYouMean(keyText(index.Key), keys, r.address()+"%s"))
		return false
	}
	x, diags := hcl.Traversal{index}.TraverseRel(v)
	if diags.HasErrors() {
		return true
	}
	return l.checkSteps(r.address()+keyText(index.Key), x, steps[1:])
}
