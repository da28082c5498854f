package hclspec

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// checkVersion checks required_version, such as ">= 0.1, < 2", against this program's version.
func (l *loader) checkVersion(want string, at hcl.Range) {
	if want == "" {
		return
	}
	have, known := parseVersion(strings.TrimPrefix(l.opts.Version, "v"))
	for _, c := range strings.Split(want, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimRight(c[:len(c)-len(strings.TrimLeft(c, "<>=!~"))], " ")
		v, ok := parseVersion(strings.TrimSpace(c[len(op):]))
		if !ok || !contains([]string{"", "=", "!=", ">", ">=", "<", "<=", "~>"}, op) {
			l.fail(at, "Invalid version", "%q is not a condition on versions. Write one such as \">= 0.1\" or \"~> 1.2\".", c)
			return
		}
		if known && !versionFits(have, op, v) {
			l.fail(at, "Wrong version of collect", "The configuration asks for collect %s; this is %s.", want, l.opts.Version)
			return
		}
	}
}

type version struct {
	n     [3]int
	parts int
}

func parseVersion(s string) (version, bool) {
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

func versionFits(have version, op string, want version) bool {
	c := have.compare(want)
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
	return c >= 0 && have.compare(limit) < 0
}
