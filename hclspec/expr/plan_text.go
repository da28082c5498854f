package expr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"github.com/zclconf/go-cty/cty/gocty"

	"collect/hclspec/internal/bounded"
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

// slashPattern gives the pattern in "/…/", which makes replace() work with patterns as in Terraform.
func slashPattern(s string) (string, bool) {
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		return s[1 : len(s)-1], true
	}
	return "", false
}

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
			return cty.StringVal(string(cut([]byte(args[0].AsString()), from, n))), nil
		},
	})
}

func replaceFunc() function.Function {
	return textFunc([]string{"str", "substr", "replace"}, func(a []string) (string, error) {
		if p, ok := slashPattern(a[1]); ok {
			re, err := smallRegexp(p)
			if err != nil {
				return "", function.NewArgError(1, err)
			}
			return replacePatternText(re, a[0], a[2])
		}
		return replaceText(a[0], a[1], a[2])
	})
}

func regexReplaceFunc() function.Function {
	return textFunc([]string{"str", "pattern", "replace"}, func(a []string) (string, error) {
		re, err := smallRegexp(a[1])
		if err != nil {
			return "", function.NewArgError(1, err)
		}
		return replacePatternText(re, a[0], a[2])
	})
}

func smallRegexp(p string) (*regexp.Regexp, error) {
	m, _, err := compilePattern(p)
	if m == nil {
		return nil, err
	}
	return m.re(), nil
}

// regexFunc is the library's with a bound on the pattern.
func regexFunc() function.Function { return boundedPattern(stdlib.RegexFunc) }

func regexAllFunc() function.Function { return boundedPattern(stdlib.RegexAllFunc) }

func boundedPattern(f function.Function) function.Function {
	check := func(args []cty.Value) error {
		if p := args[0]; p.IsKnown() && len(p.AsString()) > maxPattern {
			return function.NewArgErrorf(0, "the pattern is longer than %d bytes", maxPattern)
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

// sensitiveFunc marks a value.
func sensitiveFunc() function.Function {
	return markFunc(func(v cty.Value) cty.Value { return v.Mark(Sensitive) })
}

// nonsensitiveFunc takes the mark off.
func nonsensitiveFunc() function.Function {
	return markFunc(func(v cty.Value) cty.Value {
		v, marks := v.Unmark()
		delete(marks, Sensitive)
		return v.WithMarks(marks)
	})
}

func markFunc(f func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]), nil },
	})
}

// coalesceFunc gives the first argument that is neither null nor an empty text, as Terraform's.
func coalesceFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{
			Name: "vals", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowDynamicType: true,
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			types := make([]cty.Type, len(args))
			for i, a := range args {
				types[i] = a.Type()
			}
			t, _ := convert.UnifyUnsafe(types)
			if t == cty.NilType {
				return t, errors.New("all arguments must have the same type")
			}
			return t, nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			for _, a := range args {
				v, err := convert.Convert(a, t)
				if err != nil {
					return cty.NilVal, err
				}
				if !v.IsKnown() {
					return cty.UnknownVal(t), nil
				}
				if v.IsNull() || t == cty.String && v.AsString() == "" {
					continue
				}
				return v, nil
			}
			return cty.NilVal, errors.New("no argument has a value that is neither null nor empty")
		},
	})
}

// conversion makes tonumber and its like.
func conversion(t cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "v", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) {
			from := args[0].Type()
			if from.Equals(t) || from == cty.DynamicPseudoType {
				return t, nil
			}
			if convert.GetConversionUnsafe(from, t) == nil {
				if t.IsCollectionType() && (from.IsTupleType() || from.IsObjectType()) {
					return cty.NilType, function.NewArgErrorf(0, "the elements have no type in common")
				}
				return cty.NilType, function.NewArgErrorf(0, "%s cannot be made a %s", typeName(from), plainName(t))
			}
			if v := args[0]; v.IsKnown() && t.HasDynamicTypes() {
				w, err := convert.Convert(uniform(v, t), t)
				if err != nil {
					return cty.NilType, function.NewArgError(0, err)
				}
				return w.Type(), nil
			}
			return t, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := convert.Convert(uniform(args[0], t), t)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, fmt.Errorf("cannot convert this value: %w", err))
			}
			return v, nil
		},
	})
}

// plainName names a type without what is in it.
func plainName(t cty.Type) string {
	switch {
	case t.IsListType():
		return "list"
	case t.IsSetType():
		return "set"
	case t.IsMapType():
		return "map"
	}
	return t.FriendlyName()
}

// uniform makes a list of a tuple where that is what is wanted, since it is quicker.
func uniform(v cty.Value, t cty.Type) cty.Value {
	if t.IsListType() || t.IsSetType() {
		return bounded.Uniform(v)
	}
	return v
}

func toNumberFunc() function.Function { return conversion(cty.Number) }
func toStringFunc() function.Function { return conversion(cty.String) }
func toBoolFunc() function.Function   { return conversion(cty.Bool) }
func toSetFunc() function.Function    { return conversion(cty.Set(cty.DynamicPseudoType)) }
func toListFunc() function.Function   { return conversion(cty.List(cty.DynamicPseudoType)) }
func toMapFunc() function.Function    { return conversion(cty.Map(cty.DynamicPseudoType)) }
