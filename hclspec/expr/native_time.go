package expr

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// constLayout reads a layout, which must be constant.
func (c *compiler) constLayout(e *hclsyntax.FunctionCallExpr, args []*node) *layout {
	at := e.Args[0].Range()
	text, ok := args[0].text()
	if !ok {
		c.errorf(at, "Layout per event", "A layout must not depend on the event.")
		return nil
	}
	l, err := parseLayout(text)
	if err != nil {
		c.errorf(at, "Wrong layout", "%s.", upperFirst(err.Error()))
		return nil
	}
	if l.half {
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
		return s.date(l, at), nil
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
	loc, err := zoneOf(name)
	if err != nil {
		c.errorf(at, "Unknown time zone", "%s.", upperFirst(err.Error()))
		return nil
	}
	return loc
}

// zoneSeen is the offset that a zone has for some time: between two changes of its clocks.
type zoneSeen struct {
	loc      *time.Location
	from, to int64
	off      int32
}

func (s *Scratch) offset(loc *time.Location, sec int64) int32 {
	for i := range s.zones {
		if z := &s.zones[i]; z.loc == loc && sec >= z.from && sec < z.to {
			return z.off
		}
	}
	t := time.Unix(sec, 0).In(loc)
	_, off := t.Zone()
	start, end := t.ZoneBounds()
	z := zoneSeen{loc: loc, from: -1 << 62, to: 1 << 62, off: int32(off)}
	if !start.IsZero() {
		z.from = start.Unix()
	}
	if !end.IsZero() {
		z.to = end.Unix()
	}
	if len(s.zones) >= 16 {
		s.zones = s.zones[:0]
	}
	s.zones = append(s.zones, z)
	return z.off
}

// buildInTimeZone compiles intimezone(time, zone).
func buildInTimeZone(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	t, loc := c.asTime(args[0], e.Args[0].Range()), c.constZone(e, args[1], 1)
	if t == nil || loc == nil {
		return nil
	}
	n := timeNode(func(s *Scratch) (instant, *EventError) {
		at, err := t(s)
		if err == nil {
			at.off = s.offset(loc, at.sec)
		}
		return at, err
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
		n := timeNode(func(s *Scratch) (instant, *EventError) {
			at, err := t(s)
			return at.add(d), err
		})
		n.total = args[0].total
		return n
	}
	return timeNode(func(s *Scratch) (instant, *EventError) {
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
		return at.add(d), nil
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
		return float64(x.compare(y)), err
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
	fail := &EventError{Reason: "the text is no time of the layout " + literal(args[0].ck)}
	return timeNode(func(s *Scratch) (instant, *EventError) {
		b, err := in(s)
		if err != nil {
			return instant{}, err
		}
		t, ok := l.parse(b, loc)
		if !ok {
			return t, fail
		}
		return t, nil
	})
}
