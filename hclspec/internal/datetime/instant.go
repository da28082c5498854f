// Package datetime is the arithmetic of the language's times: moments with the offset of the zone they are written in, RFC 3339,
// the layouts of formatdate and parsetime, and time zones. It works on bytes and does not allocate on its usual paths; what is
// slow, such as looking a zone's offset up, is remembered in a [Cache].
package datetime

import (
	"math"
	"time"
)

// Instant is a moment with the offset of the zone in which it is written.
type Instant struct {
	sec  int64 // since 1970 UTC
	nsec int32
	off  int32 // seconds east of UTC
}

// Of gives the moment of nanoseconds since 1970 UTC.
func Of(ns int64) Instant {
	sec, rest := ns/1e9, ns%1e9
	if rest < 0 {
		sec, rest = sec-1, rest+1e9
	}
	return Instant{sec: sec, nsec: int32(rest)}
}

// UnixNano gives nanoseconds since 1970 UTC; false means that they do not fit.
func (t Instant) UnixNano() (int64, bool) {
	if limit := int64(math.MaxInt64/1_000_000_000 - 1); t.sec > limit || t.sec < -limit {
		return 0, false
	}
	return t.sec*1e9 + int64(t.nsec), true
}

// Add moves the instant; the zone's offset stays.
func (t Instant) Add(d time.Duration) Instant {
	ns := int64(t.nsec) + int64(d%time.Second)
	t.sec += int64(d / time.Second)
	switch {
	case ns < 0:
		ns, t.sec = ns+1e9, t.sec-1
	case ns >= 1e9:
		ns, t.sec = ns-1e9, t.sec+1
	}
	t.nsec = int32(ns)
	return t
}

// Compare gives -1, 0 or 1; the zones do not matter.
func (t Instant) Compare(u Instant) int {
	switch {
	case t.sec < u.sec || t.sec == u.sec && t.nsec < u.nsec:
		return -1
	case t == u || t.sec == u.sec && t.nsec == u.nsec:
		return 0
	}
	return 1
}

// civil is the calendar date and time of day that a clock in the instant's zone shows.
type civil struct{ year, month, day, hour, min, sec, weekday int }

const daySeconds = 86400

func (t Instant) civil() civil {
	local := t.sec + int64(t.off)
	days := local / daySeconds
	rest := int(local % daySeconds)
	if rest < 0 {
		rest += daySeconds
		days--
	}
	c := civil{hour: rest / 3600, min: rest / 60 % 60, sec: rest % 60}
	c.weekday = int((days%7 + 11) % 7) // 1970-01-01 was a Thursday
	c.year, c.month, c.day = civilDate(days)
	return c
}

// civilDate turns days since 1970 into a date of the Gregorian calendar. Years are counted from March, so that the leap day is the
// last of its year, and in eras of 400 years, after which the calendar repeats.
func civilDate(days int64) (y, m, d int) {
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	y = int(yoe + era*400)
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// civilDays is the inverse of civilDate.
func civilDays(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// AppendText writes RFC 3339; a fraction has nine digits, and is left out when it is zero.
func (t Instant) AppendText(b []byte) []byte {
	b = t.appendSeconds(b)
	if t.nsec != 0 {
		b = append(b, '.')
		b = appendPadded(b, int(t.nsec), 9)
	}
	return t.appendZone(b, true)
}

func (t Instant) appendSeconds(b []byte) []byte {
	c := t.civil()
	b = appendPadded(b, c.year, 4)
	b = append(b, '-')
	b = appendPadded(b, c.month, 2)
	b = append(b, '-')
	b = appendPadded(b, c.day, 2)
	b = append(b, 'T')
	b = appendPadded(b, c.hour, 2)
	b = append(b, ':')
	b = appendPadded(b, c.min, 2)
	b = append(b, ':')
	return appendPadded(b, c.sec, 2)
}

// appendZone writes +hh:mm or +hhmm, and for UTC Z when z is true.
func (t Instant) appendZone(b []byte, colon bool) []byte {
	off := int(t.off)
	if off == 0 && colon {
		return append(b, 'Z')
	}
	return appendOffset(b, off, colon)
}

func appendOffset(b []byte, off int, colon bool) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	b = append(b, sign)
	b = appendPadded(b, off/3600, 2)
	if colon {
		b = append(b, ':')
	}
	return appendPadded(b, off/60%60, 2)
}

// appendPadded writes a number with at least n digits.
func appendPadded(b []byte, v, n int) []byte {
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	var tmp [20]byte
	i := len(tmp)
	for v > 0 || n > 0 {
		i--
		tmp[i] = byte('0' + v%10)
		v /= 10
		n--
	}
	return append(b, tmp[i:]...)
}

// digits reads n decimal digits.
func digits(b []byte, n int) (v int, rest []byte, ok bool) {
	if len(b) < n {
		return 0, b, false
	}
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			return 0, b, false
		}
		v = v*10 + int(c-'0')
	}
	return v, b[n:], true
}

// fraction reads the digits after a point as nanoseconds; what is finer than that is cut.
func fraction(b []byte) (ns int32, rest []byte, ok bool) {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		if n < 9 {
			ns = ns*10 + int32(b[n]-'0')
		}
		n++
	}
	for i := n; i < 9; i++ {
		ns *= 10
	}
	return ns, b[n:], n > 0
}

// Parse reads RFC 3339 in its strict form.
func Parse(b []byte) (Instant, bool) {
	if len(b) < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return Instant{}, false
	}
	y, _, ok1 := digits(b, 4)
	mo, _, ok2 := digits(b[5:], 2)
	d, _, ok3 := digits(b[8:], 2)
	h, _, ok4 := digits(b[11:], 2)
	mi, _, ok5 := digits(b[14:], 2)
	s, rest, ok6 := digits(b[17:], 2)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) {
		return Instant{}, false
	}
	var t Instant
	if rest[0] == '.' {
		if t.nsec, rest, ok1 = fraction(rest[1:]); !ok1 {
			return Instant{}, false
		}
	}
	off, rest, ok := parseOffset(rest, true)
	if !ok || len(rest) > 0 {
		return Instant{}, false
	}
	t.off = int32(off)
	if t.sec, ok = seconds(civil{year: y, month: mo, day: d, hour: h, min: mi, sec: s}); !ok {
		return Instant{}, false
	}
	t.sec -= int64(off)
	return t, true
}

// seconds gives the seconds since 1970 of a date and time of day in UTC.
func seconds(c civil) (int64, bool) {
	if c.month < 1 || c.month > 12 || c.day < 1 || c.day > daysIn(c.year, c.month) || c.hour > 23 || c.min > 59 || c.sec > 59 {
		return 0, false
	}
	return civilDays(c.year, c.month, c.day)*daySeconds + int64(c.hour*3600+c.min*60+c.sec), true
}

// parseOffset reads Z, +hh:mm or +hhmm.
func parseOffset(b []byte, colon bool) (off int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, b, false
	}
	if b[0] == 'Z' {
		return 0, b[1:], true
	}
	neg := b[0] == '-'
	if !neg && b[0] != '+' {
		return 0, b, false
	}
	h, rest, ok := digits(b[1:], 2)
	if !ok || h > 23 {
		return 0, b, false
	}
	if colon {
		if len(rest) == 0 || rest[0] != ':' {
			return 0, b, false
		}
		rest = rest[1:]
	}
	m, rest, ok := digits(rest, 2)
	if !ok || m > 59 {
		return 0, b, false
	}
	off = h*3600 + m*60
	if neg {
		off = -off
	}
	return off, rest, true
}
