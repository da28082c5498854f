package expr

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/pattern"
)

// search is a pattern and the text that it is held against.
type search struct {
	p    *pattern.Pattern
	in   strFn
	typ  cty.Type // what a match gives
	keys *shape   // of an object
	nums []int    // numbers of the groups in the order of the value's elements
	fail *EventError
}

// constPattern reads the pattern at argument i, which must be constant.
func (c *compiler) constPattern(e *hclsyntax.FunctionCallExpr, args []*node, i int) *pattern.Pattern {
	src, ok := args[i].text()
	if !ok {
		c.errorf(e.Args[i].Range(), "Pattern per event", "A pattern must not depend on the event: it is compiled once.")
		return nil
	}
	return c.pattern(e, i, src)
}

func (c *compiler) pattern(e *hclsyntax.FunctionCallExpr, i int, src string) *pattern.Pattern {
	p, err := pattern.Compile(src)
	if err != nil {
		c.errorf(e.Args[i].Range(), "Wrong pattern", "%s.", upperFirst(err.Error()))
		return nil
	}
	return p
}

// search compiles the arguments of regex and regexall.
func (c *compiler) search(e *hclsyntax.FunctionCallExpr, args []*node) *search {
	p := c.constPattern(e, args, 0)
	if p == nil {
		return nil
	}
	typ, err := p.Type()
	if err != nil {
		c.errorf(e.Args[0].Range(), "Wrong pattern", "%s.", upperFirst(err.Error()))
		return nil
	}
	in := c.asText(args[1], e.Args[1].Range())
	if in == nil {
		return nil
	}
	src, _ := args[0].text()
	m := &search{p: p, in: in, typ: typ, fail: &EventError{Reason: fmt.Sprintf("the pattern %q does not match", src)}}
	if typ.IsObjectType() {
		m.keys = newShape(slices.Collect(maps.Keys(typ.AttributeTypes())))
		for _, name := range m.keys.keys {
			m.nums = append(m.nums, p.Group(name))
		}
		return m
	}
	for i := range p.Groups() {
		m.nums = append(m.nums, i+1)
	}
	return m
}

// buildRegex compiles regex(pattern, text).
func buildRegex(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	m := c.search(e, args)
	if m == nil {
		return nil
	}
	var n *node
	if m.typ == cty.String {
		n = strNode(m.group(0))
	} else {
		n = valNode(m.typ, m.groups)
		n.nullable = false
	}
	n.ok = func(s *Scratch) *EventError {
		b, err := m.in(s)
		if err != nil {
			return err
		}
		if !m.p.Match(b) {
			return m.fail
		}
		return nil
	}
	n.item = func(i int) *node { return m.groupNode(i + 1) }
	n.field = func(name string) *node { return m.groupNode(m.p.Group(name)) }
	return n
}

// group reads one group; a group that took no part in the match is null.
func (m *search) group(i int) strFn {
	return func(s *Scratch) ([]byte, *EventError) {
		b, err := m.in(s)
		if err != nil {
			return nil, err
		}
		at := m.p.Find(b, &s.ints)
		if at == nil {
			return nil, m.fail
		}
		if at[2*i] < 0 {
			return nil, errNull
		}
		return b[at[2*i]:at[2*i+1]], nil
	}
}

// groupNode is one group without the list of all groups.
func (m *search) groupNode(i int) *node {
	f := m.group(i)
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

// groups reads all groups.
func (m *search) groups(s *Scratch) (value, *EventError) {
	b, err := m.in(s)
	if err != nil {
		return value{}, err
	}
	at := m.p.Find(b, &s.ints)
	if at == nil {
		return value{}, m.fail
	}
	return m.value(b, at, s), nil
}

// value makes the value of a match at these places.
func (m *search) value(b []byte, at []int, s *Scratch) value {
	if len(m.nums) == 0 {
		return value{kind: kindString, s: b[at[0]:at[1]]}
	}
	list := s.room(len(m.nums))
	for i, n := range m.nums {
		if from := at[2*n]; from >= 0 { // a group that took no part stays null
			list[i] = value{kind: kindString, s: b[from:at[2*n+1]]}
		}
	}
	if m.keys == nil {
		return value{kind: kindList, list: list}
	}
	return value{kind: kindObject, list: list, obj: m.keys}
}

// buildRegexAll compiles regexall(pattern, text): all matches as a list.
func buildRegexAll(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	m := c.search(e, args)
	if m == nil {
		return nil
	}
	n := valNode(cty.List(m.typ), func(s *Scratch) (value, *EventError) {
		b, err := m.in(s)
		if err != nil {
			return value{}, err
		}
		all := m.p.FindAll(b)
		list := make([]value, len(all))
		for i, at := range all {
			list[i] = m.value(b, at, s)
		}
		return value{kind: kindList, list: list}, nil
	})
	n.nullable = false
	return n
}
