package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bytes is a number of bytes; users write "64MiB".
type Bytes int64

// String gives the canonical form.
func (b Bytes) String() string { return FormatSize(int64(b)) }

// Secret is a string that no output shows.
type Secret string

// String never gives the value away; use Reveal where the value itself is needed.
func (s Secret) String() string { return "(sensitive)" }

// GoString never gives the value away.
func (s Secret) GoString() string { return "(sensitive)" }

// Reveal gives the value.
func (s Secret) Reveal() string { return string(s) }

// Pos is a place in a configuration file. It is not part of an agent's hash.
type Pos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String gives file:line.
func (p Pos) String() string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Expr is the value of an argument that may depend on the event: a constant, a reference, or a residual expression whose
// parts that do not depend on the event are folded into Consts.
type Expr struct {
	Const  any            // string, float64, bool, []any, map[string]any; nil when Src or Ref is set
	Ref    *Ref           // a reference (only where the argument allows both)
	Src    string         // HCL expression, formatted
	Consts map[string]any // values of the root names in Src other than event, such as "var" or "each"
	At     Pos
}

// IsSet says whether the argument was given.
func (e Expr) IsSet() bool { return e.Const != nil || e.Src != "" || e.Ref != nil }

// IsConst says whether the value is the same for every event.
func (e Expr) IsConst() bool { return e.Src == "" }

// Text gives a constant string, or "".
func (e Expr) Text() string {
	s, _ := e.Const.(string)
	return s
}

// Ref is a reference to another object: its address, and the attributes of it that others may read.
type Ref struct {
	Address string            `json:"ref"`
	Attrs   map[string]string `json:"attrs,omitempty"`
}

// IsSet says whether the reference was given.
func (r Ref) IsSet() bool { return r.Address != "" }

// Name gives the last part of the address: "stream" of "channel.stream".
func (r Ref) Name() string { return r.Address[strings.LastIndexByte(r.Address, '.')+1:] }

var sizeUnits = []struct {
	name string
	n    int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"kB", 1e3},
	{"B", 1},
}

// ParseSize reads "64MiB", "1.5GB" or a bare number of bytes.
func ParseSize(s string) (int64, error) {
	t := strings.TrimSpace(s)
	unit := int64(1)
	for _, u := range sizeUnits {
		if strings.HasSuffix(t, u.name) {
			unit, t = u.n, strings.TrimSpace(strings.TrimSuffix(t, u.name))
			break
		}
	}
	f, err := strconv.ParseFloat(t, 64)
	switch {
	case err == nil && f < 0:
		return 0, fmt.Errorf("%q is negative: a size is a number with a unit, such as \"64MiB\" or \"1GB\"", s)
	case err == nil && f*float64(unit) > 1<<62:
		return 0, fmt.Errorf("%q is too large for a size", s)
	case err != nil || f != f:
		return 0, fmt.Errorf("%q is not a size: write a number with a unit, such as \"64MiB\" or \"1GB\"", s)
	}
	return int64(f * float64(unit)), nil
}

// FormatSize gives the shortest exact form with a binary unit.
func FormatSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n >= u.n && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// ParseDuration reads "90s", "1h30m", "7d" or a bare number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	if f, err := strconv.ParseFloat(t, 64); err == nil && f >= 0 && f < 9e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	var days time.Duration
	if i := strings.IndexByte(t, 'd'); i > 0 {
		n, err := strconv.ParseInt(t[:i], 10, 32)
		if err == nil && n >= 0 && n < 100000 {
			days, t = time.Duration(n)*24*time.Hour, t[i+1:]
		}
	}
	if t == "" && days > 0 {
		return days, nil
	}
	d, err := time.ParseDuration(t)
	switch {
	case err == nil && d < 0:
		return 0, fmt.Errorf("%q is negative: a duration is a number with a unit, such as \"100ms\", \"5s\" or \"10m\"", s)
	case err != nil || days+d < 0:
		return 0, fmt.Errorf("%q is not a duration: write a number with a unit, such as \"100ms\", \"5s\" or \"10m\"", s)
	}
	return days + d, nil
}

// FormatDuration gives the canonical form: no units that are zero.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
