package native

import (
	"encoding/base64"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/value"
)

func buildDigest(sum functions.Digest) compile.Builder {
	return textBuilder(func(s *value.Scratch, b []byte) ([]byte, *value.Error) {
		at := len(s.Buf)
		s.Buf = sum(s.Buf, b)
		return s.Since(at), nil
	})
}

var errNotBase64 = &value.Error{Reason: "the text is not base64"}

func buildBase64Encode(c *compile.Call) *closure.Node {
	return textBuilder(func(s *value.Scratch, b []byte) ([]byte, *value.Error) {
		at := len(s.Buf)
		s.Buf = base64.StdEncoding.AppendEncode(s.Buf, b)
		return s.Since(at), nil
	})(c)
}

// buildBase64Decode compiles base64decode, whose result may be any bytes.
func buildBase64Decode(c *compile.Call) *closure.Node {
	return textBuilder(func(s *value.Scratch, b []byte) ([]byte, *value.Error) {
		at := len(s.Buf)
		out, err := base64.StdEncoding.AppendDecode(s.Buf, b)
		if err != nil {
			return nil, errNotBase64
		}
		s.Buf = out
		return s.Since(at), nil
	})(c)
}

// buildJSONDecode compiles jsondecode(text); only what is read of the document is decoded.
func buildJSONDecode(c *compile.Call) *closure.Node {
	in := c.Text(0)
	if in == nil {
		return nil
	}
	return closure.ValNode(cty.DynamicPseudoType, func(s *value.Scratch) (value.Value, *value.Error) {
		b, err := in(s)
		if err != nil {
			return value.Value{}, err
		}
		return s.DecodeJSON(b)
	})
}

// buildJSONEncode compiles jsonencode(value).
func buildJSONEncode(c *compile.Call) *closure.Node {
	f := c.Value(0)
	return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		v, err := f(s)
		if err != nil {
			return nil, err
		}
		at := len(s.Buf)
		s.Buf = value.AppendJSON(s.Buf, v)
		return s.Since(at), nil
	})
}
