package datetime

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Zone loads a time zone by its name.
func Zone(name string) (*time.Location, error) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, errors.New("a time zone has a name such as \"Asia/Seoul\" or \"UTC\"")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a known time zone, such as \"Asia/Seoul\" or \"UTC\"", name)
	}
	return loc, nil
}

// Cache remembers the dates that were written last and the offsets of zones. Event times repeat, so most dates need no
// arithmetic. The zero value is ready; one goroutine uses it at a time.
type Cache struct {
	dates []dateSeen
	zones []zoneSeen
}

// dateSeen is a date that was written last with a layout.
type dateSeen struct {
	l    *Layout
	unit int64
	off  int32
	text []byte
}

// zoneSeen is the offset that a zone has for some time: between two changes of its clocks.
type zoneSeen struct {
	loc      *time.Location
	from, to int64
	off      int32
}

// Append writes an instant in a layout.
func (c *Cache) Append(b []byte, l *Layout, t Instant) []byte {
	local := t.sec + int64(t.off)
	unit := local / l.unit
	if local < 0 {
		unit = -1 - (-1-local)/l.unit
	}
	var seen *dateSeen
	for i := range c.dates {
		if d := &c.dates[i]; d.l == l {
			seen = d
			break
		}
	}
	if seen == nil {
		if len(c.dates) >= 64 {
			c.dates = c.dates[:0]
		}
		c.dates = append(c.dates, dateSeen{l: l, unit: unit - 1})
		seen = &c.dates[len(c.dates)-1]
	}
	if seen.unit != unit || l.zone && seen.off != t.off {
		seen.unit, seen.off = unit, t.off
		seen.text = l.format(seen.text[:0], t)
	}
	return append(b, seen.text...)
}

// In gives the same moment with the clock of another zone.
func (c *Cache) In(t Instant, loc *time.Location) Instant {
	t.off = c.offset(loc, t.sec)
	return t
}

func (c *Cache) offset(loc *time.Location, sec int64) int32 {
	for i := range c.zones {
		if z := &c.zones[i]; z.loc == loc && sec >= z.from && sec < z.to {
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
	if len(c.zones) >= 16 {
		c.zones = c.zones[:0]
	}
	c.zones = append(c.zones, z)
	return z.off
}
