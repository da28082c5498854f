package bounded

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Uniform turns a tuple whose elements are all of one type, which is what [for …] gives, into a list. The library's conversion
// compares the type of each element with that of each other, which is too slow for long ones. Anything else stays as it is.
func Uniform(v cty.Value) cty.Value {
	inner, marks := v.Unmark()
	t := inner.Type()
	if !inner.IsKnown() || inner.IsNull() || !t.IsTupleType() || t.Length() < 2 {
		return v
	}
	types := t.TupleElementTypes()
	first := types[0]
	if first.HasDynamicTypes() {
		return v
	}
	for _, x := range types[1:] {
		if !x.Equals(first) {
			return v
		}
	}
	return cty.ListVal(inner.AsValueSlice()).WithMarks(marks)
}

// Converting counts the steps of converting a value to another type, which are the square of the length of a tuple.
func (m *Meter) Converting(v cty.Value, at hcl.Range) hcl.Diagnostics {
	if m.depth == 0 {
		m.over = ""
	}
	if m.pairs(v, at); m.over != "" {
		return hcl.Diagnostics{m.diagnostic(at)}
	}
	return nil
}

func (m *Meter) pairs(v cty.Value, at hcl.Range) {
	v, _ = v.Unmark()
	t := v.Type()
	if !v.IsKnown() || v.IsNull() || !t.IsTupleType() && !t.IsObjectType() || m.over != "" {
		return
	}
	n := v.LengthInt()
	if t.IsTupleType() {
		m.Charge(n*n/16, at)
	}
	for it := v.ElementIterator(); it.Next() && m.over == ""; {
		_, x := it.Element()
		m.pairs(x, at)
	}
}

// takes gives the type of a parameter, or that of any value.
func (m *Meter) takes(name string, i int) cty.Type {
	switch name {
	case "tolist", "toset":
		return cty.List(cty.DynamicPseudoType)
	case "tomap":
		return cty.Map(cty.DynamicPseudoType)
	}
	f, ok := m.Functions[name]
	if !ok {
		return cty.DynamicPseudoType
	}
	if p := f.Params(); i < len(p) {
		return p[i].Type
	}
	if p := f.VarParam(); p != nil {
		return p.Type
	}
	return cty.DynamicPseudoType
}
