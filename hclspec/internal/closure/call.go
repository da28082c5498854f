package closure

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/value"
)

// HasValue gives can(x). The value need not be made, so a pattern is only matched.
func HasValue(n *Node) *Node {
	if n.Total {
		return ConstNode(cty.True) // not folded into the text: what stands around it must stay dependent on the event
	}
	if f := n.OK; f != nil {
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) { return f(s) == nil, nil })
	}
	switch {
	case n.Nullable || !n.Type.IsPrimitiveType():
		return BoolNode(canFn(n.Val))
	case n.Type == cty.Bool:
		return BoolNode(canFn(n.Bool))
	case n.Type == cty.Number:
		return BoolNode(canFn(n.Num))
	default:
		return BoolNode(canFn(n.Str))
	}
}

// FirstWithValue gives try(a, b, …); there is one argument at least.
func FirstWithValue(args []*Node) *Node {
	typ := args[0].Type
	plainArgs := true
	for _, a := range args {
		if !a.Type.Equals(typ) {
			typ = cty.DynamicPseudoType
		}
		plainArgs = plainArgs && !a.Nullable
	}
	var n *Node
	switch {
	case plainArgs && typ == cty.String:
		n = StrNode(firstOf(args, func(n *Node) StrFn { return n.Str }))
	case plainArgs && typ == cty.Number:
		n = NumNode(firstOf(args, func(n *Node) NumFn { return n.Num }))
	case plainArgs && typ == cty.Bool:
		n = BoolNode(firstOf(args, func(n *Node) BoolFn { return n.Bool }))
	default:
		n = ValNode(typ, firstOf(args, func(n *Node) ValFn { return n.Val }))
		if typ == cty.DynamicPseudoType {
			n.Mixed = args
		}
	}
	n.Total = slices.ContainsFunc(args, func(a *Node) bool { return a.Total })
	return n
}

// ViaCty calls a plan-time function for each event: slower, and with its normalisation of text.
func ViaCty(name string, typ cty.Type, f function.Function, args []*Node) *Node {
	fail := &value.Error{Reason: name + "() has no result for these values"}
	params, rest := f.Params(), f.VarParam()
	types := make([]cty.Type, len(args))
	for i := range args {
		if i < len(params) {
			types[i] = params[i].Type
		} else {
			types[i] = rest.Type
		}
	}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		vals := make([]cty.Value, len(args))
		for i, a := range args {
			v, err := a.Val(s)
			if err != nil {
				return v, err
			}
			if v, err = v.Plain(); err != nil {
				return v, err
			}
			x, cerr := convert.Convert(typed(v.ToCty(), a.Type), types[i])
			if cerr != nil {
				return value.Value{}, fail
			}
			vals[i] = x
		}
		out, err := f.Call(vals)
		if err != nil || !out.IsWhollyKnown() {
			return value.Value{}, fail
		}
		return value.FromCty(out), nil
	})
}

func canFn[T any](f func(*value.Scratch) (T, *value.Error)) BoolFn {
	return func(s *value.Scratch) (bool, *value.Error) {
		_, err := f(s)
		return err == nil, nil
	}
}

// firstOf gives the first result without an error, or the last error.
func firstOf[F ~func(*value.Scratch) (T, *value.Error), T any](args []*Node, get func(*Node) F) F {
	fs := make([]F, len(args))
	for i, a := range args {
		fs[i] = get(a)
	}
	return func(s *value.Scratch) (v T, err *value.Error) {
		for _, f := range fs {
			if v, err = f(s); err == nil {
				return v, nil
			}
		}
		return v, err
	}
}

// typed gives a tuple or object the list or map type that it has statically.
func typed(v cty.Value, t cty.Type) cty.Value {
	if t.IsCollectionType() {
		if w, err := convert.Convert(v, t); err == nil {
			return w
		}
	}
	return v
}
