package expr

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"net/url"
	"unicode/utf8"

	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Digests append their hexadecimal form. These are identifiers, not protection: md5 and sha1 are here for keys that other
// systems expect.

func appendMD5(out, b []byte) []byte {
	sum := md5.Sum(b)
	return hex.AppendEncode(out, sum[:])
}

func appendSHA1(out, b []byte) []byte {
	sum := sha1.Sum(b)
	return hex.AppendEncode(out, sum[:])
}

func appendSHA256(out, b []byte) []byte {
	sum := sha256.Sum256(b)
	return hex.AppendEncode(out, sum[:])
}

func appendSHA512(out, b []byte) []byte {
	sum := sha512.Sum512(b)
	return hex.AppendEncode(out, sum[:])
}

func digestFunc(sum func(out, b []byte) []byte) function.Function {
	return textFunc([]string{"str"}, func(a []string) (string, error) { return string(sum(nil, []byte(a[0]))), nil })
}

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
	return guarded(stdlib.JSONDecodeFunc, func(text string) error {
		if err := checkJSON([]byte(text)); err != nil {
			return errors.New(err.Reason)
		}
		return nil
	})
}

func yamlDecodeFunc() function.Function { return guarded(yaml.YAMLDecodeFunc, checkYAML) }

func yamlEncodeFunc() function.Function { return refusingRefs(yaml.YAMLEncodeFunc) }

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

// Bounds of a YAML document.
const (
	maxYAMLDepth = 64
	maxYAMLWork  = 8 << 20 // bytes that aliases may stand for
)

var (
	errDeepYAML  = errors.New("the YAML is nested deeper than 64 levels")
	errAliasYAML = errors.New("the YAML has too many aliases: they would stand for more than 8 MiB")
)

// checkYAML bounds depth and growth by reading the text only, since the parser recurses and copies aliases. It counts too much rather
// than too little: brackets and signs inside of texts count as well.
func checkYAML(text string) error {
	depth, flow := 0, 0
	var indents []int
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && text[end] != '\n' {
			end++
		}
		line := text[start:end]
		start = end + 1
		col, nested := yamlIndent(line)
		if col < len(line) && line[col] != '#' {
			for len(indents) > 0 && indents[len(indents)-1] >= col {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, col)
			depth = len(indents) + nested
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '{':
				flow++
			case ']', '}':
				flow = max(flow-1, 0)
			}
			if depth+flow > maxYAMLDepth {
				return errDeepYAML
			}
		}
		if depth+flow > maxYAMLDepth {
			return errDeepYAML
		}
	}
	return checkAliases(text)
}

// yamlIndent gives the column of the first content, and how many "- ", "? " stand in front of it on the same line.
func yamlIndent(line string) (col, nested int) {
	first := -1
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ', '\t':
			continue
		case '-', '?', ':':
			if i+1 >= len(line) || line[i+1] == ' ' || line[i+1] == '\t' {
				if first < 0 {
					first = i
				}
				nested++
				continue
			}
		}
		if first < 0 {
			first = i
		}
		return first, nested
	}
	return max(first, 0), nested
}

// checkAliases bounds what aliases can amount to. Where all anchors stand before the first alias, no copied value is made of
// copies, so there is at most one copy for each alias; else copies multiply.
func checkAliases(text string) error {
	aliases, late := 0, false
	for i := range len(text) {
		if text[i] != '*' && text[i] != '&' || i+1 >= len(text) || !yamlWord(text[i+1]) {
			continue
		}
		if i > 0 && !yamlBefore(text[i-1]) {
			continue
		}
		if text[i] == '*' {
			aliases++
		} else if aliases > 0 {
			late = true
		}
	}
	growth := float64(aliases)
	if late {
		// The most that n copies of copies can make of one value, three copies a level.
		growth = math.Pow(3, float64(aliases)/3)
	}
	if growth*float64(len(text)) > maxYAMLWork {
		return errAliasYAML
	}
	return nil
}

func yamlWord(c byte) bool { return c > ' ' && c != ',' && c != ']' && c != '}' }

func yamlBefore(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '[', '{', ',', ':', '-', '?':
		return true
	}
	return false
}
