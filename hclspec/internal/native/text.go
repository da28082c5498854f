package native

import (
	"bytes"
	"unicode/utf8"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/grapheme"
	"collect/hclspec/internal/pattern"
	"collect/hclspec/internal/value"
)

// textBuilder makes a builder for a function of one text.
func textBuilder(f func(s *value.Scratch, b []byte) ([]byte, *value.Error)) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		in := c.Text(0)
		if in == nil {
			return nil
		}
		return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
			b, err := in(s)
			if err != nil {
				return nil, err
			}
			return f(s, b)
		})
	}
}

// text2Builder makes a builder for a function of two texts.
func text2Builder(f func(s *value.Scratch, a, b []byte) ([]byte, *value.Error)) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		x, y := c.Text(0), c.Text(1)
		if x == nil || y == nil {
			return nil
		}
		return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
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

func buildUpper(c *compile.Call) *closure.Node {
	return textBuilder(func(s *value.Scratch, b []byte) ([]byte, *value.Error) {
		return changeCase(s, b, 'a', 'z', bytes.ToUpper), nil
	})(c)
}

func buildLower(c *compile.Call) *closure.Node {
	return textBuilder(func(s *value.Scratch, b []byte) ([]byte, *value.Error) {
		return changeCase(s, b, 'A', 'Z', bytes.ToLower), nil
	})(c)
}

// changeCase flips the ASCII letters from lo to hi; text with others takes the slow way.
func changeCase(s *value.Scratch, b []byte, lo, hi byte, slow func([]byte) []byte) []byte {
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
	at := len(s.Buf)
	s.Buf = append(s.Buf, b...)
	out := s.Since(at)
	for i, c := range out {
		if c >= lo && c <= hi {
			out[i] = c ^ 0x20
		}
	}
	return out
}

func buildTrimSpace(c *compile.Call) *closure.Node {
	return textBuilder(func(_ *value.Scratch, b []byte) ([]byte, *value.Error) { return bytes.TrimSpace(b), nil })(c)
}

func buildChomp(c *compile.Call) *closure.Node {
	return textBuilder(func(_ *value.Scratch, b []byte) ([]byte, *value.Error) {
		return bytes.TrimRight(b, "\r\n"), nil
	})(c)
}

func buildTrimPrefix(c *compile.Call) *closure.Node {
	return text2Builder(func(_ *value.Scratch, a, b []byte) ([]byte, *value.Error) { return bytes.TrimPrefix(a, b), nil })(c)
}

func buildTrimSuffix(c *compile.Call) *closure.Node {
	return text2Builder(func(_ *value.Scratch, a, b []byte) ([]byte, *value.Error) { return bytes.TrimSuffix(a, b), nil })(c)
}

// buildTrim compiles trim(text, characters) with constant characters, the usual case, without making a string per event.
func buildTrim(c *compile.Call) *closure.Node {
	if set, ok := c.Literal(1); ok {
		return textBuilder(func(_ *value.Scratch, b []byte) ([]byte, *value.Error) { return bytes.Trim(b, set), nil })(c)
	}
	return text2Builder(func(_ *value.Scratch, a, b []byte) ([]byte, *value.Error) { return bytes.Trim(a, string(b)), nil })(c)
}

func bytesHasPrefix(a, b []byte) bool { return bytes.HasPrefix(a, b) }
func bytesHasSuffix(a, b []byte) bool { return bytes.HasSuffix(a, b) }
func bytesContains(a, b []byte) bool  { return bytes.Contains(a, b) }

func buildTextTest(f func(a, b []byte) bool) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		x, y := c.Text(0), c.Text(1)
		if x == nil || y == nil {
			return nil
		}
		return closure.BoolNode(func(s *value.Scratch) (bool, *value.Error) {
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
func buildReplace(c *compile.Call) *closure.Node {
	part, ok := c.Literal(1)
	if !ok {
		c.FailAt(1, "Pattern per event", "What replace() looks for must not depend on the event, since a text in slashes is a pattern.")
		return nil
	}
	if p, ok := pattern.InSlashes(part); ok {
		return patternReplace(c, compilePattern(c, 1, p))
	}
	x, y := c.Text(0), c.Text(2)
	if x == nil || y == nil {
		return nil
	}
	old := []byte(part)
	return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		b, err := x(s)
		if err != nil {
			return nil, err
		}
		by, err := y(s)
		if err != nil {
			return nil, err
		}
		return replaceAll(b, old, by, s)
	})
}

// replaceAll is bytes.ReplaceAll into the scratch memory; without anything to replace the text itself is the result.
func replaceAll(b, old, by []byte, s *value.Scratch) ([]byte, *value.Error) {
	if len(old) == 0 {
		if !s.Fits((len(b) + 1) * (len(by) + 1)) {
			return nil, value.ErrTooLarge
		}
		return bytes.ReplaceAll(b, old, by), nil
	}
	i := bytes.Index(b, old)
	if i < 0 {
		return b, nil
	}
	at := len(s.Buf)
	for i >= 0 {
		if !s.Fits(len(b) + len(by)) {
			s.Buf = s.Buf[:at]
			return nil, value.ErrTooLarge
		}
		s.Buf = append(s.Buf, b[:i]...)
		s.Buf = append(s.Buf, by...)
		b = b[i+len(old):]
		i = bytes.Index(b, old)
	}
	s.Buf = append(s.Buf, b...)
	return s.Since(at), nil
}

func buildRegexReplace(c *compile.Call) *closure.Node {
	return patternReplace(c, constPattern(c, 1))
}

func patternReplace(c *compile.Call, p *pattern.Pattern) *closure.Node {
	if p == nil {
		return nil
	}
	x, y := c.Text(0), c.Text(2)
	if x == nil || y == nil {
		return nil
	}
	return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		b, err := x(s)
		if err != nil {
			return nil, err
		}
		by, err := y(s)
		if err != nil || !p.Match(b) {
			return b, err
		}
		out, ok := p.Replace(b, by, value.MaxScratch)
		if !ok {
			return nil, value.ErrTooLarge
		}
		return out, nil
	})
}

func buildStrlen(c *compile.Call) *closure.Node {
	in := c.Text(0)
	if in == nil {
		return nil
	}
	return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
		b, err := in(s)
		return float64(grapheme.Count(b)), err
	})
}

var errOffset = &value.Error{Reason: "an offset or length is not a whole number"}

// buildSubstr compiles substr(text, offset, length) in characters; a negative offset counts from the end, a negative length means
// the rest.
func buildSubstr(c *compile.Call) *closure.Node {
	in := c.Text(0)
	off, length := c.Number(1), c.Number(2)
	if in == nil || off == nil || length == nil {
		return nil
	}
	return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
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
		from, ok1 := value.Whole(x)
		n, ok2 := value.Whole(y)
		if !ok1 || !ok2 {
			return nil, errOffset
		}
		return grapheme.Cut(b, from, n), nil
	})
}
