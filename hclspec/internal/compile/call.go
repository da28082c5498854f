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

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
)

// call compiles a function call that depends on the event.
func (c *compiler) call(e *hclsyntax.FunctionCallExpr) *closure.Node {
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
	args := make([]*closure.Node, len(e.Args))
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
		return closure.UnknownNode(typ)
	}
	out := &Call{Name: e.Name, Type: typ, Func: f.Cty, args: args, c: c, e: e}
	if isNative {
		return own.Build(out)
	}
	return out.PerEvent()
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

// can compiles can(x): true when x has a value.
func (c *compiler) can(e *hclsyntax.FunctionCallExpr, args []*closure.Node) *closure.Node {
	if len(args) != 1 {
		c.errorf(e.Range(), "Wrong number of arguments", "can() takes one argument, not %d.", len(args))
		return nil
	}
	return closure.HasValue(args[0])
}

// try compiles try(a, b, …): the first that has a value.
func (c *compiler) try(e *hclsyntax.FunctionCallExpr, args []*closure.Node) *closure.Node {
	if len(args) == 0 {
		c.errorf(e.Range(), "Wrong number of arguments", "try() takes at least one argument.")
		return nil
	}
	return closure.FirstWithValue(args)
}

// check holds the arguments against a function's parameters and finds the type of the result.
func (c *compiler) check(f function.Function, typed bool, e *hclsyntax.FunctionCallExpr, args []*closure.Node) (cty.Type, bool) {
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
func (c *compiler) argument(p *function.Parameter, n *closure.Node, at hcl.Range, name string) (cty.Value, bool) {
	if n.IsConst {
		v, err := convert.Convert(n.Const, p.Type)
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
	t := n.Type
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
