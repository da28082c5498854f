package expr

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func buildDigest(sum func(out, b []byte) []byte) builder {
	return textBuilder(func(s *Scratch, b []byte) ([]byte, *EventError) {
		at := len(s.buf)
		s.buf = sum(s.buf, b)
		return s.since(at), nil
	})
}

var errNotBase64 = &EventError{Reason: "the text is not base64"}

func buildBase64Encode(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(s *Scratch, b []byte) ([]byte, *EventError) {
		at := len(s.buf)
		s.buf = base64.StdEncoding.AppendEncode(s.buf, b)
		return s.since(at), nil
	})(c, e, args, t)
}

// buildBase64Decode compiles base64decode, whose result may be any bytes.
func buildBase64Decode(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(s *Scratch, b []byte) ([]byte, *EventError) {
		at := len(s.buf)
		out, err := base64.StdEncoding.AppendDecode(s.buf, b)
		if err != nil {
			return nil, errNotBase64
		}
		s.buf = out
		return s.since(at), nil
	})(c, e, args, t)
}

// buildJSONDecode compiles jsondecode(text); only what is read of the document is decoded.
func buildJSONDecode(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	in := c.asText(args[0], e.Args[0].Range())
	if in == nil {
		return nil
	}
	return valNode(cty.DynamicPseudoType, func(s *Scratch) (value, *EventError) {
		b, err := in(s)
		if err != nil {
			return value{}, err
		}
		return s.decodeJSON(b)
	})
}

// buildJSONEncode compiles jsonencode(value).
func buildJSONEncode(_ *compiler, _ *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	f := args[0].v
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		v, err := f(s)
		if err != nil {
			return nil, err
		}
		at := len(s.buf)
		s.buf = appendJSON(s.buf, v)
		return s.since(at), nil
	})
}

// appendJSON writes a value; JSON inside of it stays as it was written.
func appendJSON(out []byte, v value) []byte {
	switch v.kind {
	case kindBool:
		return strconv.AppendBool(out, v.b)
	case kindNumber:
		return appendNumber(out, v.n)
	case kindString:
		return appendJSONText(out, v.s)
	case kindJSON:
		return append(out, v.s...)
	case kindList:
		out = append(out, '[')
		for i, e := range v.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, e)
		}
		return append(out, ']')
	case kindObject:
		out = append(out, '{')
		for i, e := range v.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSONText(out, []byte(v.obj.keys[i])), ':')
			out = appendJSON(out, e)
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}

const hexDigits = "0123456789abcdef"

// appendJSONText writes text between quotes, escaping what encoding/json escapes; bytes that are not UTF-8 become U+FFFD.
func appendJSONText(out, b []byte) []byte {
	out = append(out, '"')
	for len(b) > 0 {
		c := b[0]
		if c < utf8.RuneSelf {
			out, b = appendJSONByte(out, c), b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r == '\u2028':
			out = append(out, `\u2028`...)
		case r == '\u2029':
			out = append(out, `\u2029`...)
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return append(out, '"')
}

func appendJSONByte(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\b':
		return append(out, `\b`...)
	case '\f':
		return append(out, `\f`...)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	case '<', '>', '&':
		return append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	if c < 0x20 {
		return append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(out, c)
}
