package native

import (
	"math"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/value"
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
func buildFormat(c *compile.Call) *closure.Node {
	text, ok := c.Literal(0)
	if !ok {
		return c.PerEvent()
	}
	ops, ok := parseFormat(text)
	if !ok || !plainFormat(c, ops) {
		return checkedFormat(c)
	}
	fs := make([]closure.StrFn, len(ops))
	for i, op := range ops {
		if fs[i] = formatArg(c, op); fs[i] == nil {
			return nil
		}
	}
	return closure.Concat(fs)
}

// checkedFormat takes the slow way, after a try with sample values that finds a layout that can never work.
func checkedFormat(c *compile.Call) *closure.Node {
	sample := make([]cty.Value, c.Len())
	for i := range sample {
		v, fixed := c.Constant(i)
		switch t := c.ArgType(i); {
		case fixed:
			sample[i] = v
		case t == cty.Bool:
			sample[i] = cty.True
		case t == cty.Number || t == cty.String:
			sample[i] = cty.NumberIntVal(1)
		default:
			return c.PerEvent()
		}
	}
	if _, err := c.Func.Call(sample); err != nil {
		c.Fail("Wrong format", "%s.", diag.UpperFirst(err.Error()))
		return nil
	}
	return c.PerEvent()
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
func plainFormat(c *compile.Call, ops []formatOp) bool {
	used := 0
	for _, op := range ops {
		if op.verb == 0 {
			continue
		}
		if used++; op.arg >= c.Len() {
			return false
		}
		t := c.ArgType(op.arg)
		if !t.IsPrimitiveType() || c.Nullable(op.arg) {
			return false
		}
		bare := op.wide < 0 && op.prec < 0 && !op.zero
		switch op.verb {
		case 's', 't':
			if !bare {
				return false
			}
		case 'v':
			if !bare || t == cty.Number {
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
	return used == c.Len()-1
}

var errNotWhole = &value.Error{Reason: "a whole number is required by %d"}

// formatArg gives the text that an operation writes.
func formatArg(c *compile.Call, op formatOp) closure.StrFn {
	if op.verb == 0 {
		lit := []byte(op.lit)
		return func(*value.Scratch) ([]byte, *value.Error) { return lit, nil }
	}
	switch op.verb {
	case 's', 'v':
		return c.Text(op.arg)
	case 't':
		f := c.Boolean(op.arg)
		if f == nil {
			return nil
		}
		return func(s *value.Scratch) ([]byte, *value.Error) {
			b, err := f(s)
			return value.BoolText(b, s), err
		}
	}
	f := c.Number(op.arg)
	if f == nil {
		return nil
	}
	prec := op.prec
	if prec < 0 {
		prec = 6
	}
	return func(s *value.Scratch) ([]byte, *value.Error) {
		x, err := f(s)
		if err != nil {
			return nil, err
		}
		from := len(s.Buf)
		if op.verb == 'f' {
			s.Buf = strconv.AppendFloat(s.Buf, x, 'f', prec, 64)
		} else {
			if x != math.Trunc(x) || math.Abs(x) >= 1<<53 {
				return nil, errNotWhole
			}
			s.Buf = strconv.AppendInt(s.Buf, int64(x), 10)
		}
		return pad(from, op, s), nil
	}
}

// pad widens the number that was written from from on, zeros after the sign.
func pad(from int, op formatOp, s *value.Scratch) []byte {
	n := len(s.Buf) - from
	if n >= op.wide {
		return s.Since(from)
	}
	fill, at := byte(' '), from
	if op.zero {
		fill = '0'
		if s.Buf[from] == '-' {
			at++
		}
	}
	missing := op.wide - n
	for range missing {
		s.Buf = append(s.Buf, fill)
	}
	copy(s.Buf[at+missing:], s.Buf[at:from+n])
	for i := range missing {
		s.Buf[at+i] = fill
	}
	return s.Since(from)
}
