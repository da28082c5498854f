package functions

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Bounds of one call of a function that can give much more than it takes.
const (
	maxGrown    = 16 << 20  // bytes of text
	maxProduct  = 1_000_000 // elements
	maxDigits   = 1024      // of a text that is read as a number
	growthRoom  = 64        // bytes that any verb may need besides its argument
	textGrowth  = 6         // of a byte that JSON escapes
	elementText = 8         // bytes around an element of JSON
)

var (
	errGrown   = fmt.Errorf("the result would be larger than %d MiB", maxGrown>>20)
	errProduct = fmt.Errorf("the result would hold more than %d elements", maxProduct)
	errDigits  = fmt.Errorf("a number has %d digits at most", maxDigits)
)

// growing puts a bound in front of a function whose result can be much larger than its arguments. estimate never says less than
// what the function would make.
func growing(f function.Function, estimate func(args []cty.Value) float64) function.Function {
	return checked(f, func(args []cty.Value) error {
		if estimate(args) > maxGrown {
			return errGrown
		}
		return nil
	})
}

// checked puts a check in front of a call. The check sees arguments that are known as a whole.
func checked(f function.Function, check func(args []cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type:     f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, a := range args {
				if !a.IsWhollyKnown() {
					return f.Call(args)
				}
			}
			if err := check(args); err != nil {
				return cty.NilVal, err
			}
			return f.Call(args)
		},
	})
}

// textSize is the most that a value takes as text.
func textSize(v cty.Value) float64 {
	if v.IsMarked() {
		v, _ = v.Unmark()
	}
	if !v.IsKnown() || v.IsNull() {
		return growthRoom
	}
	switch t := v.Type(); {
	case t == cty.String:
		return float64(len(v.AsString()))
	case t == cty.Number:
		return growthRoom + math.Abs(float64(v.AsBigFloat().MantExp(nil)))
	case t.IsPrimitiveType() || !v.CanIterateElements():
		return growthRoom
	}
	sum := 0.0
	for it := v.ElementIterator(); it.Next() && sum <= maxGrown; {
		k, x := it.Element()
		sum += elementText + textGrowth*textSize(x)
		if k.Type() == cty.String {
			sum += textGrowth * textSize(k)
		}
	}
	return sum
}

func joinFunc() function.Function {
	return growing(stdlib.JoinFunc, func(args []cty.Value) float64 {
		sep, sum := textSize(args[0]), 0.0
		for _, list := range args[1:] {
			for it := list.ElementIterator(); it.Next(); {
				_, x := it.Element()
				sum += sep + textSize(x)
			}
		}
		return sum
	})
}

func indentFunc() function.Function {
	f := checked(stdlib.IndentFunc, func(args []cty.Value) error {
		if args[0].AsBigFloat().Sign() < 0 {
			return function.NewArgErrorf(0, "a number of spaces is not negative")
		}
		return nil
	})
	return growing(f, func(args []cty.Value) float64 {
		n, _ := args[0].AsBigFloat().Float64()
		text := args[1].AsString()
		return float64(len(text)) + max(n, 0)*float64(1+strings.Count(text, "\n"))
	})
}

// formatVerb is one verb of format: flags, width, precision, number of the argument.
var formatVerb = regexp.MustCompile(`%[-+ #0]*(\d*)(?:\.(\d*))?(?:\[(\d+)\])?`)

// formatSize is the most that a layout gives with arguments of these sizes.
func formatSize(layout string, args []float64) float64 {
	sum, next := float64(len(layout)), 0
	for _, m := range formatVerb.FindAllStringSubmatch(layout, -1) {
		for _, digits := range m[1:3] {
			if digits != "" {
				n, _ := strconv.ParseFloat(digits, 64)
				sum += n
			}
		}
		if m[3] != "" {
			if n, err := strconv.Atoi(m[3]); err == nil {
				next = n - 1
			}
		}
		sum += growthRoom
		if next >= 0 && next < len(args) {
			sum += 2*args[next] + growthRoom // quoted by %q
		}
		next++
	}
	return sum
}

func formatFunc() function.Function {
	return growing(stdlib.FormatFunc, func(args []cty.Value) float64 {
		if args[0].IsNull() {
			return 0
		}
		sizes := make([]float64, len(args)-1)
		for i, a := range args[1:] {
			sizes[i] = textSize(a)
		}
		return formatSize(args[0].AsString(), sizes)
	})
}

// formatListFunc bounds a list as if each element were as long as the longest.
func formatListFunc() function.Function {
	return growing(stdlib.FormatListFunc, func(args []cty.Value) float64 {
		if args[0].IsNull() {
			return 0
		}
		n, sizes := 1, make([]float64, len(args)-1)
		for i, a := range args[1:] {
			t := a.Type()
			if a.IsNull() || !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
				sizes[i] = textSize(a)
				continue
			}
			n = max(n, a.LengthInt())
			for it := a.ElementIterator(); it.Next(); {
				_, x := it.Element()
				sizes[i] = max(sizes[i], textSize(x))
			}
		}
		return float64(n) * formatSize(args[0].AsString(), sizes)
	})
}

func setProductFunc() function.Function {
	return checked(stdlib.SetProductFunc, func(args []cty.Value) error {
		n := float64(len(args))
		for _, a := range args {
			n *= float64(a.LengthInt())
		}
		if n > maxProduct {
			return errProduct
		}
		return nil
	})
}

func parseIntFunc() function.Function {
	return checked(stdlib.ParseIntFunc, func(args []cty.Value) error {
		if v := args[0]; v.Type() == cty.String && !v.IsNull() && len(v.AsString()) > maxDigits {
			return function.NewArgError(0, errDigits)
		}
		return nil
	})
}
