package compile

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

// Node is a compiled expression. A node of a plain type has the closure of that type, every node has v. The others are
// shortcuts that some nodes offer: t gives an instant without going through its text, OK says only whether there is a value,
// Item and Field read a part of it.
type Node struct {
	Nullable bool // the value may be null although typ says otherwise
	Total    bool // it has a value for every event
	OK       okFn
	Item     func(i int) *Node       // one element without making the list
	Field    func(name string) *Node // one attribute without making the object

	typ   cty.Type
	konst bool
	ck    cty.Value // the constant
	b     BoolFn
	n     NumFn
	s     StrFn
	v     ValFn
	t     TimeFn
	mixed []*Node // for a call of try whose arguments have several types
}

// BoolNode makes a node of a bool.
func BoolNode(f BoolFn) *Node {
	return &Node{typ: cty.Bool, b: f, v: func(s *value.Scratch) (value.Value, *value.Error) {
		b, err := f(s)
		return value.Value{Kind: value.Bool, B: b}, err
	}}
}

// NumNode makes a node of a number.
func NumNode(f NumFn) *Node {
	return &Node{typ: cty.Number, n: f, v: func(s *value.Scratch) (value.Value, *value.Error) {
		n, err := f(s)
		return value.Value{Kind: value.Number, N: n}, err
	}}
}

// StrNode makes a node of a text.
func StrNode(f StrFn) *Node {
	return &Node{typ: cty.String, s: f, v: func(s *value.Scratch) (value.Value, *value.Error) {
		t, err := f(s)
		return value.Value{Kind: value.String, S: t}, err
	}}
}

// ValNode makes a node of any type from a closure that gives values; null where typ is plain is possible.
func ValNode(t cty.Type, f ValFn) *Node {
	n := &Node{typ: t, v: f, Nullable: true}
	switch t {
	case cty.Bool:
		n.b = func(s *value.Scratch) (bool, *value.Error) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ToBool(v)
		}
	case cty.Number:
		n.n = func(s *value.Scratch) (float64, *value.Error) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ToNumber(v)
		}
	case cty.String:
		n.s = func(s *value.Scratch) ([]byte, *value.Error) {
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
	n.s = f
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
	n.t = f
	return n
}

// constNode makes a node of a known value.
func constNode(v cty.Value) *Node {
	x := value.FromCty(v)
	n := ValNode(v.Type(), func(*value.Scratch) (value.Value, *value.Error) { return x, nil })
	n.konst, n.ck, n.Nullable, n.Total = true, v, x.Kind == value.Null, true
	if x.Kind == value.Null {
		return n
	}
	switch v.Type() {
	case cty.Bool:
		n.b = func(*value.Scratch) (bool, *value.Error) { return x.B, nil }
	case cty.Number:
		n.n = func(*value.Scratch) (float64, *value.Error) { return x.N, nil }
	case cty.String:
		n.s = func(*value.Scratch) ([]byte, *value.Error) { return x.S, nil }
	}
	return n
}

// unknownNode stands for a constant that is not known yet.
func unknownNode(t cty.Type) *Node {
	n := ValNode(t, func(*value.Scratch) (value.Value, *value.Error) { return value.Value{}, value.ErrUnknown })
	return n
}

// text gives a constant text.
func (n *Node) text() (string, bool) {
	if n == nil || !n.konst || n.ck.IsNull() || n.typ != cty.String {
		return "", false
	}
	return n.ck.AsString(), true
}
