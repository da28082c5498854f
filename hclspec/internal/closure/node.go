// Package closure is what an expression becomes: nodes of closures over an event, and the program that runs them. Their memory is
// the scratch of whoever runs them, so the usual paths do not allocate. It reports nothing: what is wrong with an expression
// has been said by package compile, which puts nodes together.
package closure

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// Closures that give a result for the event in the scratch memory.
type (
	BoolFn func(*value.Scratch) (bool, *value.Error)
	NumFn  func(*value.Scratch) (float64, *value.Error)
	StrFn  func(*value.Scratch) ([]byte, *value.Error)
	ValFn  func(*value.Scratch) (value.Value, *value.Error)
	TimeFn func(*value.Scratch) (datetime.Instant, *value.Error)
	okFn   func(*value.Scratch) *value.Error
)

// Node is a compiled expression. A node of a plain type has the closure of that type, every node has Val. The others are
// shortcuts that some nodes offer: Time gives an instant without going through its text, OK says only whether there is a value,
// Item and Field read a part of it.
type Node struct {
	Nullable bool // the value may be null although Type says otherwise
	Total    bool // it has a value for every event
	OK       okFn
	Item     func(i int) *Node       // one element without making the list
	Field    func(name string) *Node // one attribute without making the object

	Type    cty.Type
	IsConst bool
	Const   cty.Value // the constant
	Bool    BoolFn
	Num     NumFn
	Str     StrFn
	Val     ValFn
	Time    TimeFn
	Mixed   []*Node // for a call of try whose arguments have several types
}

// BoolNode makes a node of a bool.
func BoolNode(f BoolFn) *Node {
	return &Node{Type: cty.Bool, Bool: f, Val: func(s *value.Scratch) (value.Value, *value.Error) {
		b, err := f(s)
		return value.Value{Kind: value.Bool, B: b}, err
	}}
}

// NumNode makes a node of a number.
func NumNode(f NumFn) *Node {
	return &Node{Type: cty.Number, Num: f, Val: func(s *value.Scratch) (value.Value, *value.Error) {
		n, err := f(s)
		return value.Value{Kind: value.Number, N: n}, err
	}}
}

// StrNode makes a node of a text.
func StrNode(f StrFn) *Node {
	return &Node{Type: cty.String, Str: f, Val: func(s *value.Scratch) (value.Value, *value.Error) {
		t, err := f(s)
		return value.Value{Kind: value.String, S: t}, err
	}}
}

// ValNode makes a node of any type from a closure that gives values; null where typ is plain is possible.
func ValNode(t cty.Type, f ValFn) *Node {
	n := &Node{Type: t, Val: f, Nullable: true}
	switch t {
	case cty.Bool:
		n.Bool = func(s *value.Scratch) (bool, *value.Error) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ToBool(v)
		}
	case cty.Number:
		n.Num = func(s *value.Scratch) (float64, *value.Error) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ToNumber(v)
		}
	case cty.String:
		n.Str = func(s *value.Scratch) ([]byte, *value.Error) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.ToText(v, s)
		}
	}
	return n
}

// NullNode makes a node of a text that is null where f gives value.ErrNull.
func NullNode(f StrFn) *Node {
	n := ValNode(cty.String, func(s *value.Scratch) (value.Value, *value.Error) {
		b, err := f(s)
		if err == value.ErrNull {
			return value.Value{}, nil
		}
		return value.Value{Kind: value.String, S: b}, err
	})
	n.Str = f
	return n
}

// TimeNode makes a node whose text is an RFC 3339 time.
func TimeNode(f TimeFn) *Node {
	n := StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		t, err := f(s)
		if err != nil {
			return nil, err
		}
		at := len(s.Buf)
		s.Buf = t.AppendText(s.Buf)
		return s.Since(at), nil
	})
	n.Time = f
	return n
}

// ConstNode makes a node of a known value.
func ConstNode(v cty.Value) *Node {
	x := value.FromCty(v)
	n := ValNode(v.Type(), func(*value.Scratch) (value.Value, *value.Error) { return x, nil })
	n.IsConst, n.Const, n.Nullable, n.Total = true, v, x.Kind == value.Null, true
	if x.Kind == value.Null {
		return n
	}
	switch v.Type() {
	case cty.Bool:
		n.Bool = func(*value.Scratch) (bool, *value.Error) { return x.B, nil }
	case cty.Number:
		n.Num = func(*value.Scratch) (float64, *value.Error) { return x.N, nil }
	case cty.String:
		n.Str = func(*value.Scratch) ([]byte, *value.Error) { return x.S, nil }
	}
	return n
}

// UnknownNode stands for a constant that is not known yet.
func UnknownNode(t cty.Type) *Node {
	n := ValNode(t, func(*value.Scratch) (value.Value, *value.Error) { return value.Value{}, value.ErrUnknown })
	return n
}

// Text gives a constant text.
func (n *Node) Text() (string, bool) {
	if n == nil || !n.IsConst || n.Const.IsNull() || n.Type != cty.String {
		return "", false
	}
	return n.Const.AsString(), true
}
