package jsontext

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Unescaped gives the text of a quoted string when it has no escapes.
func Unescaped(quoted []byte) ([]byte, bool) {
	b := quoted[1 : len(quoted)-1]
	return b, bytes.IndexByte(b, '\\') < 0
}

// AppendUnquoted writes the text of a quoted string.
func AppendUnquoted(out, quoted []byte) []byte {
	b := quoted[1 : len(quoted)-1]
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(b[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				r2 := rune(-1)
				if i+6 < len(b) && b[i+1] == '\\' && b[i+2] == 'u' {
					r2, _ = hex4(b[i+3:])
				}
				if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, b[i])
		}
	}
	return out
}

const hexDigits = "0123456789abcdef"

// AppendQuoted writes text between quotes, escaping what encoding/json escapes; bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(out, b []byte) []byte {
	out = append(out, '"')
	for len(b) > 0 {
		c := b[0]
		if c < utf8.RuneSelf {
			out, b = appendByte(out, c), b[1:]
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

func appendByte(out []byte, c byte) []byte {
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
