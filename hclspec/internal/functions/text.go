package functions

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"

	"collect/hclspec/internal/grapheme"
)

// param is a parameter that is not null.
func param(name string, t cty.Type) function.Parameter {
	return function.Parameter{Name: name, Type: t}
}

// textFunc makes a function from texts to a text.
func textFunc(names []string, f func(args []string) (string, error)) function.Function {
	spec := &function.Spec{
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			in := make([]string, len(args))
			for i, a := range args {
				in[i] = a.AsString()
			}
			out, err := f(in)
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(out), nil
		},
	}
	for _, n := range names {
		spec.Params = append(spec.Params, param(n, cty.String))
	}
	return function.New(spec)
}

func textTest(f func(text, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("str", cty.String), param("part", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func startsWith(s, part string) bool  { return strings.HasPrefix(s, part) }
func endsWith(s, part string) bool    { return strings.HasSuffix(s, part) }
func strContains(s, part string) bool { return strings.Contains(s, part) }

// substrFunc is Terraform's substr; the library's gives the whole rest for a negative offset and length 0.
func substrFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("str", cty.String), param("offset", cty.Number), param("length", cty.Number)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var from, n int
			if err := gocty.FromCtyValue(args[1], &from); err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			if err := gocty.FromCtyValue(args[2], &n); err != nil {
				return cty.NilVal, function.NewArgError(2, err)
			}
			return cty.StringVal(string(grapheme.Cut([]byte(args[0].AsString()), from, n))), nil
		},
	})
}
