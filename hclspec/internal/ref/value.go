package ref

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// HasRef says whether a reference is anywhere in a value.
func HasRef(v cty.Value) bool {
	found := false
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.Type().Equals(Type) {
			found = true
		}
		return !found, nil
	})
	return found
}

// Describe names a value for messages.
func Describe(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t.Equals(Type):
		r, _ := Of(v)
		if r == nil {
			return "a reference"
		}
		return "the reference " + r.Local
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		if r, ok := Of(v); ok {
			return "the reference " + r.Local
		}
		return "a map"
	default:
		return t.FriendlyName()
	}
}

// VisibleAttrs gives the attributes that can be written: all but the one that holds the reference.
func VisibleAttrs(t cty.Type) []string {
	var out []string
	for name := range t.AttributeTypes() {
		if name != Attr {
			out = append(out, name)
		}
	}
	return out
}

// StringList turns a list, set or tuple into texts.
func StringList(v cty.Value) ([]string, error) {
	v, _ = v.UnmarkDeep()
	t := v.Type()
	if v.IsNull() || !v.IsKnown() || !(t.IsTupleType() || t.IsListType() || t.IsSetType()) {
		return nil, fmt.Errorf("a list is needed, not %s", Describe(v))
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		s, err := convert.Convert(x, cty.String)
		if err != nil || s.IsNull() || !s.IsKnown() {
			return nil, fmt.Errorf("an element is %s", Describe(x))
		}
		out = append(out, s.AsString())
	}
	return out, nil
}

// StripRefs takes the references out of a value: for expressions that are evaluated where they mean nothing.
func StripRefs(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, x cty.Value) (cty.Value, error) {
		if !x.Type().IsObjectType() || !x.IsKnown() || x.IsNull() || !x.Type().HasAttribute(Attr) {
			return x, nil
		}
		m := x.AsValueMap()
		delete(m, Attr)
		return cty.ObjectVal(m), nil
	})
	if err != nil {
		return cty.DynamicVal
	}
	return out
}
