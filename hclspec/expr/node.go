package expr

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/datetime"
)

type (
	boolFn func(*Scratch) (bool, *EventError)
	numFn  func(*Scratch) (float64, *EventError)
	strFn  func(*Scratch) ([]byte, *EventError)
	valFn  func(*Scratch) (value, *EventError)
	timeFn func(*Scratch) (datetime.Instant, *EventError)
	okFn   func(*Scratch) *EventError
)

// node is a compiled expression. A node of a plain type has the closure of that type, every node has v. The others are
// shortcuts that some nodes offer: t gives an instant without going through its text, ok says only whether there is a value,
// item and field read a part of it.
type node struct {
	typ      cty.Type
	konst    bool
	ck       cty.Value // the constant
	nullable bool      // the value may be null although typ says otherwise
	total    bool      // it has a value for every event
	b        boolFn
	n        numFn
	s        strFn
	v        valFn
	t        timeFn
	ok       okFn
	mixed    []*node                 // for a call of try whose arguments have several types
	item     func(i int) *node       // one element without making the list
	field    func(name string) *node // one attribute without making the object
}

func boolNode(f boolFn) *node {
	return &node{typ: cty.Bool, b: f, v: func(s *Scratch) (value, *EventError) {
		b, err := f(s)
		return value{kind: kindBool, b: b}, err
	}}
}

func numNode(f numFn) *node {
	return &node{typ: cty.Number, n: f, v: func(s *Scratch) (value, *EventError) {
		n, err := f(s)
		return value{kind: kindNumber, n: n}, err
	}}
}

func strNode(f strFn) *node {
	return &node{typ: cty.String, s: f, v: func(s *Scratch) (value, *EventError) {
		t, err := f(s)
		return value{kind: kindString, s: t}, err
	}}
}

// valNode makes a node of any type from a closure that gives values; null where typ is plain is possible.
func valNode(t cty.Type, f valFn) *node {
	n := &node{typ: t, v: f, nullable: true}
	switch t {
	case cty.Bool:
		n.b = func(s *Scratch) (bool, *EventError) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return toBool(v)
		}
	case cty.Number:
		n.n = func(s *Scratch) (float64, *EventError) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return toNumber(v)
		}
	case cty.String:
		n.s = func(s *Scratch) ([]byte, *EventError) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return toText(v, s)
		}
	}
	return n
}

// timeNode makes a node whose text is an RFC 3339 time.
func timeNode(f timeFn) *node {
	n := strNode(func(s *Scratch) ([]byte, *EventError) {
		t, err := f(s)
		if err != nil {
			return nil, err
		}
		at := len(s.buf)
		s.buf = t.AppendText(s.buf)
		return s.since(at), nil
	})
	n.t = f
	return n
}

// constNode makes a node of a known value.
func constNode(v cty.Value) *node {
	x := fromCty(v)
	n := valNode(v.Type(), func(*Scratch) (value, *EventError) { return x, nil })
	n.konst, n.ck, n.nullable, n.total = true, v, x.kind == kindNull, true
	if x.kind == kindNull {
		return n
	}
	switch v.Type() {
	case cty.Bool:
		n.b = func(*Scratch) (bool, *EventError) { return x.b, nil }
	case cty.Number:
		n.n = func(*Scratch) (float64, *EventError) { return x.n, nil }
	case cty.String:
		n.s = func(*Scratch) ([]byte, *EventError) { return x.s, nil }
	}
	return n
}

// unknownNode stands for a constant that is not known yet.
func unknownNode(t cty.Type) *node {
	n := valNode(t, func(*Scratch) (value, *EventError) { return value{}, errUnknown })
	return n
}

// text gives a constant text.
func (n *node) text() (string, bool) {
	if n == nil || !n.konst || n.ck.IsNull() || n.typ != cty.String {
		return "", false
	}
	return n.ck.AsString(), true
}
