package compile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// asBool gives a closure for a bool, or reports why there is none.
func (c *compiler) asBool(n *closure.Node, at hcl.Range) closure.BoolFn {
	if c.isNull(n, at) || n.Type == cty.String && c.constBad(n, at, cty.Bool) {
		return nil
	}
	f := n.ToBool()
	if f == nil {
		c.typeError(n, at, "true or false")
	}
	return f
}

// asNumber gives a closure for a number, as asBool does.
func (c *compiler) asNumber(n *closure.Node, at hcl.Range) closure.NumFn {
	if n.Time != nil && !n.IsConst {
		c.errorf(at, "Time used as a number", "A time is a text such as \"2026-11-22T17:39:22Z\". timecmp(a, b) compares two times; formatdate makes a number's digits of one.")
		return nil
	}
	if c.isNull(n, at) || n.Type == cty.String && c.constBad(n, at, cty.Number) {
		return nil
	}
	f := n.ToNumber()
	if f == nil {
		c.typeError(n, at, "a number")
	}
	return f
}

// asText gives a closure for a text, as asBool does.
func (c *compiler) asText(n *closure.Node, at hcl.Range) closure.StrFn {
	if c.isNull(n, at) {
		return nil
	}
	f := n.ToText()
	if f == nil {
		c.typeError(n, at, "a text")
	}
	return f
}

// asTime gives a closure for an instant, as asBool does.
func (c *compiler) asTime(n *closure.Node, at hcl.Range) closure.TimeFn {
	if n.Time != nil {
		return n.Time
	}
	f := c.asText(n, at)
	if f == nil {
		return nil
	}
	text, ok := n.Text()
	if !ok {
		return closure.ParseTime(f)
	}
	t, ok := datetime.Parse([]byte(text))
	if !ok {
		c.errorf(at, "Wrong time", "%q is not an RFC 3339 time, such as \"2026-11-22T17:39:22Z\".", text)
		return nil
	}
	return func(*value.Scratch) (datetime.Instant, *value.Error) { return t, nil }
}

// isNull reports a constant that is null where a value is needed.
func (c *compiler) isNull(n *closure.Node, at hcl.Range) bool {
	if !n.IsConst || !n.Const.IsNull() {
		return false
	}
	c.errorf(at, "No value", "The value is null.")
	return true
}

// constBad reports a constant text that cannot be converted.
func (c *compiler) constBad(n *closure.Node, at hcl.Range, to cty.Type) bool {
	text, ok := n.Text()
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

func (c *compiler) typeError(n *closure.Node, at hcl.Range, need string) {
	c.errorf(at, "Wrong type", "This is %s, and %s is needed here.", constant.TypeName(n.Type), need)
}
