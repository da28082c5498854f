package expr

import (
	"math"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// formatOp writes one argument, or literal text when verb is 0.
type formatOp struct {
	lit  string
	verb byte
	arg  int
	zero bool
	wide int // least width
	prec int // -1: not given
}

// buildFormat compiles format(layout, …). The common verbs are written here: %s %v %d %f and %t, with zero, width and precision
// where they are plain; any other layout goes through the plan-time function.
func buildFormat(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	text, ok := args[0].text()
	if !ok {
		return c.viaCty(c.funcs["format"].Cty, e, args, t)
	}
	ops, ok := parseFormat(text)
	if !ok || !plainFormat(ops, args[1:]) {
		return c.checkedFormat(e, args, t)
	}
	fs := make([]formatFn, len(ops))
	for i, op := range ops {
		if fs[i] = c.formatOp(op, e, args); fs[i] == nil {
			return nil
		}
	}
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		base := len(s.parts)
		for _, f := range fs {
			b, err := f(s)
			if err != nil {
				s.parts = s.parts[:base]
				return nil, err
			}
			s.parts = append(s.parts, b)
		}
		return s.joinParts(base, nil)
	})
}

type formatFn = strFn

// checkedFormat takes the slow way, after a try with sample values that finds a layout that can never work.
func (c *compiler) checkedFormat(e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	sample := make([]cty.Value, len(args))
	for i, a := range args {
		switch {
		case a.konst:
			sample[i] = a.ck
		case a.typ == cty.Bool:
			sample[i] = cty.True
		case a.typ == cty.Number || a.typ == cty.String:
			sample[i] = cty.NumberIntVal(1)
		default:
			return c.viaCty(c.funcs["format"].Cty, e, args, t)
		}
	}
	if _, err := c.funcs["format"].Cty.Call(sample); err != nil {
		c.errorf(e.Range(), "Wrong format", "%s.", upperFirst(err.Error()))
		return nil
	}
	return c.viaCty(c.funcs["format"].Cty, e, args, t)
}

// parseFormat reads a layout; false means that it holds something that is not handled here.
func parseFormat(text string) ([]formatOp, bool) {
	var ops []formatOp
	lit := func(s string) {
		if n := len(ops); n > 0 && ops[n-1].verb == 0 {
			ops[n-1].lit += s
			return
		}
		ops = append(ops, formatOp{lit: s})
	}
	arg := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			lit(text[i : i+1])
			continue
		}
		if i++; i >= len(text) {
			return nil, false
		}
		if text[i] == '%' {
			lit("%")
			continue
		}
		op := formatOp{prec: -1}
		if text[i] == '0' {
			op.zero = true
			i++
		}
		i, op.wide = smallNumber(text, i)
		if i < len(text) && text[i] == '.' {
			if i, op.prec = smallNumber(text, i+1); op.prec < 0 {
				return nil, false
			}
		}
		if i >= len(text) {
			return nil, false
		}
		arg++
		op.verb, op.arg = text[i], arg
		ops = append(ops, op)
	}
	return ops, true
}

// smallNumber reads up to three digits; -1 means that there is none.
func smallNumber(text string, i int) (next, n int) {
	n = -1
	for at := i; i < len(text) && i < at+3 && text[i] >= '0' && text[i] <= '9'; i++ {
		n = max(n, 0)*10 + int(text[i]-'0')
	}
	return i, n
}

// plainFormat says whether each verb fits its argument in a way that is handled here.
func plainFormat(ops []formatOp, args []*node) bool {
	used := 0
	for _, op := range ops {
		if op.verb == 0 {
			continue
		}
		if used++; op.arg > len(args) {
			return false
		}
		a := args[op.arg-1]
		if !a.typ.IsPrimitiveType() || a.nullable {
			return false
		}
		bare := op.wide < 0 && op.prec < 0 && !op.zero
		switch op.verb {
		case 's', 't':
			if !bare {
				return false
			}
		case 'v':
			if !bare || a.typ == cty.Number {
				return false
			}
		case 'd':
			if op.prec >= 0 {
				return false
			}
		case 'f':
			if op.prec > 15 {
				return false
			}
		default:
			return false
		}
	}
	return used == len(args)
}

var errNotWhole = &EventError{Reason: "a whole number is required by %d"}

func (c *compiler) formatOp(op formatOp, e *hclsyntax.FunctionCallExpr, args []*node) formatFn {
	if op.verb == 0 {
		lit := []byte(op.lit)
		return func(*Scratch) ([]byte, *EventError) { return lit, nil }
	}
	n, at := args[op.arg], e.Args[op.arg].Range()
	switch op.verb {
	case 's', 'v':
		return c.asText(n, at)
	case 't':
		f := c.asBool(n, at)
		if f == nil {
			return nil
		}
		return func(s *Scratch) ([]byte, *EventError) {
			b, err := f(s)
			return boolText(b, s), err
		}
	}
	f := c.asNumber(n, at)
	if f == nil {
		return nil
	}
	prec := op.prec
	if prec < 0 {
		prec = 6
	}
	return func(s *Scratch) ([]byte, *EventError) {
		x, err := f(s)
		if err != nil {
			return nil, err
		}
		from := len(s.buf)
		if op.verb == 'f' {
			s.buf = strconv.AppendFloat(s.buf, x, 'f', prec, 64)
		} else {
			if x != math.Trunc(x) || math.Abs(x) >= 1<<53 {
				return nil, errNotWhole
			}
			s.buf = strconv.AppendInt(s.buf, int64(x), 10)
		}
		return s.pad(from, op), nil
	}
}

// pad widens the number that was written from from on, zeros after the sign.
func (s *Scratch) pad(from int, op formatOp) []byte {
	n := len(s.buf) - from
	if n >= op.wide {
		return s.since(from)
	}
	fill, at := byte(' '), from
	if op.zero {
		fill = '0'
		if s.buf[from] == '-' {
			at++
		}
	}
	missing := op.wide - n
	for range missing {
		s.buf = append(s.buf, fill)
	}
	copy(s.buf[at+missing:], s.buf[at:from+n])
	for i := range missing {
		s.buf[at+i] = fill
	}
	return s.since(from)
}
