package names

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/ref"
	"collect/hclspec/schema"
)

// Resource is one topic or agent block, with all its instances.
type Resource struct {
	Kind  schema.Kind
	Name  string
	Block *hclsyntax.Block

	state   reading.State
	Each    bool // for_each
	Counted bool // count
	Unknown bool // the instances are not known (only with Partial)
	insts   []*Instance

	valueState reading.State
	value      cty.Value
	plain      cty.Value // without references
}

// Instance is one topic or agent.
type Instance struct {
	Resource *Resource
	key      cty.Value // NilVal without count and for_each
	Addr     string
	Scope    *Scope
	ref      *ref.Ref
	Phantom  bool // stands for instances that are not known: it is checked and not part of the result

	Early map[string]cty.Value // arguments of a topic that others have read

	State      reading.State // of the components' names
	Contents   *Contents
	Components []*Component
	Lacks      bool // components whose names are wrong: what follows from that is not told
	refs       map[schema.Kind]cty.Value
	srcState   reading.State
	sources    cty.Value
}

// Address is topic.NAME or agent.NAME, without an instance.
func (r *Resource) Address() string { return string(r.Kind) + "." + r.Name }

// Expand works out count and for_each.
func (r *Resource) Expand(ns *Names) []*Instance {
	switch r.state {
	case reading.Done, reading.Failed:
		return r.insts
	case reading.Running:
		ns.Cycle(r.Address())
		r.state = reading.Failed
		return nil
	}
	if !ns.Enter(r.Address(), r.Block.DefRange()) {
		r.state = reading.Failed
		return nil
	}
	r.state = reading.Running
	r.makeInstances(ns)
	ns.Leave()
	if r.state == reading.Running {
		r.state = reading.Done
	}
	return r.insts
}

func (r *Resource) makeInstances(ns *Names) {
	count, each := r.Block.Body.Attributes["count"], r.Block.Body.Attributes["for_each"]
	sc := &Scope{}
	switch {
	case count != nil && each != nil:
		ns.Fail(each.NameRange, "count and for_each", "A block has count or for_each, not both.")
		r.state = reading.Failed
	case count != nil:
		r.Counted = true
		r.countInstances(ns, count, sc)
	case each != nil:
		r.Each = true
		r.eachInstances(ns, each, sc)
	default:
		r.add(cty.NilVal, &Scope{})
	}
}

func (r *Resource) add(key cty.Value, sc *Scope) *Instance {
	inst := &Instance{Resource: r, key: key, Addr: r.Address(), Scope: sc}
	if key != cty.NilVal {
		inst.Addr += ref.KeyText(key)
	}
	inst.ref = &ref.Ref{Kind: r.Kind, Addr: inst.Addr, Local: inst.Addr, Range: r.Block.DefRange()}
	if r.Kind == schema.Agent {
		sc.Agent = inst
	}
	r.insts = append(r.insts, inst)
	return inst
}

const maxInstances = 100000

func (r *Resource) countInstances(ns *Names, a *hclsyntax.Attribute, sc *Scope) {
	v, ok := ns.Eval(a.Expr, sc)
	if !ok {
		r.state = reading.Failed
		return
	}
	if ref.IsSecret(v) {
		ns.SecretHere(a.Expr.Range(), "count")
		r.state = reading.Failed
		return
	}
	v, _ = v.Unmark()
	v, err := convert.Convert(v, cty.Number)
	if err == nil && !v.IsKnown() {
		r.addUnknown(ns, &Scope{count: cty.ObjectVal(map[string]cty.Value{"index": cty.UnknownVal(cty.Number)})})
		return
	}
	n := int64(-1)
	if err == nil && !v.IsNull() && v.AsBigFloat().IsInt() {
		n, _ = v.AsBigFloat().Int64()
	}
	if n < 0 || n > maxInstances {
		ns.Fail(a.Expr.Range(), "Wrong type", "count must be a whole number from 0 to %d.", maxInstances)
		r.state = reading.Failed
		return
	}
	for i := range n {
		if !ns.Room(a.Expr.Range()) {
			r.state = reading.Failed
			return
		}
		idx := cty.NumberIntVal(i)
		r.add(idx, &Scope{count: cty.ObjectVal(map[string]cty.Value{"index": idx})})
	}
}

func (r *Resource) addUnknown(ns *Names, sc *Scope) {
	ns.Incomplete, r.Unknown = true, true
	inst := r.add(cty.NilVal, sc)
	inst.Phantom = true
}

func eachScope(k, v cty.Value) *Scope {
	return &Scope{each: cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
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

func (r *Resource) eachInstances(ns *Names, a *hclsyntax.Attribute, sc *Scope) {
	v, ok := ns.Eval(a.Expr, sc)
	if !ok {
		r.state = reading.Failed
		return
	}
	if v.IsMarked() && ref.IsSecret(v) {
		ns.SecretHere(a.Expr.Range(), "for_each")
		r.state = reading.Failed
		return
	}
	v, _ = v.Unmark()
	t := v.Type()
	if !v.IsKnown() {
		r.addUnknown(ns, eachScope(cty.UnknownVal(cty.String), cty.DynamicVal))
		return
	}
	if v.IsNull() || !(t.IsMapType() || t.IsObjectType() || t.IsSetType()) {
		detail := "for_each takes a map or a set of texts, not " + ref.Describe(v) + "."
		if t.IsTupleType() || t.IsListType() {
			detail += " Write toset(…) around the list."
		}
		ns.Fail(a.Expr.Range(), "Wrong type", "%s", detail)
		r.state = reading.Failed
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if t.IsSetType() {
			k = x
		}
		k, _ = k.Unmark()
		if !k.IsKnown() {
			r.addUnknown(ns, eachScope(cty.UnknownVal(cty.String), cty.DynamicVal))
			continue
		}
		if what := wrongKey(k, len(r.insts)); what != "" {
			ns.Fail(a.Expr.Range(), "Wrong type", "%s", what)
			r.state = reading.Failed
			return
		}
		if !ns.Room(a.Expr.Range()) {
			r.state = reading.Failed
			return
		}
		r.add(k, eachScope(k, x))
	}
}

// get gives the value that topic.NAME or agent.NAME has.
func (r *Resource) get(ns *Names) (cty.Value, bool) {
	switch r.valueState {
	case reading.Done:
		return r.value, true
	case reading.Failed:
		return cty.DynamicVal, false
	case reading.Running:
		ns.Cycle(r.Address())
		return cty.DynamicVal, false
	}
	insts := r.Expand(ns)
	if r.state == reading.Failed || !ns.Enter(r.Address(), r.Block.DefRange()) {
		r.valueState = reading.Failed
		return cty.DynamicVal, false
	}
	r.valueState = reading.Running
	v, ok := r.compose(ns, insts)
	ns.Leave()
	r.valueState = reading.Done
	if !ok {
		r.valueState = reading.Failed
	}
	r.value = v
	return v, ok
}

func (r *Resource) compose(ns *Names, insts []*Instance) (cty.Value, bool) {
	if r.Unknown {
		return cty.DynamicVal, true
	}
	if !r.Each && !r.Counted {
		return insts[0].get(ns)
	}
	byKey := make(map[string]cty.Value, len(insts))
	list := make([]cty.Value, 0, len(insts))
	for _, inst := range insts {
		v, ok := inst.get(ns)
		if !ok {
			return cty.DynamicVal, false
		}
		list = append(list, v)
		if r.Each {
			byKey[inst.key.AsString()] = v
		}
	}
	if r.Each {
		return cty.ObjectVal(byKey), true
	}
	return cty.TupleVal(list), true
}

// withoutRefs gives the value for expressions that are evaluated where references mean nothing.
func (r *Resource) withoutRefs(v cty.Value) cty.Value {
	if r.plain == cty.NilVal {
		r.plain = ref.StripRefs(v)
	}
	return r.plain
}
