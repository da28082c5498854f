package names

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/sorted"
)

// local is one value of a locals block.
type local struct {
	name  string
	attr  *hclsyntax.Attribute
	state reading.State
	value cty.Value
}

// DeclareLocals takes in a locals block.
func (ns *Names) DeclareLocals(b *hclsyntax.Block) {
	for _, inner := range b.Body.Blocks {
		ns.Fail(inner.TypeRange, "Block in locals", "locals holds values: %s = { … }.", inner.Type)
	}
	for _, name := range sorted.Keys(b.Body.Attributes) {
		a := b.Body.Attributes[name]
		if old := ns.locals[name]; old != nil {
			r := old.attr.NameRange
			ns.Fail(a.NameRange, "Declared twice", "The local value %q is already declared at %s:%d.", name, r.Filename, r.Start.Line)
			continue
		}
		ns.locals[name] = &local{name: name, attr: a}
	}
}

// get works out a local value.
func (v *local) get(ns *Names) (cty.Value, bool) {
	switch v.state {
	case reading.Done:
		return v.value, true
	case reading.Failed:
		return cty.DynamicVal, false
	case reading.Running:
		ns.Cycle("local." + v.name)
		return cty.DynamicVal, false
	}
	if !ns.Enter("local."+v.name, v.attr.Range()) {
		v.state = reading.Failed
		return cty.DynamicVal, false
	}
	v.state = reading.Running
	val, ok := ns.Eval(v.attr.Expr, &Scope{})
	ns.Leave()
	if !ok {
		v.state = reading.Failed
		return cty.DynamicVal, false
	}
	v.state, v.value = reading.Done, val
	return val, true
}
