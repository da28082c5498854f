package native

import (
	"time"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// constLayout reads the layout at argument 0, which must be constant.
func constLayout(c *compile.Call) *datetime.Layout {
	text, ok := c.Literal(0)
	if !ok {
		c.FailAt(0, "Layout per event", "A layout must not depend on the event.")
		return nil
	}
	l, err := datetime.ParseLayout(text)
	if err != nil {
		c.Refuse(0, "Wrong layout", err)
		return nil
	}
	if l.HalfDay() {
		c.WarnAt(0, datetime.HalfDaySummary, datetime.HalfDayAdvice)
	}
	return l
}

// buildFormatDate compiles formatdate(layout, time).
func buildFormatDate(c *compile.Call) *closure.Node {
	l, t := constLayout(c), c.Time(1)
	if l == nil || t == nil {
		return nil
	}
	n := closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		at, err := t(s)
		if err != nil {
			return nil, err
		}
		from := len(s.Buf)
		s.Buf = s.Times.Append(s.Buf, l, at)
		return s.Since(from), nil
	})
	n.Total = c.Total(1)
	return n
}

// constZone reads the name of a time zone, which must be constant: loading one reads a database.
func constZone(c *compile.Call, i int) *time.Location {
	name, ok := c.Literal(i)
	if !ok {
		c.FailAt(i, "Time zone per event", "A time zone must not depend on the event.")
		return nil
	}
	loc, err := datetime.Zone(name)
	if err != nil {
		c.Refuse(i, "Unknown time zone", err)
		return nil
	}
	return loc
}

// buildInTimeZone compiles intimezone(time, zone).
func buildInTimeZone(c *compile.Call) *closure.Node {
	t, loc := c.Time(0), constZone(c, 1)
	if t == nil || loc == nil {
		return nil
	}
	n := closure.TimeNode(func(s *value.Scratch) (datetime.Instant, *value.Error) {
		at, err := t(s)
		if err != nil {
			return at, err
		}
		return s.Times.In(at, loc), nil
	})
	n.Total = c.Total(0)
	return n
}

var errNotDuration = &value.Error{Reason: "the text is not a duration such as \"90s\""}

// buildTimeAdd compiles timeadd(time, duration).
func buildTimeAdd(c *compile.Call) *closure.Node {
	t, in := c.Time(0), c.Text(1)
	if t == nil || in == nil {
		return nil
	}
	if text, ok := c.Literal(1); ok {
		d, err := time.ParseDuration(text)
		if err != nil {
			c.FailAt(1, "Wrong duration", "%q is not a duration such as \"90s\" or \"-1h30m\".", text)
			return nil
		}
		n := closure.TimeNode(func(s *value.Scratch) (datetime.Instant, *value.Error) {
			at, err := t(s)
			return at.Add(d), err
		})
		n.Total = c.Total(0)
		return n
	}
	return closure.TimeNode(func(s *value.Scratch) (datetime.Instant, *value.Error) {
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

func buildTimeCmp(c *compile.Call) *closure.Node {
	a, b := c.Time(0), c.Time(1)
	if a == nil || b == nil {
		return nil
	}
	return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
		x, err := a(s)
		if err != nil {
			return 0, err
		}
		y, err := b(s)
		return float64(x.Compare(y)), err
	})
}

// buildParseTime compiles parsetime(layout, text, zone).
func buildParseTime(c *compile.Call) *closure.Node {
	l, in, loc := constLayout(c), c.Text(1), time.UTC
	if c.Len() == 3 {
		loc = constZone(c, 2)
	}
	if l == nil || in == nil || loc == nil {
		return nil
	}
	layout, _ := c.Constant(0)
	fail := &value.Error{Reason: "the text is no time of the layout " + constant.Literal(layout)}
	return closure.TimeNode(func(s *value.Scratch) (datetime.Instant, *value.Error) {
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
