package expr

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
)

// constLayout reads a layout, which must be constant.
func (c *compiler) constLayout(e *hclsyntax.FunctionCallExpr, args []*node) *datetime.Layout {
	at := e.Args[0].Range()
	text, ok := args[0].text()
	if !ok {
		c.errorf(at, "Layout per event", "A layout must not depend on the event.")
		return nil
	}
	l, err := datetime.ParseLayout(text)
	if err != nil {
		c.errorf(at, "Wrong layout", "%s.", upperFirst(err.Error()))
		return nil
	}
	if l.HalfDay() {
		c.diags = append(c.diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  HalfDaySummary,
			Detail:   HalfDayAdvice,
			Subject:  &at,
		})
	}
	return l
}

// buildFormatDate compiles formatdate(layout, time).
func buildFormatDate(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	l, t := c.constLayout(e, args), c.asTime(args[1], e.Args[1].Range())
	if l == nil || t == nil {
		return nil
	}
	n := strNode(func(s *Scratch) ([]byte, *EventError) {
		at, err := t(s)
		if err != nil {
			return nil, err
		}
		from := len(s.buf)
		s.buf = s.times.Append(s.buf, l, at)
		return s.since(from), nil
	})
	n.total = args[1].total
	return n
}

// constZone reads the name of a time zone, which must be constant: loading one reads a database.
func (c *compiler) constZone(e *hclsyntax.FunctionCallExpr, n *node, i int) *time.Location {
	at := e.Args[i].Range()
	name, ok := n.text()
	if !ok {
		c.errorf(at, "Time zone per event", "A time zone must not depend on the event.")
		return nil
	}
	loc, err := datetime.Zone(name)
	if err != nil {
		c.errorf(at, "Unknown time zone", "%s.", upperFirst(err.Error()))
		return nil
	}
	return loc
}

// buildInTimeZone compiles intimezone(time, zone).
func buildInTimeZone(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	t, loc := c.asTime(args[0], e.Args[0].Range()), c.constZone(e, args[1], 1)
	if t == nil || loc == nil {
		return nil
	}
	n := timeNode(func(s *Scratch) (datetime.Instant, *EventError) {
		at, err := t(s)
		if err != nil {
			return at, err
		}
		return s.times.In(at, loc), nil
	})
	n.total = args[0].total
	return n
}

var errNotDuration = &EventError{Reason: "the text is not a duration such as \"90s\""}

// buildTimeAdd compiles timeadd(time, duration).
func buildTimeAdd(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	t, in := c.asTime(args[0], e.Args[0].Range()), c.asText(args[1], e.Args[1].Range())
	if t == nil || in == nil {
		return nil
	}
	if text, ok := args[1].text(); ok {
		d, err := time.ParseDuration(text)
		if err != nil {
			c.errorf(e.Args[1].Range(), "Wrong duration", "%q is not a duration such as \"90s\" or \"-1h30m\".", text)
			return nil
		}
		n := timeNode(func(s *Scratch) (datetime.Instant, *EventError) {
			at, err := t(s)
			return at.Add(d), err
		})
		n.total = args[0].total
		return n
	}
	return timeNode(func(s *Scratch) (datetime.Instant, *EventError) {
		at, err := t(s)
		if err != nil {
			return at, err
		}
		b, err := in(s)
		if err != nil {
			return at, err
		}
		d, perr := time.ParseDuration(string(b))
		if perr != nil {
			return at, errNotDuration
		}
		return at.Add(d), nil
	})
}

func buildTimeCmp(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	a, b := c.asTime(args[0], e.Args[0].Range()), c.asTime(args[1], e.Args[1].Range())
	if a == nil || b == nil {
		return nil
	}
	return numNode(func(s *Scratch) (float64, *EventError) {
		x, err := a(s)
		if err != nil {
			return 0, err
		}
		y, err := b(s)
		return float64(x.Compare(y)), err
	})
}

// buildParseTime compiles parsetime(layout, text, zone).
func buildParseTime(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	l, in, loc := c.constLayout(e, args), c.asText(args[1], e.Args[1].Range()), time.UTC
	if len(args) == 3 {
		loc = c.constZone(e, args[2], 2)
	}
	if l == nil || in == nil || loc == nil {
		return nil
	}
	fail := &EventError{Reason: "the text is no time of the layout " + constant.Literal(args[0].ck)}
	return timeNode(func(s *Scratch) (datetime.Instant, *EventError) {
		b, err := in(s)
		if err != nil {
			return datetime.Instant{}, err
		}
		t, ok := l.Parse(b, loc)
		if !ok {
			return t, fail
		}
		return t, nil
	})
}
