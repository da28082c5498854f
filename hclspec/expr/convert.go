package expr

import (
	"math"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/number"
)

var (
	errNull      = &EventError{Reason: "the value is null"}
	errNotNumber = &EventError{Reason: "the text is not a number"}
	errNotBool   = &EventError{Reason: "the text is neither \"true\" nor \"false\""}
	errKind      = &EventError{Reason: "the value has another type than is needed here"}
	errNotTime   = &EventError{Reason: "the text is not an RFC 3339 time"}
	errTimeRange = &EventError{Reason: "the time is out of range"}
	errNotFinite = &EventError{Reason: "the number is too large"}
	errUnknown   = &EventError{Reason: "the value is not known yet"}
)

// toBool converts a value as HCL converts it.
func toBool(v value) (bool, *EventError) {
	switch v.kind {
	case kindBool:
		return v.b, nil
	case kindString:
		return parseBool(v.s)
	case kindNull:
		return false, errNull
	}
	return false, errKind
}

func parseBool(b []byte) (bool, *EventError) {
	switch string(b) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errNotBool
}

func toNumber(v value) (float64, *EventError) {
	switch v.kind {
	case kindNumber:
		return v.n, nil
	case kindString:
		return parseNumber(v.s)
	case kindNull:
		return 0, errNull
	}
	return 0, errKind
}

func toText(v value, s *Scratch) ([]byte, *EventError) {
	switch v.kind {
	case kindString:
		return v.s, nil
	case kindNumber:
		return numberText(v.n, s), nil
	case kindBool:
		return boolText(v.b, s), nil
	case kindNull:
		return nil, errNull
	}
	return nil, errKind
}

func boolText(b bool, s *Scratch) []byte {
	if b {
		return s.text("true")
	}
	return s.text("false")
}

func numberText(f float64, s *Scratch) []byte {
	at := len(s.buf)
	s.buf = number.Append(s.buf, f)
	return s.since(at)
}

func parseNumber(b []byte) (float64, *EventError) {
	f, ok := number.Parse(b)
	if !ok {
		return 0, errNotNumber
	}
	return f, nil
}

// finite turns an overflow into an event error.
func finite(f float64) (float64, *EventError) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, errNotFinite
	}
	return f, nil
}

// asBool gives a closure for a bool, or reports why there is none.
func (c *compiler) asBool(n *node, at hcl.Range) boolFn {
	if c.isNull(n, at) {
		return nil
	}
	switch n.typ {
	case cty.Bool:
		return n.b
	case cty.String:
		if c.constBad(n, at, cty.Bool) {
			return nil
		}
		f := n.s
		return func(s *Scratch) (bool, *EventError) {
			t, err := f(s)
			if err != nil {
				return false, err
			}
			return parseBool(t)
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *Scratch) (bool, *EventError) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return toBool(v)
		}
	}
	c.typeError(n, at, "true or false")
	return nil
}

func (c *compiler) asNumber(n *node, at hcl.Range) numFn {
	if n.t != nil && !n.konst {
		c.errorf(at, "Time used as a number", "A time is a text such as \"2026-11-22T17:39:22Z\". timecmp(a, b) compares two times; formatdate makes a number's digits of one.")
		return nil
	}
	if c.isNull(n, at) {
		return nil
	}
	switch n.typ {
	case cty.Number:
		return n.n
	case cty.String:
		if c.constBad(n, at, cty.Number) {
			return nil
		}
		f := n.s
		return func(s *Scratch) (float64, *EventError) {
			t, err := f(s)
			if err != nil {
				return 0, err
			}
			return parseNumber(t)
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *Scratch) (float64, *EventError) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return toNumber(v)
		}
	}
	c.typeError(n, at, "a number")
	return nil
}

func (c *compiler) asText(n *node, at hcl.Range) strFn {
	if c.isNull(n, at) {
		return nil
	}
	switch n.typ {
	case cty.String:
		return n.s
	case cty.Number:
		f := n.n
		return func(s *Scratch) ([]byte, *EventError) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return numberText(x, s), nil
		}
	case cty.Bool:
		f := n.b
		return func(s *Scratch) ([]byte, *EventError) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return boolText(x, s), nil
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *Scratch) ([]byte, *EventError) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return toText(v, s)
		}
	}
	c.typeError(n, at, "a text")
	return nil
}

// asTime gives a closure for an instant.
func (c *compiler) asTime(n *node, at hcl.Range) timeFn {
	if n.t != nil {
		return n.t
	}
	f := c.asText(n, at)
	if f == nil {
		return nil
	}
	if text, ok := n.text(); ok {
		t, ok := datetime.Parse([]byte(text))
		if !ok {
			c.errorf(at, "Wrong time", "%q is not an RFC 3339 time, such as \"2026-11-22T17:39:22Z\".", text)
			return nil
		}
		return func(*Scratch) (datetime.Instant, *EventError) { return t, nil }
	}
	return func(s *Scratch) (datetime.Instant, *EventError) {
		b, err := f(s)
		if err != nil {
			return datetime.Instant{}, err
		}
		t, ok := datetime.Parse(b)
		if !ok {
			return t, errNotTime
		}
		return t, nil
	}
}

// isNull reports a constant that is null where a value is needed.
func (c *compiler) isNull(n *node, at hcl.Range) bool {
	if !n.konst || !n.ck.IsNull() {
		return false
	}
	c.errorf(at, "No value", "The value is null.")
	return true
}

// constBad reports a constant text that cannot be converted.
func (c *compiler) constBad(n *node, at hcl.Range, to cty.Type) bool {
	text, ok := n.text()
	if !ok {
		return false
	}
	if to == cty.Bool {
		if _, err := parseBool([]byte(text)); err != nil {
			c.errorf(at, "Wrong type", "true or false is needed here, and %q is neither.", text)
			return true
		}
		return false
	}
	if _, ok := number.Parse([]byte(text)); !ok {
		c.errorf(at, "Wrong type", "A number is needed here, and %q is none.", text)
		return true
	}
	return false
}

func (c *compiler) typeError(n *node, at hcl.Range, need string) {
	c.errorf(at, "Wrong type", "This is %s, and %s is needed here.", constant.TypeName(n.typ), need)
}
