package functions

import (
	"errors"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"collect/hclspec/internal/constant"
)

// lengthFunc counts the characters of a text or the elements of a collection.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t == cty.DynamicPseudoType || t.IsTupleType() || t.IsObjectType() || t.IsCollectionType() {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "argument must be a text, a list, a set, a map, a tuple or an object")
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t := args[0].Type()
			switch {
			case t == cty.String:
				return stdlib.Strlen(args[0])
			case t == cty.DynamicPseudoType:
				return cty.UnknownVal(cty.Number), nil
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			}
			return args[0].Length(), nil
		},
	})
}

// lookupFunc is the library's with a default that may be left out, as in Terraform.
func lookupFunc() function.Function {
	f := stdlib.LookupFunc
	params := f.Params()
	return function.New(&function.Spec{
		Params:   params[:2],
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowMarked: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			switch {
			case len(args) > 3:
				return cty.NilType, errors.New("it takes two or three arguments")
			case len(args) == 3:
				return f.ReturnTypeForValues(args)
			case args[0].Type().IsObjectType() || args[0].Type().IsMapType():
				return constant.ElementType(args[0].Type()), nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a map or object is needed")
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			if len(args) == 3 {
				return f.Call(args)
			}
			m, key := args[0], args[1]
			if !m.IsWhollyKnown() || !key.IsKnown() {
				return cty.UnknownVal(t), nil
			}
			k, _ := key.Unmark()
			m, marks := m.Unmark()
			if v, ok := m.AsValueMap()[k.AsString()]; ok {
				return v.WithMarks(marks), nil
			}
			return cty.NilVal, function.NewArgErrorf(1, "there is no element %q", k.AsString())
		},
	})
}

// indexFunc gives the number of the first element that equals a value. Where the types differ the value is converted.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.DynamicPseudoType), param("value", cty.DynamicPseudoType)},
		Type: func(args []cty.Value) (cty.Type, error) {
			if t := args[0].Type(); t != cty.DynamicPseudoType && !t.IsListType() && !t.IsTupleType() {
				return cty.NilType, function.NewArgErrorf(0, "a list is needed")
			}
			return cty.Number, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			n := int64(0)
			for it := args[0].ElementIterator(); it.Next(); n++ {
				_, v := it.Element()
				want, err := convert.Convert(args[1], v.Type())
				if err == nil && want.RawEquals(v) {
					return cty.NumberIntVal(n), nil
				}
			}
			return cty.NilVal, function.NewArgErrorf(1, "no element has this value")
		},
	})
}

// oneFunc gives the only element, or null for an empty list.
func oneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.DynamicPseudoType)},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			switch {
			case t.IsListType(), t.IsSetType():
				return t.ElementType(), nil
			case t.IsTupleType() && t.Length() == 0:
				return cty.DynamicPseudoType, nil
			case t.IsTupleType() && t.Length() == 1:
				return t.TupleElementType(0), nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a list, set or tuple with at most one element is needed")
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			switch l := args[0].LengthInt(); l {
			case 0:
				return cty.NullVal(t), nil
			case 1:
				it := args[0].ElementIterator()
				it.Next()
				_, v := it.Element()
				return v, nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "a list, set or tuple with at most one element is needed")
		},
	})
}

func sumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.List(cty.Number))},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].LengthInt() == 0 {
				return cty.NilVal, function.NewArgErrorf(0, "the list is empty")
			}
			total := new(big.Float).SetPrec(512)
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "an element is null")
				}
				total.Add(total, v.AsBigFloat())
			}
			return cty.NumberVal(total), nil
		},
	})
}

// allTrueFunc is alltrue (all) or anytrue (not all).
func allTrueFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.List(cty.Bool))},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if !v.IsKnown() {
					return cty.UnknownVal(cty.Bool), nil
				}
				if yes := !v.IsNull() && v.True(); yes != all {
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// distinctFunc is the library's, which compares each element with each other.
func distinctFunc() function.Function {
	f := stdlib.DistinctFunc
	return function.New(&function.Spec{
		Params: f.Params(),
		Type:   f.ReturnTypeForValues,
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() || args[0].LengthInt() == 0 {
				return f.Call(args)
			}
			var out []cty.Value
			seen := map[int][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				_, x := it.Element()
				h := x.Hash()
				if !oneOf(x, seen[h]) {
					seen[h], out = append(seen[h], x), append(out, x)
				}
			}
			return cty.ListVal(out), nil
		},
	})
}

func oneOf(x cty.Value, list []cty.Value) bool {
	for _, y := range list {
		if x.RawEquals(y) {
			return true
		}
	}
	return false
}

// coalesceFunc gives the first argument that is neither null nor an empty text, as Terraform's.
func coalesceFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{
			Name: "vals", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowDynamicType: true,
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			types := make([]cty.Type, len(args))
			for i, a := range args {
				types[i] = a.Type()
			}
			t, _ := convert.UnifyUnsafe(types)
			if t == cty.NilType {
				return t, errors.New("all arguments must have the same type")
			}
			return t, nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			for _, a := range args {
				v, err := convert.Convert(a, t)
				if err != nil {
					return cty.NilVal, err
				}
				if !v.IsKnown() {
					return cty.UnknownVal(t), nil
				}
				if v.IsNull() || t == cty.String && v.AsString() == "" {
					continue
				}
				return v, nil
			}
			return cty.NilVal, errors.New("no argument has a value that is neither null nor empty")
		},
	})
}
