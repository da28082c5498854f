package bounded

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// measured is an expression whose value is counted. After a limit is passed, nothing is evaluated any more: the result does not
// matter then.
type measured struct {
	hclsyntax.Expression
	m *Meter
}

func (x *measured) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if x.m.over != "" {
		return cty.DynamicVal, nil
	}
	v, diags := x.Expression.Value(ctx)
	if x.m.over != "" {
		return cty.DynamicVal, nil
	}
	if !diags.HasErrors() {
		if x.m.produce(v, x.Range()); x.m.over != "" {
			return cty.DynamicVal, nil
		}
	}
	return v, diags
}

// loop is a for expression. After the first element that has an error the others are not looked at.
type loop struct {
	hclsyntax.Expression
	m     *Meter
	state *loopState
}

type loopState struct{ failed bool }

func (x *loop) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	before := *x.state
	*x.state = loopState{}
	v, diags := x.Expression.Value(ctx)
	*x.state = before
	return v, diags
}

// turn is what a for expression evaluates for each element.
type turn struct {
	hclsyntax.Expression
	m     *Meter
	state *loopState
}

func (x *turn) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if x.m.over != "" || x.state.failed {
		return cty.DynamicVal, nil
	}
	x.m.Charge(4, x.Range())
	v, diags := x.Expression.Value(ctx)
	x.state.failed = x.state.failed || diags.HasErrors()
	return v, diags
}

// wrap gives an expression that counts what it makes.
func (m *Meter) wrap(e hclsyntax.Expression) hclsyntax.Expression {
	switch x := e.(type) {
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.AnonSymbolExpr, *measured:
		return e
	case *hclsyntax.LiteralValueExpr:
		if x.Val.Type() != cty.Number {
			return e
		}
	}
	if w, ok := m.wrapped[e]; ok {
		return w
	}
	w := m.rewrite(e)
	m.wrapped[e] = w
	return w
}

func (m *Meter) rewrite(e hclsyntax.Expression) hclsyntax.Expression {
	switch x := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		if tooLong(x.Val.AsBigFloat()) {
			return &measured{e, m}
		}
		return e
	case *hclsyntax.ParenthesesExpr:
		return &hclsyntax.ParenthesesExpr{Expression: m.wrap(x.Expression), SrcRange: x.SrcRange}
	case *hclsyntax.TemplateWrapExpr:
		return &hclsyntax.TemplateWrapExpr{Wrapped: m.wrap(x.Wrapped), SrcRange: x.SrcRange}
	case *hclsyntax.ObjectConsKeyExpr:
		return &hclsyntax.ObjectConsKeyExpr{Wrapped: m.wrap(x.Wrapped), ForceNonLiteral: x.ForceNonLiteral}
	case *hclsyntax.RelativeTraversalExpr:
		return &hclsyntax.RelativeTraversalExpr{Source: m.wrap(x.Source), Traversal: x.Traversal, SrcRange: x.SrcRange}
	case *hclsyntax.IndexExpr:
		c := *x
		c.Collection, c.Key = m.wrap(x.Collection), m.wrap(x.Key)
		return &c
	case *hclsyntax.ForExpr:
		return m.forExpr(x)
	case *hclsyntax.TemplateExpr:
		c := *x
		c.Parts = m.all(x.Parts, true)
		return &measured{&c, m}
	case *hclsyntax.TupleConsExpr:
		c := *x
		c.Exprs = m.all(x.Exprs, false)
		return &measured{&c, m}
	case *hclsyntax.ObjectConsExpr:
		c := *x
		c.Items = make([]hclsyntax.ObjectConsItem, len(x.Items))
		for i, it := range x.Items {
			c.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: m.wrap(it.KeyExpr), ValueExpr: m.wrap(it.ValueExpr)}
		}
		return &measured{&c, m}
	case *hclsyntax.FunctionCallExpr:
		return m.callExpr(x)
	}
	return m.rewriteOperator(e)
}

func (m *Meter) rewriteOperator(e hclsyntax.Expression) hclsyntax.Expression {
	switch x := e.(type) {
	case *hclsyntax.ConditionalExpr:
		c := *x
		c.Condition, c.TrueResult, c.FalseResult = m.wrap(x.Condition), &branch{m.wrap(x.TrueResult), m}, &branch{m.wrap(x.FalseResult), m}
		return &measured{&c, m}
	case *hclsyntax.SplatExpr:
		c := *x
		c.Source, c.Each = m.wrap(x.Source), m.wrap(x.Each)
		return &measured{&c, m}
	case *hclsyntax.BinaryOpExpr:
		c := *x
		c.LHS, c.RHS = m.counted(x.LHS), m.counted(x.RHS)
		return &measured{&c, m}
	case *hclsyntax.UnaryOpExpr:
		c := *x
		c.Val = m.wrap(x.Val)
		return &c
	case *hclsyntax.TemplateJoinExpr:
		return &measured{&hclsyntax.TemplateJoinExpr{Tuple: m.wrap(x.Tuple)}, m}
	}
	return e
}

// call is a function call: what its arguments hold together is bounded, since calling a function goes through all of it.
type call struct {
	hclsyntax.Expression
	m    *Meter
	args *size
}

func (x *call) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	before := *x.args
	*x.args = size{}
	x.m.Charge(10, x.Range())
	v, diags := x.Expression.Value(ctx)
	*x.args = before
	return v, diags
}

// argument is one argument of a call.
type argument struct {
	hclsyntax.Expression
	m     *Meter
	args  *size
	takes cty.Type
	many  bool // its elements are the arguments
}

func (x *argument) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if x.m.over != "" {
		return cty.DynamicVal, nil
	}
	v, diags := x.Expression.Value(ctx)
	if diags.HasErrors() {
		return v, diags
	}
	s := x.m.measure(v, x.Range())
	if x.takes != cty.DynamicPseudoType && x.m.over == "" && !x.many {
		if x.takes.IsListType() || x.takes.IsSetType() {
			v = Uniform(v)
		}
		x.m.pairs(v, x.Range())
	}
	if x.many {
		x.m.Charge(s.elements*s.elements/16, x.Range())
	}
	x.args.elements, x.args.text = x.args.elements+s.elements, x.args.text+s.text
	if x.args.elements > x.m.limits.Elements || x.args.text > x.m.limits.Text {
		x.m.pass(x.Range(), "The values that are given to a function here hold more than %d elements or %d MiB of text.", x.m.limits.Elements, x.m.limits.Text>>20)
	}
	if x.m.over != "" {
		return cty.DynamicVal, nil
	}
	return v, diags
}

// branch is one of the two values of a conditional, which are converted to one type.
type branch struct {
	hclsyntax.Expression
	m *Meter
}

func (x *branch) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := x.Expression.Value(ctx)
	if x.m.over == "" && !diags.HasErrors() {
		x.m.pairs(v, x.Range())
	}
	if x.m.over != "" {
		return cty.DynamicVal, nil
	}
	return v, diags
}

func (m *Meter) callExpr(x *hclsyntax.FunctionCallExpr) hclsyntax.Expression {
	c, args := *x, &size{}
	c.Args = make([]hclsyntax.Expression, len(x.Args))
	for i, a := range x.Args {
		c.Args[i] = &argument{m.wrap(a), m, args, m.takes(x.Name, i), x.ExpandFinal && i == len(x.Args)-1}
	}
	return &call{&measured{&c, m}, m, args}
}

func (m *Meter) forExpr(x *hclsyntax.ForExpr) hclsyntax.Expression {
	state := &loopState{}
	each := func(e hclsyntax.Expression, counted bool) hclsyntax.Expression {
		if e == nil {
			return nil
		}
		if e = m.wrap(e); counted {
			e = m.counted(e)
		}
		return &turn{e, m, state}
	}
	c := *x
	c.CollExpr = m.wrap(x.CollExpr)
	c.KeyExpr, c.ValExpr, c.CondExpr = each(x.KeyExpr, true), each(x.ValExpr, true), each(x.CondExpr, false)
	return &loop{&measured{&c, m}, m, state}
}

// all wraps a list of expressions; counted ones also where they only name a value, since it is copied.
func (m *Meter) all(list []hclsyntax.Expression, counted bool) []hclsyntax.Expression {
	out := make([]hclsyntax.Expression, len(list))
	for i, e := range list {
		if out[i] = m.wrap(e); counted {
			out[i] = m.counted(e)
		}
	}
	return out
}

// counted wraps an expression so that its value counts even where it only names one.
func (m *Meter) counted(e hclsyntax.Expression) hclsyntax.Expression {
	w := m.wrap(e)
	if _, ok := w.(*measured); ok {
		return w
	}
	if lit, ok := w.(*hclsyntax.LiteralValueExpr); ok && lit.Val.Type() != cty.String {
		return w
	}
	return &measured{w, m}
}
