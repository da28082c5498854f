package functions

import (
	"encoding/base64"
	"errors"
	"net/url"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"collect/hclspec/internal/jsontext"
)

func base64EncodeFunc() function.Function {
	return textFunc([]string{"str"}, func(a []string) (string, error) {
		return base64.StdEncoding.EncodeToString([]byte(a[0])), nil
	})
}

func base64DecodeFunc() function.Function {
	return textFunc([]string{"str"}, func(a []string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(a[0])
		if err != nil {
			return "", function.NewArgErrorf(0, "this is not base64")
		}
		if !utf8.Valid(b) {
			return "", function.NewArgErrorf(0, "the decoded bytes are not UTF-8 text")
		}
		return string(b), nil
	})
}

func urlEncodeFunc() function.Function {
	return textFunc([]string{"str"}, func(a []string) (string, error) { return url.QueryEscape(a[0]), nil })
}

// guarded puts a check in front of a function that parses text.
func guarded(f function.Function, check func(text string) error) function.Function {
	run := func(args []cty.Value) error {
		if v := args[0]; v.IsKnown() && !v.IsNull() {
			if err := check(v.AsString()); err != nil {
				return function.NewArgError(0, err)
			}
		}
		return nil
	}
	return function.New(&function.Spec{
		Params: f.Params(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := run(args); err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

func jsonDecodeFunc() function.Function {
	return guarded(stdlib.JSONDecodeFunc, func(text string) error { return jsontext.Check([]byte(text)) })
}

func jsonEncodeFunc() function.Function { return refusingRefs(stdlib.JSONEncodeFunc) }

func csvDecodeFunc() function.Function { return stdlib.CSVDecodeFunc }

var errRefEncoded = errors.New("a reference such as channel.NAME cannot be written as text; use one of its attributes")

// refusingRefs wraps an encoder so that a reference in a value is an error: the library would print what it is in Go.
func refusingRefs(f function.Function) function.Function {
	return function.New(&function.Spec{
		Params: f.Params(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if hasCapsule(args[0].Type()) {
				return cty.NilType, function.NewArgError(0, errRefEncoded)
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

func hasCapsule(t cty.Type) bool {
	switch {
	case t.IsCapsuleType():
		return true
	case t.IsCollectionType():
		return hasCapsule(t.ElementType())
	case t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			if hasCapsule(e) {
				return true
			}
		}
	case t.IsObjectType():
		for _, e := range t.AttributeTypes() {
			if hasCapsule(e) {
				return true
			}
		}
	}
	return false
}
