package compile

import (
	"bytes"
	"math"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/value"
)

var errDivide = &value.Error{Reason: "division by zero"}

func (c *compiler) unary(e *hclsyntax.UnaryOpExpr) *Node {
	n := c.expr(e.Val)
	if n == nil {
		return nil
	}
	if e.Op == hclsyntax.OpLogicalNot {
		f := c.asBool(n, e.Val.Range())
		if f == nil {
			return nil
		}
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
			b, err := f(s)
			return !b && err == nil, err
		})
	}
	f := c.asNumber(n, e.Val.Range())
	if f == nil {
		return nil
	}
	return NumNode(func(s *value.Scratch) (float64, *value.Error) {
		x, err := f(s)
		return -x, err
	})
}

func (c *compiler) binary(e *hclsyntax.BinaryOpExpr) *Node {
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
	if n := compareNode(e.Op, a, b); n != nil {
		return n
	}
	return arithmeticNode(e.Op, a, b)
}

func compareNode(op *hclsyntax.Operation, a, b NumFn) *Node {
	var f func(x, y float64) bool
	switch op {
	case hclsyntax.OpGreaterThan:
		f = func(x, y float64) bool { return x > y }
	case hclsyntax.OpGreaterThanOrEqual:
		f = func(x, y float64) bool { return x >= y }
	case hclsyntax.OpLessThan:
		f = func(x, y float64) bool { return x < y }
	case hclsyntax.OpLessThanOrEqual:
		f = func(x, y float64) bool { return x <= y }
	default:
		return nil
	}
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err != nil {
			return false, err
		}
		y, err := b(s)
		if err != nil {
			return false, err
		}
		return f(x, y), nil
	})
}

func arithmeticNode(op *hclsyntax.Operation, a, b NumFn) *Node {
	var f func(x, y float64) (float64, *value.Error)
	switch op {
	case hclsyntax.OpAdd:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x + y) }
	case hclsyntax.OpSubtract:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x - y) }
	case hclsyntax.OpMultiply:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x * y) }
	case hclsyntax.OpDivide:
		f = func(x, y float64) (float64, *value.Error) {
			if y == 0 {
				return 0, errDivide
			}
			return value.Finite(x / y)
		}
	default:
		f = func(x, y float64) (float64, *value.Error) {
			if y == 0 {
				return 0, errDivide
			}
			return value.Finite(math.Mod(x, y))
		}
	}
	return NumNode(func(s *value.Scratch) (float64, *value.Error) {
		x, err := a(s)
		if err != nil {
			return 0, err
		}
		y, err := b(s)
		if err != nil {
			return 0, err
		}
		return f(x, y)
	})
}

// logical compiles && and ||. As in HCL a side that decides the result counts even when the other has none, so an event error on
// the left is forgiven when the right side decides.
func (c *compiler) logical(e *hclsyntax.BinaryOpExpr, l, r *Node) *Node {
	decides := e.Op == hclsyntax.OpLogicalOr // the value that decides
	a, b := c.asBool(l, e.LHS.Range()), c.asBool(r, e.RHS.Range())
	if a == nil || b == nil {
		return nil
	}
	for _, side := range []struct {
		n *Node
		f BoolFn
	}{{l, a}, {r, b}} {
		if !side.n.konst {
			continue
		}
		if v, err := side.f(nil); err == nil && v == decides {
			return constNode(cty.BoolVal(v))
		}
	}
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err == nil && x == decides {
			return decides, nil
		}
		y, err2 := b(s)
		if err2 == nil && y == decides {
			return decides, nil
		}
		if err == nil {
			err = err2
		}
		return !decides && err == nil, err
	})
}

// equality compiles == and !=, refusing what would be the same for every event.
func (c *compiler) equality(e *hclsyntax.BinaryOpExpr, l, r *Node, not bool) *Node {
	if c.mismatch(e, l, r) {
		return nil
	}
	if l.typ == cty.String && r.typ == cty.String && !l.Nullable && !r.Nullable {
		a, b := l.s, r.s
		if t, ok := r.text(); ok {
			want := []byte(t)
			return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
				x, err := a(s)
				return err == nil && bytes.Equal(x, want) != not, err
			})
		}
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
			x, err := a(s)
			if err != nil {
				return false, err
			}
			y, err := b(s)
			return err == nil && bytes.Equal(x, y) != not, err
		})
	}
	if l.typ == cty.Number && r.typ == cty.Number && !l.Nullable && !r.Nullable {
		a, b := l.n, r.n
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
			x, err := a(s)
			if err != nil {
				return false, err
			}
			y, err := b(s)
			return err == nil && (x == y) != not, err
		})
	}
	a, b := l.v, r.v
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err != nil {
			return false, err
		}
		y, err := b(s)
		if err != nil {
			return false, err
		}
		same, err := x.Equals(y)
		return err == nil && same != not, err
	})
}

// mismatch reports a comparison whose two sides can never be equal.
func (c *compiler) mismatch(e *hclsyntax.BinaryOpExpr, l, r *Node) bool {
	for _, x := range []struct{ n, other *Node }{{l, r}, {r, l}} {
		if x.n.konst && x.n.ck.IsNull() && !x.other.Nullable && x.other.typ != cty.DynamicPseudoType {
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
func (c *compiler) differ(whole, lr, rr hcl.Range, l, r *Node) bool {
	// try() with results of several types: none of them may be one that never equals the other side.
	for _, arm := range l.mixed {
		if c.differ(whole, lr, rr, arm, r) {
			return true
		}
	}
	for _, arm := range r.mixed {
		if c.differ(whole, lr, rr, l, arm) {
			return true
		}
	}
	if l.typ.IsPrimitiveType() != r.typ.IsPrimitiveType() && l.typ != cty.DynamicPseudoType && r.typ != cty.DynamicPseudoType && !l.Nullable && !r.Nullable {
		c.errorf(whole, "Values of different types", "%s and %s are never equal.%s", diag.UpperFirst(constant.TypeName(l.typ)), constant.TypeName(r.typ), c.oneHeader(lr, rr))
		return true
	}
	if !l.typ.IsPrimitiveType() || !r.typ.IsPrimitiveType() || l.typ == r.typ {
		return c.noTime(whole, l, r) || c.noTime(whole, r, l)
	}
	text, at, other := l, lr, r
	if r.typ == cty.String {
		text, at, other = r, rr, l
	}
	if text.typ != cty.String {
		c.errorf(whole, "Values of different types", "A number and a bool are never equal.")
		return true
	}
	advice := "Write the other side as a text, in quotes."
	switch {
	case text.konst:
	case other.typ == cty.Number:
		advice = "Convert it: tonumber(" + c.source(at) + ")."
	case other.typ == cty.Bool:
		advice = "Convert it: tobool(" + c.source(at) + ")."
	}
	c.errorf(whole, "Values of different types", "A text and %s are never equal. %s", constant.TypeName(other.typ), advice)
	return true
}

// noTime reports a time that is compared with a text that is none.
func (c *compiler) noTime(whole hcl.Range, t, other *Node) bool {
	text, ok := other.text()
	if t.t == nil || t.konst || !ok {
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
func (c *compiler) conditional(e *hclsyntax.ConditionalExpr) *Node {
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
		c.errorf(e.SrcRange, "Results of different types", "One result is %s, the other %s.", constant.TypeName(yes.typ), constant.TypeName(no.typ))
		return nil
	}
	switch typ {
	case cty.String:
		if !yes.Nullable && !no.Nullable {
			a, b := c.asText(yes, e.TrueResult.Range()), c.asText(no, e.FalseResult.Range())
			return StrNode(pick(f, a, b))
		}
	case cty.Number:
		if !yes.Nullable && !no.Nullable {
			return NumNode(pick(f, yes.n, no.n))
		}
	case cty.Bool:
		if !yes.Nullable && !no.Nullable {
			return BoolNode(pick(f, yes.b, no.b))
		}
	}
	return ValNode(typ, pick(f, as(typ, yes), as(typ, no)))
}

// pick chooses between two closures of one type.
func pick[T any](f BoolFn, a, b func(*value.Scratch) (T, *value.Error)) func(*value.Scratch) (T, *value.Error) {
	return func(s *value.Scratch) (T, *value.Error) {
		ok, err := f(s)
		if err != nil {
			var none T
			return none, err
		}
		if ok {
			return a(s)
		}
		return b(s)
	}
}

// unify finds the type that both results have.
func unify(a, b *Node) (cty.Type, bool) {
	switch {
	case a.typ.Equals(b.typ):
		return a.typ, true
	case a.konst && a.ck.IsNull():
		return b.typ, true
	case b.konst && b.ck.IsNull():
		return a.typ, true
	case a.typ == cty.DynamicPseudoType, b.typ == cty.DynamicPseudoType:
		return cty.DynamicPseudoType, true
	}
	t, _ := convert.UnifyUnsafe([]cty.Type{a.typ, b.typ})
	if t == cty.NilType {
		return t, false
	}
	return t, true
}
