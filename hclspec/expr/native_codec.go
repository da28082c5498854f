package expr

import (
	"encoding/base64"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/functions"
)

func buildDigest(sum functions.Digest) builder {
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
