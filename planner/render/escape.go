package render

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// safe makes foreign text fit to stand in one line.
func safe(s string) string { return escape(s, false) }

// escape makes control characters, overrides of the writing direction and bytes that are no text visible. Newlines and tabs stay
// when lines is true.
func escape(s string, lines bool) string {
	if plain(s, lines) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case lines && (r == '\n' || r == '\t'):
			b.WriteByte(s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100 && dangerous(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case dangerous(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case dangerous(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// JSON gives JSON text in which the characters that could steer a terminal are written as escapes: encoding leaves those beyond ASCII,
// and they stand only within strings.
func JSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case !hidden(r):
			out = append(out, text[i:i+n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// hidden says whether a character of JSON text is dangerous; the newlines between values are not.
func hidden(r rune) bool { return r >= 0x20 && dangerous(r) }

// plain says that nothing is to be escaped: the usual case, without a copy.
func plain(s string, lines bool) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c < 0x20 && !(lines && (c == '\n' || c == '\t')) || c == 0x7f {
			return false
		}
	}
	return true
}

// dangerous says whether a character does something to a terminal, or to the reader, instead of being seen.
func dangerous(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL, C1
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction
	case r >= 0x200b && r <= 0x200d, r == 0x2060, r == 0xfeff, r == 0x2028, r == 0x2029, r == 0x00ad: // invisible, line ends
	case r >= 0xe0000 && r <= 0xe007f: // invisible tags
	case r >= 0xfff9 && r <= 0xfffb: // annotations
	default:
		return false
	}
	return true
}

// complete gives the length of text without the beginning of a character at its end that needs more bytes.
func complete(p []byte) int {
	for back := 1; back <= min(utf8.UTFMax-1, len(p)); back++ {
		c := p[len(p)-back]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-back:]) {
				return len(p) - back
			}
			break
		}
	}
	return len(p)
}
