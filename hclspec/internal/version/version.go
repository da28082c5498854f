// Package version holds a version against conditions such as ">= 0.1, < 2".
package version

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fits says whether a version fulfils all conditions. A version that cannot be read, such as that of a development build, fulfils
// every condition.
func Fits(have, conditions string) (bool, error) {
	h, known := parse(strings.TrimPrefix(have, "v"))
	for _, c := range strings.Split(conditions, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimRight(c[:len(c)-len(strings.TrimLeft(c, "<>=!~"))], " ")
		v, ok := parse(strings.TrimSpace(c[len(op):]))
		if !ok || !slices.Contains([]string{"", "=", "!=", ">", ">=", "<", "<=", "~>"}, op) {
			return false, fmt.Errorf("%q is not a condition on versions. Write one such as \">= 0.1\" or \"~> 1.2\"", c)
		}
		if known && !h.fits(op, v) {
			return false, nil
		}
	}
	return true, nil
}

type version struct {
	n     [3]int
	parts int
}

func parse(s string) (version, bool) {
	var v version
	s, _, _ = strings.Cut(s, "-")
	for _, p := range strings.Split(s, ".") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || v.parts == 3 {
			return v, false
		}
		v.n[v.parts] = n
		v.parts++
	}
	return v, true
}

func (v version) compare(o version) int {
	for i := range v.n {
		if v.n[i] != o.n[i] {
			if v.n[i] < o.n[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

func (v version) fits(op string, want version) bool {
	c := v.compare(want)
	switch op {
	case "", "=":
		return c == 0
	case "!=":
		return c != 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	}
	// ~> 1.2 allows 1.9 and not 2.0; ~> 1.2.3 allows 1.2.9 and not 1.3.
	limit := want
	last := max(0, want.parts-2)
	limit.n[last]++
	for i := last + 1; i < 3; i++ {
		limit.n[i] = 0
	}
	return c >= 0 && v.compare(limit) < 0
}
