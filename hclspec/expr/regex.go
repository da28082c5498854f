package expr

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/scan"
)

// maxPattern bounds the source of a regular expression.
const maxPattern = 4 << 10

// matcher is a compiled pattern: the standard library's, and for patterns that need no search among alternatives a quicker one.
type matcher struct {
	re    func() *regexp.Regexp // compiled when it is needed for the first time: the quick way seldom needs it
	fast  *scan.Scanner         // nil: re is used
	names map[string]int
	n     int // number of groups
	err   *EventError
}

// compilePattern compiles a pattern and says what a match gives, as Terraform's regex: the text without groups, a tuple
// with groups, an object with named ones. The matcher is also there when only the groups are wrong.
func compilePattern(src string) (*matcher, cty.Type, error) {
	if len(src) > maxPattern {
		return nil, cty.NilType, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		var se *syntax.Error
		if errors.As(err, &se) {
			return nil, cty.NilType, fmt.Errorf("invalid pattern: %s in %s", se.Code, se.Expr)
		}
		return nil, cty.NilType, fmt.Errorf("invalid pattern: %w", err)
	}
	m := &matcher{n: tree.MaxCap(), err: &EventError{Reason: fmt.Sprintf("the pattern %q does not match", src)}}
	m.re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(src) })
	t, err := m.groups(tree.CapNames())
	m.fast = scan.New(tree)
	return m, t, err
}

func (m *matcher) groups(names []string) (cty.Type, error) {
	if m.n == 0 {
		return cty.String, nil
	}
	m.names = map[string]int{}
	for i, name := range names {
		if i > 0 && name != "" {
			m.names[name] = i
		}
	}
	if len(m.names) == 0 {
		return cty.Tuple(slices.Repeat([]cty.Type{cty.String}, m.n)), nil
	}
	types := map[string]cty.Type{}
	for _, name := range names[1:] {
		if name == "" {
			return cty.NilType, errors.New("invalid pattern: cannot mix both named and unnamed capture groups")
		}
		types[name] = cty.String
	}
	return cty.Object(types), nil
}

// group gives the number of a named group.
func (m *matcher) group(name string) (int, bool) {
	if m == nil {
		return 0, false
	}
	i, ok := m.names[name]
	return i, ok
}

func (m *matcher) match(b []byte) bool {
	if m.fast != nil {
		if ok, sure := m.fast.Match(b); sure {
			return ok
		}
	}
	return m.re().Match(b)
}

// find gives the places of the match and its groups, valid until the next call.
func (m *matcher) find(b []byte, s *Scratch) []int {
	if m.fast != nil {
		if n := m.fast.Slots(); cap(s.ints) < n {
			s.ints = make([]int, n)
		}
		if caps, sure := m.fast.Find(b, s.ints); sure {
			return caps
		}
	}
	if m.n > 0 {
		return m.re().FindSubmatchIndex(b)
	}
	// Find does not allocate, FindIndex does.
	t := m.re().Find(b)
	if t == nil {
		return nil
	}
	from := cap(b) - cap(t)
	s.ints = append(s.ints[:0], from, from+len(t))
	return s.ints
}

// buildRegex compiles regex(pattern, text).
func buildRegex(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	src, ok := args[0].text()
	if !ok {
		c.errorf(e.Args[0].Range(), "Pattern per event", "A pattern must not depend on the event: it is compiled once.")
		return nil
	}
	m, typ, err := compilePattern(src)
	if err != nil {
		c.errorf(e.Args[0].Range(), "Wrong pattern", "%s.", upperFirst(err.Error()))
		return nil
	}
	in := c.asText(args[1], e.Args[1].Range())
	if in == nil {
		return nil
	}
	var n *node
	if typ == cty.String {
		n = strNode(captureFn(m, in, 0))
	} else {
		n = valNode(typ, capturesFn(m, in, typ))
		n.nullable = false
	}
	n.ok = func(s *Scratch) *EventError {
		b, err := in(s)
		if err != nil {
			return err
		}
		if !m.match(b) {
			return m.err
		}
		return nil
	}
	n.re, n.in = m, in
	return n
}

// captureFn reads one group; a group that took no part in the match is null.
func captureFn(m *matcher, in strFn, i int) strFn {
	return func(s *Scratch) ([]byte, *EventError) {
		b, err := in(s)
		if err != nil {
			return nil, err
		}
		at := m.find(b, s)
		if at == nil {
			return nil, m.err
		}
		if at[2*i] < 0 {
			return nil, errNull
		}
		return b[at[2*i]:at[2*i+1]], nil
	}
}

// captureNode is regex(…)[i-1] or regex(…).name without making the list of all groups.
func captureNode(n *node, i int) *node {
	f := captureFn(n.re, n.in, i)
	out := valNode(cty.String, func(s *Scratch) (value, *EventError) {
		b, err := f(s)
		if err == errNull {
			return value{}, nil
		}
		return value{kind: kindString, s: b}, err
	})
	out.s = f
	return out
}

func capturesFn(m *matcher, in strFn, typ cty.Type) valFn {
	var sh *shape
	if typ.IsObjectType() {
		keys := make([]string, 0, m.n)
		for k := range m.names {
			keys = append(keys, k)
		}
		sh = newShape(keys)
	}
	return func(s *Scratch) (value, *EventError) {
		b, err := in(s)
		if err != nil {
			return value{}, err
		}
		at := m.find(b, s)
		if at == nil {
			return value{}, m.err
		}
		return captures(m, b, at, sh, s), nil
	}
}

func captures(m *matcher, b []byte, at []int, sh *shape, s *Scratch) value {
	if m.n == 0 {
		return value{kind: kindString, s: b[at[0]:at[1]]}
	}
	group := func(i int) value {
		if at[2*i] < 0 {
			return value{}
		}
		return value{kind: kindString, s: b[at[2*i]:at[2*i+1]]}
	}
	if sh == nil {
		list := s.room(m.n)
		for i := range list {
			list[i] = group(i + 1)
		}
		return value{kind: kindList, list: list}
	}
	list := s.room(len(sh.keys))
	for i, k := range sh.keys {
		list[i] = group(m.names[k])
	}
	return value{kind: kindObject, list: list, obj: sh}
}
