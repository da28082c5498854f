package functions

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/constant"
)

// conversion makes tonumber and its like.
func conversion(t cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "v", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) {
			from := args[0].Type()
			if from.Equals(t) || from == cty.DynamicPseudoType {
				return t, nil
			}
			if convert.GetConversionUnsafe(from, t) == nil {
				if t.IsCollectionType() && (from.IsTupleType() || from.IsObjectType()) {
					return cty.NilType, function.NewArgErrorf(0, "the elements have no type in common")
				}
				return cty.NilType, function.NewArgErrorf(0, "%s cannot be made a %s", constant.TypeName(from), plainName(t))
			}
			if v := args[0]; v.IsKnown() && t.HasDynamicTypes() {
				w, err := convert.Convert(uniform(v, t), t)
				if err != nil {
					return cty.NilType, function.NewArgError(0, err)
				}
				return w.Type(), nil
			}
			return t, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := convert.Convert(uniform(args[0], t), t)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, fmt.Errorf("cannot convert this value: %w", err))
			}
			return v, nil
		},
	})
}

// plainName names a type without what is in it.
func plainName(t cty.Type) string {
	switch {
	case t.IsListType():
		return "list"
	case t.IsSetType():
		return "set"
	case t.IsMapType():
		return "map"
	}
	return t.FriendlyName()
}

// uniform makes a list of a tuple where that is what is wanted, since it is quicker.
func uniform(v cty.Value, t cty.Type) cty.Value {
	if t.IsListType() || t.IsSetType() {
		return bounded.Uniform(v)
	}
	return v
}

func toNumberFunc() function.Function { return conversion(cty.Number) }
func toStringFunc() function.Function { return conversion(cty.String) }
func toBoolFunc() function.Function   { return conversion(cty.Bool) }
func toSetFunc() function.Function    { return conversion(cty.Set(cty.DynamicPseudoType)) }
func toListFunc() function.Function   { return conversion(cty.List(cty.DynamicPseudoType)) }
func toMapFunc() function.Function    { return conversion(cty.Map(cty.DynamicPseudoType)) }
