package closure

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// ToBool gives a closure for a bool; nil: no value of the node's type is one.
func (n *Node) ToBool() BoolFn {
	switch n.Type {
	case cty.Bool:
		return n.Bool
	case cty.String:
		f := n.Str
		return func(s *value.Scratch) (bool, *value.Error) {
			t, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ParseBool(t)
		}
	case cty.DynamicPseudoType:
		f := n.Val
		return func(s *value.Scratch) (bool, *value.Error) {
			v, err := f(s)
			if err != nil {
				return false, err
			}
			return value.ToBool(v)
		}
	}
	return nil
}

// ToNumber gives a closure for a number, as ToBool does.
func (n *Node) ToNumber() NumFn {
	switch n.Type {
	case cty.Number:
		return n.Num
	case cty.String:
		f := n.Str
		return func(s *value.Scratch) (float64, *value.Error) {
			t, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ParseNumber(t)
		}
	case cty.DynamicPseudoType:
		f := n.Val
		return func(s *value.Scratch) (float64, *value.Error) {
			v, err := f(s)
			if err != nil {
				return 0, err
			}
			return value.ToNumber(v)
		}
	}
	return nil
}

// ToText gives a closure for a text, as ToBool does.
func (n *Node) ToText() StrFn {
	switch n.Type {
	case cty.String:
		return n.Str
	case cty.Number:
		f := n.Num
		return func(s *value.Scratch) ([]byte, *value.Error) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.NumberText(x, s), nil
		}
	case cty.Bool:
		f := n.Bool
		return func(s *value.Scratch) ([]byte, *value.Error) {
			x, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.BoolText(x, s), nil
		}
	case cty.DynamicPseudoType:
		f := n.Val
		return func(s *value.Scratch) ([]byte, *value.Error) {
			v, err := f(s)
			if err != nil {
				return nil, err
			}
			return value.ToText(v, s)
		}
	}
	return nil
}

// ParseTime gives the instant that a text is.
func ParseTime(f StrFn) TimeFn {
	return func(s *value.Scratch) (datetime.Instant, *value.Error) {
		b, err := f(s)
		if err != nil {
			return datetime.Instant{}, err
		}
		t, ok := datetime.Parse(b)
		if !ok {
			return t, value.ErrNotTime
		}
		return t, nil
	}
}

// As gives values of a plain type; other types keep what they are.
func As(t cty.Type, n *Node) ValFn {
	f := n.Val
	if n.Type.Equals(t) {
		return f
	}
	switch t {
	case cty.String:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			b, err := value.ToText(v, s)
			return value.Value{Kind: value.String, S: b}, err
		}
	case cty.Number:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			x, err := value.ToNumber(v)
			return value.Value{Kind: value.Number, N: x}, err
		}
	case cty.Bool:
		return func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil || v.Kind == value.Null {
				return v, err
			}
			x, err := value.ToBool(v)
			return value.Value{Kind: value.Bool, B: x}, err
		}
	}
	return f
}
