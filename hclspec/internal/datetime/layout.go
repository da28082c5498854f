package datetime

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// Layout is a parsed layout of formatdate: YYYY MM DD hh mm ss and so on, as in Terraform.
type Layout struct {
	ops  []layoutOp
	unit int64 // how long the text stays the same, in seconds: 1, 60, 3600 or 86400
	zone bool  // the text shows the offset
	half bool  // it shows a 12-hour clock without saying which half
}

// layoutOp is a verb with its length, or literal text (verb 0).
type layoutOp struct {
	verb byte
	n    int
	lit  string
}

const quote = '\''

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// ParseLayout reads a layout; the error names the part that is wrong.
func ParseLayout(text string) (*Layout, error) {
	l := &Layout{unit: daySeconds}
	var h12, ampm bool
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == quote:
			lit, next, err := quoted(text, i)
			if err != nil {
				return nil, err
			}
			l.ops, i = append(l.ops, layoutOp{lit: lit}), next
		case isLetter(c):
			for i < len(text) && text[i] == c {
				i++
			}
			n := i - start
			if !validVerb(c, n) {
				return nil, fmt.Errorf("invalid date format verb %q: %s", text[start:i], verbAdvice(c))
			}
			l.ops = append(l.ops, layoutOp{verb: c, n: n})
			l.note(c)
			h12, ampm = h12 || c == 'H', ampm || c|0x20 == 'a'
		default:
			for i < len(text) && text[i] != quote && !isLetter(text[i]) {
				i++
			}
			l.ops = append(l.ops, layoutOp{lit: text[start:i]})
		}
	}
	l.half = h12 && !ampm
	return l, nil
}

// What is said of a layout that shows hours of 12 as if they were of 24.
const (
	HalfDaySummary = "12-hour clock without AM or PM"
	HalfDayAdvice  = "H and HH are the 12-hour clock, so half past two in the afternoon is 02:30. Use hh for 24 hours, or add AA."
)

// HalfDay says whether the layout shows a 12-hour clock without saying which half of the day it is.
func (l *Layout) HalfDay() bool { return l.half }

func (l *Layout) note(verb byte) {
	switch verb {
	case 's':
		l.unit = 1
	case 'm':
		l.unit = min(l.unit, 60)
	case 'h', 'H', 'a', 'A':
		l.unit = min(l.unit, 3600)
	case 'Z':
		l.zone = true
	}
}

// quoted reads 'text', in which ” stands for one quote; ” alone is one quote, too.
func quoted(text string, i int) (string, int, error) {
	if strings.HasPrefix(text[i:], "''") {
		return "'", i + 2, nil
	}
	var out strings.Builder
	for i++; i < len(text); i++ {
		if text[i] != quote {
			out.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == quote {
			out.WriteByte(quote)
			i++
			continue
		}
		return out.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("unterminated literal '")
}

func validVerb(c byte, n int) bool {
	switch c {
	case 'Y':
		return n == 2 || n == 4
	case 'M':
		return n <= 4
	case 'D', 'h', 'H', 'm', 's':
		return n <= 2
	case 'E':
		return n == 3 || n == 4
	case 'A', 'a':
		return n == 2
	case 'Z':
		return n == 1 || n >= 3 && n <= 5
	}
	return false
}

func verbAdvice(c byte) string {
	switch c {
	case 'Y', 'y':
		return "year must either be \"YY\" or \"YYYY\""
	case 'M':
		return "month must be \"M\", \"MM\", \"MMM\", or \"MMMM\""
	case 'D', 'd':
		return "day of month must either be \"D\" or \"DD\""
	case 'E':
		return "day of week must either be \"EEE\" or \"EEEE\""
	case 'h':
		return "24-hour must either be \"h\" or \"hh\""
	case 'H':
		return "12-hour must either be \"H\" or \"HH\""
	case 'A', 'a':
		return "must be \"AA\" or \"aa\""
	case 'm':
		return "minute must either be \"m\" or \"mm\""
	case 's', 'S':
		return "second must either be \"s\" or \"ss\""
	case 'Z':
		return "timezone must be Z, ZZZ, ZZZZ, or ZZZZZ"
	}
	return "quote literal letters with '"
}

// format writes an instant.
func (l *Layout) format(b []byte, t Instant) []byte {
	c := t.civil()
	for i := range l.ops {
		op := &l.ops[i]
		switch op.verb {
		case 0:
			b = append(b, op.lit...)
		case 'Y':
			if op.n == 2 {
				b = appendPadded(b, c.year%100, 2)
			} else {
				b = appendPadded(b, c.year, 4)
			}
		case 'M':
			b = appendName(b, c.month, op.n, time.Month(c.month).String())
		case 'D':
			b = appendPadded(b, c.day, op.n)
		case 'E':
			b = appendName(b, 0, op.n, time.Weekday(c.weekday).String())
		case 'h':
			b = appendPadded(b, c.hour, op.n)
		case 'H':
			b = appendPadded(b, (c.hour+11)%12+1, op.n)
		case 'A', 'a':
			half := "am"
			if c.hour >= 12 {
				half = "pm"
			}
			b = append(b, half[0]-(0x20&^(op.verb&0x20)), half[1]-(0x20&^(op.verb&0x20)))
		case 'm':
			b = appendPadded(b, c.min, op.n)
		case 's':
			b = appendPadded(b, c.sec, op.n)
		case 'Z':
			b = t.appendZoneVerb(b, op.n)
		}
	}
	return b
}

// appendName writes a number for short verbs, the first three letters for three, the whole name for four.
func appendName(b []byte, num, n int, name string) []byte {
	switch n {
	case 3:
		return append(b, name[:3]...)
	case 4:
		return append(b, name...)
	}
	return appendPadded(b, num, n)
}

func (t Instant) appendZoneVerb(b []byte, n int) []byte {
	off := int(t.off)
	switch {
	case n == 1:
		return t.appendZone(b, true)
	case n == 3 && off/60 == 0:
		return append(b, "UTC"...)
	case n == 5:
		return appendOffset(b, off, true)
	}
	return appendOffset(b, off, false)
}

// Parse reads a text in this layout. Without a verb for the zone it is a clock in zone loc.
func (l *Layout) Parse(b []byte, loc *time.Location) (Instant, bool) {
	p := layoutParser{civil: civil{year: 1970, month: 1, day: 1}}
	for i := range l.ops {
		var ok bool
		if b, ok = p.op(&l.ops[i], b); !ok {
			return Instant{}, false
		}
		if l.ops[i].verb == 's' && len(b) > 1 && (b[0] == '.' || b[0] == ',') && !l.next(i, b[0]) {
			if p.nsec, b, ok = fraction(b[1:]); !ok {
				return Instant{}, false
			}
		}
	}
	if len(b) > 0 {
		return Instant{}, false
	}
	return p.instant(loc)
}

// next says whether the layout itself goes on with a byte after operation i.
func (l *Layout) next(i int, c byte) bool {
	return i+1 < len(l.ops) && l.ops[i+1].verb == 0 && l.ops[i+1].lit != "" && l.ops[i+1].lit[0] == c
}

type layoutParser struct {
	civil
	nsec   int32
	off    int
	zoned  bool
	h12    bool
	pm, am bool
}

func (p *layoutParser) op(op *layoutOp, b []byte) (rest []byte, ok bool) {
	switch op.verb {
	case 0:
		return bytes.CutPrefix(b, []byte(op.lit))
	case 'Y':
		if p.year, b, ok = digits(b, op.n); ok && op.n == 2 {
			p.year += 2000
		}
	case 'M':
		if op.n > 2 {
			return parseName(b, op.n, &p.month, 1, 12, func(i int) string { return time.Month(i).String() })
		}
		p.month, b, ok = shortDigits(b, op.n)
	case 'D':
		p.day, b, ok = shortDigits(b, op.n)
	case 'E':
		return parseName(b, op.n, &p.weekday, 0, 6, func(i int) string { return time.Weekday(i).String() })
	case 'h':
		p.hour, b, ok = shortDigits(b, op.n)
	case 'H':
		p.hour, b, ok = shortDigits(b, op.n)
		p.h12 = true
		ok = ok && p.hour >= 1 && p.hour <= 12
	case 'A', 'a':
		if ok = len(b) >= 2 && b[1]|0x20 == 'm' && (b[0]|0x20 == 'a' || b[0]|0x20 == 'p'); ok {
			p.pm, p.am = b[0]|0x20 == 'p', b[0]|0x20 == 'a'
			b = b[2:]
		}
	case 'm':
		p.min, b, ok = shortDigits(b, op.n)
	case 's':
		p.sec, b, ok = shortDigits(b, op.n)
	case 'Z':
		return p.zone(op.n, b)
	}
	return b, ok
}

func (p *layoutParser) zone(n int, b []byte) (rest []byte, ok bool) {
	p.zoned = true
	if n == 3 {
		if rest, ok := bytes.CutPrefix(b, []byte("UTC")); ok {
			return rest, true
		}
	}
	p.off, rest, ok = parseOffset(b, n == 1 || n == 5)
	return rest, ok
}

// shortDigits reads two digits, or with n 1 one or two.
func shortDigits(b []byte, n int) (int, []byte, bool) {
	if v, rest, ok := digits(b, 2); ok || n == 2 {
		return v, rest, ok
	}
	return digits(b, 1)
}

func parseName(b []byte, n int, into *int, from, to int, name func(int) string) ([]byte, bool) {
	for i := from; i <= to; i++ {
		s := name(i)
		if n == 3 {
			s = s[:3]
		}
		if len(b) >= len(s) && strings.EqualFold(string(b[:len(s)]), s) {
			*into = i
			return b[len(s):], true
		}
	}
	return b, false
}

func (p *layoutParser) instant(loc *time.Location) (Instant, bool) {
	if p.h12 && (p.am || p.pm) {
		p.hour %= 12
		if p.pm {
			p.hour += 12
		}
	}
	sec, ok := seconds(p.civil)
	if !ok {
		return Instant{}, false
	}
	if p.zoned {
		return Instant{sec: sec - int64(p.off), nsec: p.nsec, off: int32(p.off)}, true
	}
	if loc == time.UTC {
		return Instant{sec: sec, nsec: p.nsec}, true
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, 0, loc)
	_, off := t.Zone()
	return Instant{sec: t.Unix(), nsec: p.nsec, off: int32(off)}, true
}
