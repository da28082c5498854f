package constant

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// Plain turns a value into the JSON of a spec.
func Plain(v cty.Value) (any, bool) {
	t := v.Type()
	switch {
	case v.IsNull() || !v.IsWhollyKnown():
		return nil, false
	case t == cty.Bool:
		return v.True(), true
	case t == cty.String:
		return v.AsString(), true
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, true
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		out := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			p, ok := Plain(e)
			if !ok && !e.IsNull() {
				return nil, false
			}
			out = append(out, p)
		}
		return out, true
	case t.IsMapType(), t.IsObjectType():
		out := map[string]any{}
		for k, e := range v.AsValueMap() {
			p, ok := Plain(e)
			if !ok && !e.IsNull() {
				return nil, false
			}
			out[k] = p
		}
		return out, true
	}
	return nil, false
}

// FromPlain turns JSON as it is in a spec into a value.
func FromPlain(v any) (cty.Value, error) {
	switch x := v.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case bool:
		return cty.BoolVal(x), nil
	case string:
		return cty.StringVal(x), nil
	case float64:
		return cty.NumberFloatVal(x), nil
	case int:
		return cty.NumberIntVal(int64(x)), nil
	case int64:
		return cty.NumberIntVal(x), nil
	case []any:
		out := make([]cty.Value, len(x))
		for i, e := range x {
			var err error
			if out[i], err = FromPlain(e); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.TupleVal(out), nil
	case map[string]any:
		out := make(map[string]cty.Value, len(x))
		for k, e := range x {
			var err error
			if out[k], err = FromPlain(e); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.ObjectVal(out), nil
	}
	return cty.NilVal, fmt.Errorf("a constant of type %T", v)
}
