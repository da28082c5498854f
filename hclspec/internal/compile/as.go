package compile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// asBool gives a closure for a bool, or reports why there is none.
func (c *compiler) asBool(n *Node, at hcl.Range) BoolFn {
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
		return func(s *value.Scratch) (bool, *value.Error) {
			t, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ParseBool(t)
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *value.Scratch) (bool, *value.Error) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ToBool(v)
		}
	}
	c.typeError(n, at, "true or false")
	return nil
}

func (c *compiler) asNumber(n *Node, at hcl.Range) NumFn {
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
		return func(s *value.Scratch) (float64, *value.Error) {
			t, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ParseNumber(t)
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *value.Scratch) (float64, *value.Error) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ToNumber(v)
		}
	}
	c.typeError(n, at, "a number")
	return nil
}

func (c *compiler) asText(n *Node, at hcl.Range) StrFn {
	if c.isNull(n, at) {
		return nil
	}
	switch n.typ {
	case cty.String:
		return n.s
	case cty.Number:
		f := n.n
		return func(s *value.Scratch) ([]byte, *value.Error) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.NumberText(x, s), nil
		}
	case cty.Bool:
		f := n.b
		return func(s *value.Scratch) ([]byte, *value.Error) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.BoolText(x, s), nil
		}
	case cty.DynamicPseudoType:
		f := n.v
		return func(s *value.Scratch) ([]byte, *value.Error) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.ToText(v, s)
		}
	}
	c.typeError(n, at, "a text")
	return nil
}

// asTime gives a closure for an instant.
func (c *compiler) asTime(n *Node, at hcl.Range) TimeFn {
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
		return func(*value.Scratch) (datetime.Instant, *value.Error) { return t, nil }
	}
	return func(s *value.Scratch) (datetime.Instant, *value.Error) {
		b, err := f(s)
		if err != nil {
			return datetime.Instant{}, err
		}
		t, ok := datetime.Parse(b)
		if !ok {
			return t, value.ErrNotTime
		}
		return t, nil
	}
}

// isNull reports a constant that is null where a value is needed.
func (c *compiler) isNull(n *Node, at hcl.Range) bool {
	if !n.konst || !n.ck.IsNull() {
		return false
	}
	c.errorf(at, "No value", "The value is null.")
	return true
}

// constBad reports a constant text that cannot be converted.
func (c *compiler) constBad(n *Node, at hcl.Range, to cty.Type) bool {
	text, ok := n.text()
	if !ok {
		return false
	}
	if to == cty.Bool {
		if _, err := value.ParseBool([]byte(text)); err != nil {
			c.errorf(at, "Wrong type", "true or false is needed here, and %q is neither.", text)
			return true
		}
		return false
	}
	if _, err := value.ParseNumber([]byte(text)); err != nil {
		c.errorf(at, "Wrong type", "A number is needed here, and %q is none.", text)
		return true
	}
	return false
}

func (c *compiler) typeError(n *Node, at hcl.Range, need string) {
	c.errorf(at, "Wrong type", "This is %s, and %s is needed here.", constant.TypeName(n.typ), need)
}

// as gives values of a plain type; other types keep what they are.
func as(t cty.Type, n *Node) ValFn {
	f := n.v
	if n.typ.Equals(t) {
		return f
	}
	switch t {
	case cty.String:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			b, err := value.ToText(v, s)
			return value.Value{Kind: value.String, S: b}, err
		}
	case cty.Number:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			x, err := value.ToNumber(v)
			return value.Value{Kind: value.Number, N: x}, err
		}
	case cty.Bool:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			x, err := value.ToBool(v)
			return value.Value{Kind: value.Bool, B: x}, err
		}
	}
	return f
}
