package compile

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

type (
	BoolFn func(*value.Scratch) (bool, *value.EventError)
	NumFn  func(*value.Scratch) (float64, *value.EventError)
	StrFn  func(*value.Scratch) ([]byte, *value.EventError)
	ValFn  func(*value.Scratch) (value.Value, *value.EventError)
	TimeFn func(*value.Scratch) (datetime.Instant, *value.EventError)
	okFn   func(*value.Scratch) *value.EventError
)

// Node is a compiled expression. A node of a plain type has the closure of that type, every node has v. The others are
// shortcuts that some nodes offer: t gives an instant without going through its text, ok says only whether there is a value,
// item and field read a part of it.
type Node struct {
	typ      cty.Type
	konst    bool
	ck       cty.Value // the constant
	Nullable bool      // the value may be null although typ says otherwise
	Total    bool      // it has a value for every event
	b        BoolFn
	n        NumFn
	S        StrFn
	v        ValFn
	t        TimeFn
	OK       okFn
	mixed    []*Node                 // for a call of try whose arguments have several types
	Item     func(i int) *Node       // one element without making the list
	Field    func(name string) *Node // one attribute without making the object
}

func BoolNode(f BoolFn) *Node {
	return &Node{typ: cty.Bool, b: f, v: func(s *value.Scratch) (value.Value, *value.EventError) {
		b, err := f(s)
		return value.Value{Kind: value.KindBool, B: b}, err
	}}
}

func NumNode(f NumFn) *Node {
	return &Node{typ: cty.Number, n: f, v: func(s *value.Scratch) (value.Value, *value.EventError) {
		n, err := f(s)
		return value.Value{Kind: value.KindNumber, N: n}, err
	}}
}

func StrNode(f StrFn) *Node {
	return &Node{typ: cty.String, S: f, v: func(s *value.Scratch) (value.Value, *value.EventError) {
		t, err := f(s)
		return value.Value{Kind: value.KindString, S: t}, err
	}}
}

// ValNode makes a node of any type from a closure that gives values; null where typ is plain is possible.
func ValNode(t cty.Type, f ValFn) *Node {
	n := &Node{typ: t, v: f, Nullable: true}
	switch t {
	case cty.Bool:
		n.b = func(s *value.Scratch) (bool, *value.EventError) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ToBool(v)
		}
	case cty.Number:
		n.n = func(s *value.Scratch) (float64, *value.EventError) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ToNumber(v)
		}
	case cty.String:
		n.S = func(s *value.Scratch) ([]byte, *value.EventError) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.ToText(v, s)
		}
	}
	return n
}

// TimeNode makes a node whose text is an RFC 3339 time.
func TimeNode(f TimeFn) *Node {
	n := StrNode(func(s *value.Scratch) ([]byte, *value.EventError) {
		t, err := f(s)
		if err != nil {
			return nil, err
		}
		at := len(s.Buf)
		s.Buf = t.AppendText(s.Buf)
		return s.Since(at), nil
	})
	n.t = f
	return n
}

// constNode makes a node of a known value.
func constNode(v cty.Value) *Node {
	x := value.FromCty(v)
	n := ValNode(v.Type(), func(*value.Scratch) (value.Value, *value.EventError) { return x, nil })
	n.konst, n.ck, n.Nullable, n.Total = true, v, x.Kind == value.KindNull, true
	if x.Kind == value.KindNull {
		return n
	}
	switch v.Type() {
	case cty.Bool:
		n.b = func(*value.Scratch) (bool, *value.EventError) { return x.B, nil }
	case cty.Number:
		n.n = func(*value.Scratch) (float64, *value.EventError) { return x.N, nil }
	case cty.String:
		n.S = func(*value.Scratch) ([]byte, *value.EventError) { return x.S, nil }
	}
	return n
}

// unknownNode stands for a constant that is not known yet.
func unknownNode(t cty.Type) *Node {
	n := ValNode(t, func(*value.Scratch) (value.Value, *value.EventError) { return value.Value{}, value.ErrUnknown })
	return n
}

// text gives a constant text.
func (n *Node) text() (string, bool) {
	if n == nil || !n.konst || n.ck.IsNull() || n.typ != cty.String {
		return "", false
	}
	return n.ck.AsString(), true
}
