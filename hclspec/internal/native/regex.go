package native

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/pattern"
	"collect/hclspec/internal/value"
)

// search is a pattern and the text that it is held against.
type search struct {
	p    *pattern.Pattern
	in   closure.StrFn
	typ  cty.Type     // what a match gives
	keys *value.Shape // of an object
	nums []int        // numbers of the groups in the order of the value's elements
	fail *value.Error
}

// constPattern reads the pattern at argument i, which must be constant.
func constPattern(c *compile.Call, i int) *pattern.Pattern {
	src, ok := c.Literal(i)
	if !ok {
		c.FailAt(i, "Pattern per event", "A pattern must not depend on the event: it is compiled once.")
		return nil
	}
	return compilePattern(c, i, src)
}

func compilePattern(c *compile.Call, i int, src string) *pattern.Pattern {
	p, err := pattern.Compile(src)
	if err != nil {
		c.Refuse(i, "Wrong pattern", err)
		return nil
	}
	return p
}

// newSearch reads the arguments of regex and regexall.
func newSearch(c *compile.Call) *search {
	p := constPattern(c, 0)
	if p == nil {
		return nil
	}
	typ, err := p.Type()
	if err != nil {
		c.Refuse(0, "Wrong pattern", err)
		return nil
	}
	in := c.Text(1)
	if in == nil {
		return nil
	}
	src, _ := c.Literal(0)
	m := &search{p: p, in: in, typ: typ, fail: &value.Error{Reason: fmt.Sprintf("the pattern %q does not match", src)}}
	if typ.IsObjectType() {
		m.keys = value.NewShape(slices.Collect(maps.Keys(typ.AttributeTypes())))
		for _, name := range m.keys.Keys {
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
func buildRegex(c *compile.Call) *closure.Node {
	m := newSearch(c)
	if m == nil {
		return nil
	}
	var n *closure.Node
	if m.typ == cty.String {
		n = closure.StrNode(m.group(0))
	} else {
		n = closure.ValNode(m.typ, m.groups)
		n.Nullable = false
	}
	n.OK = func(s *value.Scratch) *value.Error {
		b, err := m.in(s)
		if err != nil {
			return err
		}
		if !m.p.Match(b) {
			return m.fail
		}
		return nil
	}
	n.Item = func(i int) *closure.Node { return closure.NullNode(m.group(i + 1)) }
	n.Field = func(name string) *closure.Node { return closure.NullNode(m.group(m.p.Group(name))) }
	return n
}

// group reads one group; a group that took no part in the match is null.
func (m *search) group(i int) closure.StrFn {
	return func(s *value.Scratch) ([]byte, *value.Error) {
		b, err := m.in(s)
		if err != nil {
			return nil, err
		}
		at := m.p.Find(b, &s.Ints)
		if at == nil {
			return nil, m.fail
		}
		if at[2*i] < 0 {
			return nil, value.ErrNull
		}
		return b[at[2*i]:at[2*i+1]], nil
	}
}

// groups reads all groups.
func (m *search) groups(s *value.Scratch) (value.Value, *value.Error) {
	b, err := m.in(s)
	if err != nil {
		return value.Value{}, err
	}
	at := m.p.Find(b, &s.Ints)
	if at == nil {
		return value.Value{}, m.fail
	}
	return m.value(b, at, s), nil
}

// value makes the value of a match at these places.
func (m *search) value(b []byte, at []int, s *value.Scratch) value.Value {
	if len(m.nums) == 0 {
		return value.Value{Kind: value.String, S: b[at[0]:at[1]]}
	}
	list := s.Room(len(m.nums))
	for i, n := range m.nums {
		if from := at[2*n]; from >= 0 { // a group that took no part stays null
			list[i] = value.Value{Kind: value.String, S: b[from:at[2*n+1]]}
		}
	}
	if m.keys == nil {
		return value.Value{Kind: value.List, List: list}
	}
	return value.Value{Kind: value.Object, List: list, Obj: m.keys}
}

// buildRegexAll compiles regexall(pattern, text): all matches as a list.
func buildRegexAll(c *compile.Call) *closure.Node {
	m := newSearch(c)
	if m == nil {
		return nil
	}
	n := closure.ValNode(cty.List(m.typ), func(s *value.Scratch) (value.Value, *value.Error) {
		b, err := m.in(s)
		if err != nil {
			return value.Value{}, err
		}
		all := m.p.FindAll(b)
		list := make([]value.Value, len(all))
		for i, at := range all {
			list[i] = m.value(b, at, s)
		}
		return value.Value{Kind: value.List, List: list}, nil
	})
	n.Nullable = false
	return n
}
