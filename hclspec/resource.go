package hclspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/schema"
)

// resource is one topic or agent block, with all its instances.
type resource struct {
	kind  schema.Kind
	name  string
	block *hclsyntax.Block

	state   state
	each    bool // for_each
	counted bool // count
	unknown bool // the instances are not known (only with Partial)
	insts   []*instance

	valueState state
	value      cty.Value
	plain      cty.Value // without references
}

// instance is one topic or agent.
type instance struct {
	res     *resource
	key     cty.Value // NilVal without count and for_each
	addr    string
	sc      *scope
	ref     *ref
	phantom bool // stands for instances that are not known: it is checked and not part of the result

	early map[string]cty.Value // arguments of a topic that others have read

	state      state // of the components' names
	cont       *contents
	components []*component
	lacks      bool // components whose names are wrong: what follows from that is not told
	refs       map[schema.Kind]cty.Value
	srcState   state
	sources    cty.Value
}

func (r *resource) address() string { return string(r.kind) + "." + r.name }

// expand works out count and for_each.
func (r *resource) expand(l *loader) []*instance {
	switch r.state {
	case done, failed:
		return r.insts
	case running:
		l.cycle(r.address())
		r.state = failed
		return nil
	}
	if !l.enter(r.address(), r.block.DefRange()) {
		r.state = failed
		return nil
	}
	r.state = running
	r.makeInstances(l)
	l.leave()
	if r.state == running {
		r.state = done
	}
	return r.insts
}

func (r *resource) makeInstances(l *loader) {
	count, each := r.block.Body.Attributes["count"], r.block.Body.Attributes["for_each"]
	sc := &scope{label: r.label()}
	switch {
	case count != nil && each != nil:
		l.fail(each.NameRange, "count and for_each", "A block has count or for_each, not both.")
		r.state = failed
	case count != nil:
		r.counted = true
		r.countInstances(l, count, sc)
	case each != nil:
		r.each = true
		r.eachInstances(l, each, sc)
	default:
		r.add(cty.NilVal, &scope{label: r.label()})
	}
}

func (r *resource) label() string { return string(r.kind) + " " + quote(r.name) }

func (r *resource) add(key cty.Value, sc *scope) *instance {
	inst := &instance{res: r, key: key, addr: r.address(), sc: sc}
	if key != cty.NilVal {
		inst.addr += keyText(key)
	}
	inst.ref = &ref{Kind: r.kind, Addr: inst.addr, Local: inst.addr, Range: r.block.DefRange(), topic: inst}
	if r.kind == schema.Agent {
		sc.agent = inst
	}
	r.insts = append(r.insts, inst)
	return inst
}

const maxInstances = 100000

func (r *resource) countInstances(l *loader, a *hclsyntax.Attribute, sc *scope) {
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		r.state = failed
		return
	}
	if isSecret(v) {
		l.secretHere(a.Expr.Range(), "count")
		r.state = failed
		return
	}
	v, _ = v.Unmark()
	v, err := convert.Convert(v, cty.Number)
	if err == nil && !v.IsKnown() {
		r.addUnknown(l, &scope{label: r.label(), count: cty.ObjectVal(map[string]cty.Value{"index": cty.UnknownVal(cty.Number)})})
		return
	}
	n := int64(-1)
	if err == nil && !v.IsNull() && v.AsBigFloat().IsInt() {
		n, _ = v.AsBigFloat().Int64()
	}
	if n < 0 || n > maxInstances {
		l.fail(a.Expr.Range(), "Wrong type", "count must be a whole number from 0 to %d.", maxInstances)
		r.state = failed
		return
	}
	for i := range n {
		if !l.room(a.Expr.Range()) {
			r.state = failed
			return
		}
		idx := cty.NumberIntVal(i)
		r.add(idx, &scope{label: r.label(), count: cty.ObjectVal(map[string]cty.Value{"index": idx})})
	}
}

func (r *resource) addUnknown(l *loader, sc *scope) {
	l.cfg.Incomplete, r.unknown = true, true
	inst := r.add(cty.NilVal, sc)
	inst.phantom = true
}

func eachScope(label string, k, v cty.Value) *scope {
	return &scope{label: label, each: cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
}

// wrongKey says what is wrong with a key of for_each, after so many others; "" when it is right.
func wrongKey(k cty.Value, before int) string {
	switch {
	case k.IsNull():
		return "A key of for_each is null. Leave it out: [for k in … : k if k != null]."
	case k.Type() != cty.String:
		return "The keys of for_each are texts. Numbers become texts with [for n in … : tostring(n)]."
	case before >= maxInstances:
		return fmt.Sprintf("for_each has more than %d keys.", maxInstances)
	}
	return ""
}

func (r *resource) eachInstances(l *loader, a *hclsyntax.Attribute, sc *scope) {
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		r.state = failed
		return
	}
	if v.IsMarked() && isSecret(v) {
		l.secretHere(a.Expr.Range(), "for_each")
		r.state = failed
		return
	}
	v, _ = v.Unmark()
	t := v.Type()
	if !v.IsKnown() {
		r.addUnknown(l, eachScope(r.label(), cty.UnknownVal(cty.String), cty.DynamicVal))
		return
	}
	if v.IsNull() || !(t.IsMapType() || t.IsObjectType() || t.IsSetType()) {
		detail := "for_each takes a map or a set of texts, not " + describe(v) + "."
		if t.IsTupleType() || t.IsListType() {
			detail += " Write toset(…) around the list."
		}
		l.fail(a.Expr.Range(), "Wrong type", "%s", detail)
		r.state = failed
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if t.IsSetType() {
			k = x
		}
		k, _ = k.Unmark()
		if !k.IsKnown() {
			r.addUnknown(l, eachScope(r.label(), cty.UnknownVal(cty.String), cty.DynamicVal))
			continue
		}
		if what := wrongKey(k, len(r.insts)); what != "" {
			l.fail(a.Expr.Range(), "Wrong type", "%s", what)
			r.state = failed
			return
		}
		if !l.room(a.Expr.Range()) {
			r.state = failed
			return
		}
		r.add(k, eachScope(r.label(), k, x))
	}
}

// get gives the value that topic.NAME or agent.NAME has.
func (r *resource) get(l *loader) (cty.Value, bool) {
	switch r.valueState {
	case done:
		return r.value, true
	case failed:
		return cty.DynamicVal, false
	case running:
		l.cycle(r.address())
		return cty.DynamicVal, false
	}
	insts := r.expand(l)
	if r.state == failed || !l.enter(r.address(), r.block.DefRange()) {
		r.valueState = failed
		return cty.DynamicVal, false
	}
	r.valueState = running
	v, ok := r.compose(l, insts)
	l.leave()
	r.valueState = done
	if !ok {
		r.valueState = failed
	}
	r.value = v
	return v, ok
}

func (r *resource) compose(l *loader, insts []*instance) (cty.Value, bool) {
	if r.unknown {
		return cty.DynamicVal, true
	}
	if !r.each && !r.counted {
		return insts[0].get(l)
	}
	byKey := make(map[string]cty.Value, len(insts))
	list := make([]cty.Value, 0, len(insts))
	for _, inst := range insts {
		v, ok := inst.get(l)
		if !ok {
			return cty.DynamicVal, false
		}
		list = append(list, v)
		if r.each {
			byKey[inst.key.AsString()] = v
		}
	}
	if r.each {
		return cty.ObjectVal(byKey), true
	}
	return cty.TupleVal(list), true
}

// withoutRefs gives the value for expressions that are evaluated where references mean nothing.
func (r *resource) withoutRefs(v cty.Value) cty.Value {
	if r.plain == cty.NilVal {
		r.plain = stripRefs(v)
	}
	return r.plain
}

func stripRefs(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, x cty.Value) (cty.Value, error) {
		if !x.Type().IsObjectType() || !x.IsKnown() || x.IsNull() || !x.Type().HasAttribute(refAttr) {
			return x, nil
		}
		m := x.AsValueMap()
		delete(m, refAttr)
		return cty.ObjectVal(m), nil
	})
	if err != nil {
		return cty.DynamicVal
	}
	return out
}
