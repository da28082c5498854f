package closure

import (
	"bytes"
	"math"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/value"
)

// Not gives the opposite.
func Not(f BoolFn) *Node {
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		b, err := f(s)
		return !b && err == nil, err
	})
}

// Negative gives -x.
func Negative(f NumFn) *Node {
	return NumNode(func(s *value.Scratch) (float64, *value.Error) {
		x, err := f(s)
		return -x, err
	})
}

// Either gives && (decides is false) and || (decides is true): decides is the value that settles the result. As in HCL a side
// that settles it counts even when the other has none, so an event error on the left is forgiven when the right side does.
func Either(decides bool, a, b BoolFn) *Node {
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err == nil && x == decides {
			return decides, nil
		}
		y, err2 := b(s)
		if err2 == nil && y == decides {
			return decides, nil
		}
		if err == nil {
			err = err2
		}
		return !decides && err == nil, err
	})
}

// Equal gives == and, with differ, !=.
func Equal(l, r *Node, differ bool) *Node {
	switch {
	case l.Type == cty.String && r.Type == cty.String && !l.Nullable && !r.Nullable:
		return equalTexts(l, r, differ)
	case l.Type == cty.Number && r.Type == cty.Number && !l.Nullable && !r.Nullable:
		a, b := l.Num, r.Num
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
			x, err := a(s)
			if err != nil {
				return false, err
			}
			y, err := b(s)
			return err == nil && (x == y) != differ, err
		})
	}
	a, b := l.Val, r.Val
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err != nil {
			return false, err
		}
		y, err := b(s)
		if err != nil {
			return false, err
		}
		same, err := x.Equals(y)
		return err == nil && same != differ, err
	})
}

func equalTexts(l, r *Node, differ bool) *Node {
	a, b := l.Str, r.Str
	if t, ok := r.Text(); ok {
		want := []byte(t)
		return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
			x, err := a(s)
			return err == nil && bytes.Equal(x, want) != differ, err
		})
	}
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err != nil {
			return false, err
		}
		y, err := b(s)
		return err == nil && bytes.Equal(x, y) != differ, err
	})
}

var errDivide = &value.Error{Reason: "division by zero"}

// Compare gives <, <=, > and >=; nil for another operator.
func Compare(op *hclsyntax.Operation, a, b NumFn) *Node {
	var f func(x, y float64) bool
	switch op {
	case hclsyntax.OpGreaterThan:
		f = func(x, y float64) bool { return x > y }
	case hclsyntax.OpGreaterThanOrEqual:
		f = func(x, y float64) bool { return x >= y }
	case hclsyntax.OpLessThan:
		f = func(x, y float64) bool { return x < y }
	case hclsyntax.OpLessThanOrEqual:
		f = func(x, y float64) bool { return x <= y }
	default:
		return nil
	}
	return BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		x, err := a(s)
		if err != nil {
			return false, err
		}
		y, err := b(s)
		if err != nil {
			return false, err
		}
		return f(x, y), nil
	})
}

// Arithmetic gives +, -, *, / and %. A result that is no finite number is an event error.
func Arithmetic(op *hclsyntax.Operation, a, b NumFn) *Node {
	var f func(x, y float64) (float64, *value.Error)
	switch op {
	case hclsyntax.OpAdd:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x + y) }
	case hclsyntax.OpSubtract:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x - y) }
	case hclsyntax.OpMultiply:
		f = func(x, y float64) (float64, *value.Error) { return value.Finite(x * y) }
	case hclsyntax.OpDivide:
		f = func(x, y float64) (float64, *value.Error) {
			if y == 0 {
				return 0, errDivide
			}
			return value.Finite(x / y)
		}
	default:
		f = func(x, y float64) (float64, *value.Error) {
			if y == 0 {
				return 0, errDivide
			}
			return value.Finite(math.Mod(x, y))
		}
	}
	return NumNode(func(s *value.Scratch) (float64, *value.Error) {
		x, err := a(s)
		if err != nil {
			return 0, err
		}
		y, err := b(s)
		if err != nil {
			return 0, err
		}
		return f(x, y)
	})
}

// Pick chooses between two closures of one type.
func Pick[T any](f BoolFn, a, b func(*value.Scratch) (T, *value.Error)) func(*value.Scratch) (T, *value.Error) {
	return func(s *value.Scratch) (T, *value.Error) {
		ok, err := f(s)
		if err != nil {
			var none T
			return none, err
		}
		if ok {
			return a(s)
		}
		return b(s)
	}
}
