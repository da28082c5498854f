package compile

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/value"
)

// call compiles a function call that depends on the event.
func (c *compiler) call(e *hclsyntax.FunctionCallExpr) *Node {
	f, ok := c.funcs[e.Name]
	if !ok {
		c.unknownFunction(e)
		return nil
	}
	if e.ExpandFinal {
		if e = c.expand(e); e == nil {
			return nil
		}
	}
	args := make([]*Node, len(e.Args))
	bad := false
	for i, a := range e.Args {
		args[i] = c.expr(a)
		bad = bad || args[i] == nil
	}
	if bad {
		return nil
	}
	switch e.Name {
	case "can":
		return c.can(e, args)
	case "try":
		return c.try(e, args)
	}
	if !f.EventSafe {
		c.errorf(e.NameRange, "Function not available per event", "%s() can be used where the configuration is evaluated, but not on events.", e.Name)
		return nil
	}
	own, isNative := c.natives[e.Name]
	typ, ok := c.check(f.Cty, own.Typed, e, args)
	if !ok {
		return nil
	}
	if c.unknown {
		return unknownNode(typ)
	}
	out := &Call{Name: e.Name, Type: typ, Func: f.Cty, args: args, c: c, e: e}
	if isNative {
		return own.Build(out)
	}
	return c.viaCty(out)
}

func (c *compiler) unknownFunction(e *hclsyntax.FunctionCallExpr) {
	for ctx := c.ctx; ctx != nil; ctx = ctx.Parent() {
		if _, ok := ctx.Functions[e.Name]; ok {
			c.errorf(e.NameRange, "Function not available per event", "%s() can be used where the configuration is evaluated, but not on events.", e.Name)
			return
		}
	}
	c.errorf(e.NameRange, "Unknown function", "There is no function %q.%s", e.Name, suggest(e.Name, slices.Collect(maps.Keys(c.funcs))))
}

// expand replaces a last argument "list..." by the elements of the list, which must not depend on the event.
func (c *compiler) expand(e *hclsyntax.FunctionCallExpr) *hclsyntax.FunctionCallExpr {
	last := e.Args[len(e.Args)-1]
	if c.depends(last) {
		c.errorf(last.Range(), "Unsupported expression", "A list that is expanded with ... must not depend on the event.")
		return nil
	}
	v, diags := c.eval(last, c.ctx)
	c.diags = append(c.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	if v.IsNull() || !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		c.errorf(last.Range(), "Wrong type", "A list is needed before the ... .")
		return nil
	}
	out := *e
	out.ExpandFinal = false
	out.Args = slices.Clone(e.Args[:len(e.Args)-1])
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		out.Args = append(out.Args, &hclsyntax.LiteralValueExpr{Val: x, SrcRange: last.Range()})
	}
	return &out
}

// can compiles can(x): true when x has a value. It need not be made, so a pattern is only matched.
func (c *compiler) can(e *hclsyntax.FunctionCallExpr, args []*Node) *Node {
	if len(args) != 1 {
		c.errorf(e.Range(), "Wrong number of arguments", "can() takes one argument, not %d.", len(args))
		return nil
	}
	if args[0].Total {
		return constNode(cty.True) // not folded into the text: what stands around it must stay dependent on the event
	}
	if f := args[0].OK; f != nil {
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) { return f(s) == nil, nil })
	}
	switch n := args[0]; {
	case n.Nullable || !n.typ.IsPrimitiveType():
		return BoolNode(canFn(n.v))
	case n.typ == cty.Bool:
		return BoolNode(canFn(n.b))
	case n.typ == cty.Number:
		return BoolNode(canFn(n.n))
	default:
		return BoolNode(canFn(n.s))
	}
}

func canFn[T any](f func(*value.Scratch) (T, *value.Error)) BoolFn {
	return func(s *value.Scratch) (bool, *value.Error) {
		_, err := f(s)
		return err == nil, nil
	}
}

// try compiles try(a, b, …): the first that has a value.
func (c *compiler) try(e *hclsyntax.FunctionCallExpr, args []*Node) *Node {
	if len(args) == 0 {
		c.errorf(e.Range(), "Wrong number of arguments", "try() takes at least one argument.")
		return nil
	}
	typ := args[0].typ
	plainArgs := true
	for _, a := range args {
		if !a.typ.Equals(typ) {
			typ = cty.DynamicPseudoType
		}
		plainArgs = plainArgs && !a.Nullable
	}
	var n *Node
	switch {
	case plainArgs && typ == cty.String:
		n = StrNode(firstOf(args, func(n *Node) StrFn { return n.s }))
	case plainArgs && typ == cty.Number:
		n = NumNode(firstOf(args, func(n *Node) NumFn { return n.n }))
	case plainArgs && typ == cty.Bool:
		n = BoolNode(firstOf(args, func(n *Node) BoolFn { return n.b }))
	default:
		n = ValNode(typ, firstOf(args, func(n *Node) ValFn { return n.v }))
		if typ == cty.DynamicPseudoType {
			n.mixed = args
		}
	}
	n.Total = slices.ContainsFunc(args, func(a *Node) bool { return a.Total })
	return n
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

// check holds the arguments against a function's parameters and finds the type of the result.
func (c *compiler) check(f function.Function, typed bool, e *hclsyntax.FunctionCallExpr, args []*Node) (cty.Type, bool) {
	params, rest := f.Params(), f.VarParam()
	if len(args) < len(params) || len(args) > len(params) && rest == nil {
		c.arity(e, len(params), rest != nil)
		return cty.NilType, false
	}
	vals := make([]cty.Value, len(args))
	ok := true
	for i, a := range args {
		p := rest
		if i < len(params) {
			p = &params[i]
		}
		v, good := c.argument(p, a, e.Args[i].Range(), e.Name)
		vals[i], ok = v, ok && good
	}
	if !ok {
		return cty.NilType, false
	}
	if typed {
		return cty.DynamicPseudoType, true
	}
	t, err := f.ReturnTypeForValues(vals)
	if err == nil {
		return t, true
	}
	at := e.Range()
	var ae function.ArgError
	if errors.As(err, &ae) && ae.Index < len(e.Args) {
		at = e.Args[ae.Index].Range()
	}
	c.errorf(at, "Wrong argument", "%s(): %s.", e.Name, err)
	return cty.NilType, false
}

func (c *compiler) arity(e *hclsyntax.FunctionCallExpr, n int, more bool) {
	need := fmt.Sprintf("%d arguments", n)
	if n == 1 {
		need = "one argument"
	}
	if more {
		need = "at least " + need
	}
	c.errorf(e.Range(), "Wrong number of arguments", "%s() takes %s, not %d.", e.Name, need, len(e.Args))
}

// argument gives what is known of an argument: its value, or an unknown of its type.
func (c *compiler) argument(p *function.Parameter, n *Node, at hcl.Range, name string) (cty.Value, bool) {
	if n.konst {
		v, err := convert.Convert(n.ck, p.Type)
		if err != nil {
			c.errorf(at, "Wrong argument", "%s(): %s.", name, err)
			return v, false
		}
		if v.IsNull() && !p.AllowNull {
			c.errorf(at, "Wrong argument", "%s(): the argument %q must not be null.", name, p.Name)
			return v, false
		}
		return v, true
	}
	t := n.typ
	if p.Type != cty.DynamicPseudoType && t != cty.DynamicPseudoType && !t.Equals(p.Type) {
		if convert.GetConversionUnsafe(t, p.Type) == nil {
			c.errorf(at, "Wrong argument", "%s(): the argument %q must be %s, and this is %s.", name, p.Name, constant.TypeName(p.Type), constant.TypeName(t))
			return cty.NilVal, false
		}
		t = p.Type
	}
	if t == cty.DynamicPseudoType {
		t = p.Type
	}
	if t == cty.DynamicPseudoType {
		return cty.DynamicVal, true
	}
	v := cty.UnknownVal(t)
	if !n.Nullable {
		v = v.RefineNotNull()
	}
	return v, true
}

// viaCty calls the plan-time implementation: slower, and with its normalisation of text.
func (c *compiler) viaCty(call *Call) *Node {
	f, args := call.Func, call.args
	fail := &value.Error{Reason: call.Name + "() has no result for these values"}
	params, rest := f.Params(), f.VarParam()
	types := make([]cty.Type, len(args))
	for i := range args {
		if i < len(params) {
			types[i] = params[i].Type
		} else {
			types[i] = rest.Type
		}
	}
	return ValNode(call.Type, func(s *value.Scratch) (value.Value, *value.Error) {
		vals := make([]cty.Value, len(args))
		for i, a := range args {
			v, err := a.v(s)
			if err != nil {
				return v, err
			}
			if v, err = v.Plain(); err != nil {
				return v, err
			}
			x, cerr := convert.Convert(typed(v.ToCty(), a.typ), types[i])
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

// typed gives a tuple or object the list or map type that it has statically.
func typed(v cty.Value, t cty.Type) cty.Value {
	if t.IsCollectionType() {
		if w, err := convert.Convert(v, t); err == nil {
			return w
		}
	}
	return v
}
