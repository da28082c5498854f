package compile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/diag"
)

func (c *compiler) unary(e *hclsyntax.UnaryOpExpr) *closure.Node {
	n := c.expr(e.Val)
	if n == nil {
		return nil
	}
	if e.Op == hclsyntax.OpLogicalNot {
		f := c.asBool(n, e.Val.Range())
		if f == nil {
			return nil
		}
		return closure.Not(f)
	}
	f := c.asNumber(n, e.Val.Range())
	if f == nil {
		return nil
	}
	return closure.Negative(f)
}

func (c *compiler) binary(e *hclsyntax.BinaryOpExpr) *closure.Node {
	l, r := c.expr(e.LHS), c.expr(e.RHS)
	if l == nil || r == nil {
		return nil
	}
	switch e.Op {
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		return c.logical(e, l, r)
	case hclsyntax.OpEqual:
		return c.equality(e, l, r, false)
	case hclsyntax.OpNotEqual:
		return c.equality(e, l, r, true)
	}
	a, b := c.asNumber(l, e.LHS.Range()), c.asNumber(r, e.RHS.Range())
	if a == nil || b == nil {
		return nil
	}
	if n := closure.Compare(e.Op, a, b); n != nil {
		return n
	}
	return closure.Arithmetic(e.Op, a, b)
}

// logical compiles && and ||. A constant side that decides makes the whole constant.
func (c *compiler) logical(e *hclsyntax.BinaryOpExpr, l, r *closure.Node) *closure.Node {
	decides := e.Op == hclsyntax.OpLogicalOr // the value that decides
	a, b := c.asBool(l, e.LHS.Range()), c.asBool(r, e.RHS.Range())
	if a == nil || b == nil {
		return nil
	}
	for _, side := range []struct {
		n *closure.Node
		f closure.BoolFn
	}{{l, a}, {r, b}} {
		if !side.n.IsConst {
			continue
		}
		if v, err := side.f(nil); err == nil && v == decides {
			return closure.ConstNode(cty.BoolVal(v))
		}
	}
	return closure.Either(decides, a, b)
}

// equality compiles == and !=, refusing what would be the same for every event.
func (c *compiler) equality(e *hclsyntax.BinaryOpExpr, l, r *closure.Node, differ bool) *closure.Node {
	if c.mismatch(e, l, r) {
		return nil
	}
	return closure.Equal(l, r, differ)
}

// mismatch reports a comparison whose two sides can never be equal.
func (c *compiler) mismatch(e *hclsyntax.BinaryOpExpr, l, r *closure.Node) bool {
	for _, x := range []struct{ n, other *closure.Node }{{l, r}, {r, l}} {
		if x.n.IsConst && x.n.Const.IsNull() && !x.other.Nullable && x.other.Type != cty.DynamicPseudoType {
			c.errorf(e.SrcRange, "Comparison with null", "This is never null, so the result is the same for every event. A header that is missing is an event error: use can(event.headers.NAME).")
			return true
		}
	}
	return c.differ(e.SrcRange, e.LHS.Range(), e.RHS.Range(), l, r)
}

// oneHeader is the advice where all headers are compared, and one was meant.
func (c *compiler) oneHeader(sides ...hcl.Range) string {
	for _, at := range sides {
		if c.source(at) == "event.headers" {
			return " Compare one header, such as event.headers.NAME."
		}
	}
	return ""
}

// differ reports two values of plain types that differ.
func (c *compiler) differ(whole, lr, rr hcl.Range, l, r *closure.Node) bool {
	// try() with results of several types: none of them may be one that never equals the other side.
	for _, arm := range l.Mixed {
		if c.differ(whole, lr, rr, arm, r) {
			return true
		}
	}
	for _, arm := range r.Mixed {
		if c.differ(whole, lr, rr, l, arm) {
			return true
		}
	}
	if l.Type.IsPrimitiveType() != r.Type.IsPrimitiveType() && l.Type != cty.DynamicPseudoType && r.Type != cty.DynamicPseudoType && !l.Nullable && !r.Nullable {
		c.errorf(whole, "Values of different types", "%s and %s are never equal.%s", diag.UpperFirst(constant.TypeName(l.Type)), constant.TypeName(r.Type), c.oneHeader(lr, rr))
		return true
	}
	if !l.Type.IsPrimitiveType() || !r.Type.IsPrimitiveType() || l.Type == r.Type {
		return c.noTime(whole, l, r) || c.noTime(whole, r, l)
	}
	text, at, other := l, lr, r
	if r.Type == cty.String {
		text, at, other = r, rr, l
	}
	if text.Type != cty.String {
		c.errorf(whole, "Values of different types", "A number and a bool are never equal.")
		return true
	}
	advice := "Write the other side as a text, in quotes."
	switch {
	case text.IsConst:
	case other.Type == cty.Number:
		advice = "Convert it: tonumber(" + c.source(at) + ")."
	case other.Type == cty.Bool:
		advice = "Convert it: tobool(" + c.source(at) + ")."
	}
	c.errorf(whole, "Values of different types", "A text and %s are never equal. %s", constant.TypeName(other.Type), advice)
	return true
}

// noTime reports a time that is compared with a text that is none.
func (c *compiler) noTime(whole hcl.Range, t, other *closure.Node) bool {
	text, ok := other.Text()
	if t.Time == nil || t.IsConst || !ok {
		return false
	}
	if _, ok := datetime.Parse([]byte(text)); ok {
		return false
	}
	c.errorf(whole, "Comparison with no time", "%q is not a time such as \"2026-11-22T17:39:22Z\", so the two are never equal. Compare a part of the time: formatdate(\"YYYY-MM-DD\", event.time) == ….", text)
	return true
}

// source gives the text of a range when the source is known.
func (c *compiler) source(at hcl.Range) string {
	if c.src == nil || at.End.Byte > len(c.src) || at.Start.Byte > at.End.Byte {
		return "…"
	}
	return string(at.SliceBytes(c.src))
}

// conditional compiles c ? a : b; only the side that is chosen is evaluated.
func (c *compiler) conditional(e *hclsyntax.ConditionalExpr) *closure.Node {
	cond, yes, no := c.expr(e.Condition), c.expr(e.TrueResult), c.expr(e.FalseResult)
	if cond == nil || yes == nil || no == nil {
		return nil
	}
	f := c.asBool(cond, e.Condition.Range())
	if f == nil {
		return nil
	}
	typ, ok := unify(yes, no)
	if !ok {
		c.errorf(e.SrcRange, "Results of different types", "One result is %s, the other %s.", constant.TypeName(yes.Type), constant.TypeName(no.Type))
		return nil
	}
	switch typ {
	case cty.String:
		if !yes.Nullable && !no.Nullable {
			a, b := c.asText(yes, e.TrueResult.Range()), c.asText(no, e.FalseResult.Range())
			return closure.StrNode(closure.Pick(f, a, b))
		}
	case cty.Number:
		if !yes.Nullable && !no.Nullable {
			return closure.NumNode(closure.Pick(f, yes.Num, no.Num))
		}
	case cty.Bool:
		if !yes.Nullable && !no.Nullable {
			return closure.BoolNode(closure.Pick(f, yes.Bool, no.Bool))
		}
	}
	return closure.ValNode(typ, closure.Pick(f, closure.As(typ, yes), closure.As(typ, no)))
}

// unify finds the type that both results have.
func unify(a, b *closure.Node) (cty.Type, bool) {
	switch {
	case a.Type.Equals(b.Type):
		return a.Type, true
	case a.IsConst && a.Const.IsNull():
		return b.Type, true
	case b.IsConst && b.Const.IsNull():
		return a.Type, true
	case a.Type == cty.DynamicPseudoType, b.Type == cty.DynamicPseudoType:
		return cty.DynamicPseudoType, true
	}
	t, _ := convert.UnifyUnsafe([]cty.Type{a.Type, b.Type})
	if t == cty.NilType {
		return t, false
	}
	return t, true
}
