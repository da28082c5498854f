// Package jsontext checks and reads JSON as text: a value is the part of the text in which it is written, and nothing is decoded
// that is not asked for. It does not recurse and does not allocate, whatever the text is.
package jsontext

import "errors"

// maxDepth bounds nesting, so that no parser can be made to recurse deeply.
const maxDepth = 64

// Why a text is refused.
var (
	ErrSyntax = errors.New("the text is not valid JSON")
	ErrDepth  = errors.New("the JSON is nested deeper than 64 levels")
)

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Check says whether b is one JSON document. It does not recurse; the kinds of the open brackets are bits of stack.
func Check(b []byte) error {
	var stack uint64
	depth := 0
	i := skipSpace(b, 0)
	for {
		// A value begins at i.
		if i >= len(b) {
			return ErrSyntax
		}
		if c := b[i]; c == '{' || c == '[' {
			if depth == maxDepth {
				return ErrDepth
			}
			depth++
			stack <<= 1
			i = skipSpace(b, i+1)
			if c == '{' {
				stack |= 1
			}
			if i < len(b) && b[i] != c+2 {
				if c == '{' {
					if i = checkKey(b, i); i < 0 {
						return ErrSyntax
					}
				}
				continue
			}
		} else if i = checkScalar(b, i); i < 0 {
			return ErrSyntax
		}
		// A value has ended, or an empty bracket is about to.
		if i, depth, stack = closeBrackets(b, i, depth, stack); depth == 0 {
			if i != len(b) {
				return ErrSyntax
			}
			return nil
		}
		if i >= len(b) || b[i] != ',' {
			return ErrSyntax
		}
		i = skipSpace(b, i+1)
		if stack&1 == 1 {
			if i = checkKey(b, i); i < 0 {
				return ErrSyntax
			}
		}
	}
}

// closeBrackets reads the brackets that end at i, and the space around them.
func closeBrackets(b []byte, i, depth int, stack uint64) (int, int, uint64) {
	for i = skipSpace(b, i); depth > 0 && i < len(b); i = skipSpace(b, i+1) {
		if want := byte(']' + (stack&1)*('}'-']')); b[i] != want {
			break
		}
		depth--
		stack >>= 1
	}
	return i, depth, stack
}

// checkKey reads "key": and gives where the value begins, or -1.
func checkKey(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = checkString(b, i); i < 0 {
		return -1
	}
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return -1
	}
	return skipSpace(b, i+1)
}

func checkScalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		return checkString(b, i)
	case 't':
		return checkWord(b, i, "true")
	case 'f':
		return checkWord(b, i, "false")
	case 'n':
		return checkWord(b, i, "null")
	}
	return checkNumber(b, i)
}

func checkWord(b []byte, i int, w string) int {
	if len(b)-i < len(w) || string(b[i:i+len(w)]) != w {
		return -1
	}
	return i + len(w)
}

func checkString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < 0x20:
			return -1
		case c == '\\':
			i++
			if i >= len(b) {
				return -1
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b[i+1:]); !ok {
					return -1
				}
				i += 4
			default:
				return -1
			}
		}
	}
	return -1
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func checkNumber(b []byte, i int) int {
	run := func() bool {
		at := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > at
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !run() {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !run() {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !run() {
			return -1
		}
	}
	return i
}
