package functions

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"collect/hclspec/internal/pattern"
)

func replaceFunc() function.Function {
	return textFunc([]string{"str", "substr", "replace"}, func(a []string) (string, error) {
		if p, ok := pattern.InSlashes(a[1]); ok {
			return replacePattern(a[0], p, a[2])
		}
		return replaceText(a[0], a[1], a[2])
	})
}

func regexReplaceFunc() function.Function {
	return textFunc([]string{"str", "pattern", "replace"}, func(a []string) (string, error) {
		return replacePattern(a[0], a[1], a[2])
	})
}

// replaceText replaces every occurrence, within the bound.
func replaceText(s, old, with string) (string, error) {
	if float64(len(s))+float64(strings.Count(s, old))*float64(len(with)) > maxGrown {
		return "", errGrown
	}
	return strings.ReplaceAll(s, old, with), nil
}

// replacePattern replaces every match, within the bound.
func replacePattern(s, src, with string) (string, error) {
	p, err := pattern.Compile(src)
	if err != nil {
		return "", function.NewArgError(1, err)
	}
	out, ok := p.Replace([]byte(s), []byte(with), maxGrown)
	if !ok {
		return "", errGrown
	}
	return string(out), nil
}

// regexFunc is the library's with a bound on the pattern.
func regexFunc() function.Function { return boundedPattern(stdlib.RegexFunc) }

func regexAllFunc() function.Function { return boundedPattern(stdlib.RegexAllFunc) }

func boundedPattern(f function.Function) function.Function {
	check := func(args []cty.Value) error {
		if p := args[0]; p.IsKnown() {
			if err := pattern.CheckLength(p.AsString()); err != nil {
				return function.NewArgError(0, err)
			}
		}
		return nil
	}
	return function.New(&function.Spec{
		Params: f.Params(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := check(args); err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}
