package expr

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/grapheme"
	"collect/hclspec/internal/pattern"
)

// textBuilder makes a builder for a function of one text.
func textBuilder(f func(s *Scratch, b []byte) ([]byte, *EventError)) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		in := c.asText(args[0], e.Args[0].Range())
		if in == nil {
			return nil
		}
		return strNode(func(s *Scratch) ([]byte, *EventError) {
			b, err := in(s)
			if err != nil {
				return nil, err
			}
			return f(s, b)
		})
	}
}

// text2Builder makes a builder for a function of two texts.
func text2Builder(f func(s *Scratch, a, b []byte) ([]byte, *EventError)) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		x, y := c.asText(args[0], e.Args[0].Range()), c.asText(args[1], e.Args[1].Range())
		if x == nil || y == nil {
			return nil
		}
		return strNode(func(s *Scratch) ([]byte, *EventError) {
			a, err := x(s)
			if err != nil {
				return nil, err
			}
			b, err := y(s)
			if err != nil {
				return nil, err
			}
			return f(s, a, b)
		})
	}
}

func buildUpper(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(s *Scratch, b []byte) ([]byte, *EventError) {
		return changeCase(s, b, 'a', 'z', bytes.ToUpper), nil
	})(c, e, args, t)
}

func buildLower(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(s *Scratch, b []byte) ([]byte, *EventError) {
		return changeCase(s, b, 'A', 'Z', bytes.ToLower), nil
	})(c, e, args, t)
}

// changeCase flips the ASCII letters from lo to hi; text with others takes the slow way.
func changeCase(s *Scratch, b []byte, lo, hi byte, slow func([]byte) []byte) []byte {
	change := false
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return slow(b)
		}
		change = change || c >= lo && c <= hi
	}
	if !change {
		return b
	}
	at := len(s.buf)
	s.buf = append(s.buf, b...)
	out := s.since(at)
	for i, c := range out {
		if c >= lo && c <= hi {
			out[i] = c ^ 0x20
		}
	}
	return out
}

func buildTrimSpace(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(_ *Scratch, b []byte) ([]byte, *EventError) { return bytes.TrimSpace(b), nil })(c, e, args, t)
}

func buildChomp(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return textBuilder(func(_ *Scratch, b []byte) ([]byte, *EventError) {
		return bytes.TrimRight(b, "\r\n"), nil
	})(c, e, args, t)
}

func buildTrimPrefix(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return text2Builder(func(_ *Scratch, a, b []byte) ([]byte, *EventError) { return bytes.TrimPrefix(a, b), nil })(c, e, args, t)
}

func buildTrimSuffix(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	return text2Builder(func(_ *Scratch, a, b []byte) ([]byte, *EventError) { return bytes.TrimSuffix(a, b), nil })(c, e, args, t)
}

// buildTrim compiles trim(text, characters) with constant characters, the usual case, without making a string per event.
func buildTrim(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	if set, ok := args[1].text(); ok {
		return textBuilder(func(_ *Scratch, b []byte) ([]byte, *EventError) { return bytes.Trim(b, set), nil })(c, e, args, t)
	}
	return text2Builder(func(_ *Scratch, a, b []byte) ([]byte, *EventError) { return bytes.Trim(a, string(b)), nil })(c, e, args, t)
}

func bytesHasPrefix(a, b []byte) bool { return bytes.HasPrefix(a, b) }
func bytesHasSuffix(a, b []byte) bool { return bytes.HasSuffix(a, b) }
func bytesContains(a, b []byte) bool  { return bytes.Contains(a, b) }

func buildTextTest(f func(a, b []byte) bool) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		x, y := c.asText(args[0], e.Args[0].Range()), c.asText(args[1], e.Args[1].Range())
		if x == nil || y == nil {
			return nil
		}
		return boolNode(func(s *Scratch) (bool, *EventError) {
			a, err := x(s)
			if err != nil {
				return false, err
			}
			b, err := y(s)
			return err == nil && f(a, b), err
		})
	}
}

// buildReplace compiles replace(text, part, by); a part in slashes is a pattern.
func buildReplace(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	part, ok := args[1].text()
	if !ok {
		c.errorf(e.Args[1].Range(), "Pattern per event", "What replace() looks for must not depend on the event, since a text in slashes is a pattern.")
		return nil
	}
	if p, ok := pattern.InSlashes(part); ok {
		return c.patternReplace(e, args, c.pattern(e, 1, p))
	}
	x, y := c.asText(args[0], e.Args[0].Range()), c.asText(args[2], e.Args[2].Range())
	if x == nil || y == nil {
		return nil
	}
	old := []byte(part)
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		b, err := x(s)
		if err != nil {
			return nil, err
		}
		by, err := y(s)
		if err != nil {
			return nil, err
		}
		return s.replaceAll(b, old, by)
	})
}

// replaceAll is bytes.ReplaceAll into the scratch memory; without anything to replace the text itself is the result.
func (s *Scratch) replaceAll(b, old, by []byte) ([]byte, *EventError) {
	if len(old) == 0 {
		if !s.fits((len(b) + 1) * (len(by) + 1)) {
			return nil, errTooLarge
		}
		return bytes.ReplaceAll(b, old, by), nil
	}
	i := bytes.Index(b, old)
	if i < 0 {
		return b, nil
	}
	at := len(s.buf)
	for i >= 0 {
		if !s.fits(len(b) + len(by)) {
			s.buf = s.buf[:at]
			return nil, errTooLarge
		}
		s.buf = append(s.buf, b[:i]...)
		s.buf = append(s.buf, by...)
		b = b[i+len(old):]
		i = bytes.Index(b, old)
	}
	s.buf = append(s.buf, b...)
	return s.since(at), nil
}

func buildRegexReplace(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	return c.patternReplace(e, args, c.constPattern(e, args, 1))
}

func (c *compiler) patternReplace(e *hclsyntax.FunctionCallExpr, args []*node, p *pattern.Pattern) *node {
	if p == nil {
		return nil
	}
	x, y := c.asText(args[0], e.Args[0].Range()), c.asText(args[2], e.Args[2].Range())
	if x == nil || y == nil {
		return nil
	}
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		b, err := x(s)
		if err != nil {
			return nil, err
		}
		by, err := y(s)
		if err != nil || !p.Match(b) {
			return b, err
		}
		out, ok := p.Replace(b, by, maxScratch)
		if !ok {
			return nil, errTooLarge
		}
		return out, nil
	})
}

func buildStrlen(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	in := c.asText(args[0], e.Args[0].Range())
	if in == nil {
		return nil
	}
	return numNode(func(s *Scratch) (float64, *EventError) {
		b, err := in(s)
		return float64(grapheme.Count(b)), err
	})
}

var errOffset = &EventError{Reason: "an offset or length is not a whole number"}

// buildSubstr compiles substr(text, offset, length) in characters; a negative offset counts from the end, a negative length means
// the rest.
func buildSubstr(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	in := c.asText(args[0], e.Args[0].Range())
	off, length := c.asNumber(args[1], e.Args[1].Range()), c.asNumber(args[2], e.Args[2].Range())
	if in == nil || off == nil || length == nil {
		return nil
	}
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		b, err := in(s)
		if err != nil {
			return nil, err
		}
		x, err := off(s)
		if err != nil {
			return nil, err
		}
		y, err := length(s)
		if err != nil {
			return nil, err
		}
		from, ok1 := whole(x)
		n, ok2 := whole(y)
		if !ok1 || !ok2 {
			return nil, errOffset
		}
		return grapheme.Cut(b, from, n), nil
	})
}
