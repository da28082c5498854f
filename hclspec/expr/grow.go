package expr

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
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

// replaceText replaces every occurrence, within the bound.
func replaceText(s, old, with string) (string, error) {
	if float64(len(s))+float64(strings.Count(s, old))*float64(len(with)) > maxGrown {
		return "", errGrown
	}
	return strings.ReplaceAll(s, old, with), nil
}

// replacePattern replaces every match, unless the result is larger than limit.
func replacePattern(re *regexp.Regexp, b, with []byte, limit int) (out []byte, ok bool) {
	refs, end := bytes.Count(with, []byte("$")), 0
	for _, m := range re.FindAllSubmatchIndex(b, -1) {
		out = append(out, b[end:m[0]]...)
		if len(out)+len(with)+refs*(m[1]-m[0])+len(b)-m[1] > limit {
			return nil, false
		}
		out, end = re.Expand(out, with, b, m), m[1]
	}
	return append(out, b[end:]...), true
}

func replacePatternText(re *regexp.Regexp, s, with string) (string, error) {
	out, ok := replacePattern(re, []byte(s), []byte(with), maxGrown)
	if !ok {
		return "", errGrown
	}
	return string(out), nil
}

// distinctFunc is the library's, which compares each element with each other.
func distinctFunc() function.Function {
	f := stdlib.DistinctFunc
	return function.New(&function.Spec{
		Params: f.Params(),
		Type:   f.ReturnTypeForValues,
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() || args[0].LengthInt() == 0 {
				return f.Call(args)
			}
			var out []cty.Value
			seen := map[int][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				_, x := it.Element()
				h := x.Hash()
				if !oneOf(x, seen[h]) {
					seen[h], out = append(seen[h], x), append(out, x)
				}
			}
			return cty.ListVal(out), nil
		},
	})
}

func oneOf(x cty.Value, list []cty.Value) bool {
	for _, y := range list {
		if x.RawEquals(y) {
			return true
		}
	}
	return false
}

// tryFunc is the library's, which evaluates its expressions twice: calls in calls would take twice as long for each level.
func tryFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) == 0 {
				return cty.NilVal, errors.New("at least one expression is needed")
			}
			var first string
			for _, a := range args {
				v, diags := customdecode.ExpressionClosureFromVal(a).Value()
				if !diags.HasErrors() {
					if !v.IsWhollyKnown() {
						return cty.DynamicVal, nil // once it is known it may be another type, or an error
					}
					return v, nil
				}
				if first == "" {
					first = firstError(diags)
				}
			}
			return cty.NilVal, fmt.Errorf("none of the expressions has a value; the first: %s", first)
		},
	})
}

func firstError(diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d.Summary + ": " + strings.TrimSuffix(d.Detail, ".")
		}
	}
	return ""
}
