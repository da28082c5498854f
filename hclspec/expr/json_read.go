package expr

import (
	"unicode/utf16"
	"unicode/utf8"
)

// The functions below read text that checkJSON has accepted.

// jsonEnd gives where the value that begins at i ends.
func jsonEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// jsonValue gives the value that b begins with.
func jsonValue(b []byte, s *Scratch) (value, *EventError) {
	switch b[0] {
	case '{', '[':
		return value{kind: kindJSON, s: b[:jsonEnd(b, 0)]}, nil
	case '"':
		return value{kind: kindString, s: jsonText(b[:stringEnd(b, 0)], s)}, nil
	case 't':
		return value{kind: kindBool, b: true}, nil
	case 'f':
		return value{kind: kindBool}, nil
	case 'n':
		return value{}, nil
	}
	f, err := parseNumber(b[:jsonEnd(b, 0)])
	return value{kind: kindNumber, n: f}, err
}

// jsonText gives the text of a quoted string; it is copied only when it has escapes.
func jsonText(b []byte, s *Scratch) []byte {
	b = b[1 : len(b)-1]
	for i, c := range b {
		if c == '\\' {
			at := len(s.buf)
			s.buf = unescape(append(s.buf, b[:i]...), b[i:])
			return s.since(at)
		}
	}
	return b
}

func unescape(out, b []byte) []byte {
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

// jsonEach calls f for each element of an array or object, with the quoted key or nil, until f says no.
func jsonEach(b []byte, f func(key, val []byte) bool) {
	object := b[0] == '{'
	for i := skipSpace(b, 1); i < len(b) && b[i] != '}' && b[i] != ']'; {
		var key []byte
		if object {
			end := stringEnd(b, i)
			key = b[i:end]
			i = skipSpace(b, skipSpace(b, end)+1)
		}
		end := jsonEnd(b, i)
		if !f(key, b[i:end]) {
			return
		}
		i = skipSpace(b, end)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
}

// jsonField reads an attribute; of several with one name the last counts.
func jsonField(b, name []byte, s *Scratch) (value, *EventError) {
	if b[0] != '{' {
		return value{}, errKind
	}
	var found []byte
	for i := skipSpace(b, 1); i < len(b) && b[i] != '}'; {
		end := stringEnd(b, i)
		key := b[i:end]
		i = skipSpace(b, skipSpace(b, end)+1)
		end = jsonEnd(b, i)
		if sameKey(key, name) {
			found = b[i:end]
		}
		i = skipSpace(b, end)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	if found == nil {
		return value{}, errNoKey
	}
	return jsonValue(found, s)
}

func sameKey(quotedKey, name []byte) bool {
	k := quotedKey[1 : len(quotedKey)-1]
	for _, c := range k {
		if c == '\\' {
			return string(unescape(nil, k)) == string(name)
		}
	}
	return string(k) == string(name)
}

func jsonItem(b []byte, n int, s *Scratch) (value, *EventError) {
	if b[0] != '[' {
		return value{}, errKind
	}
	var found []byte
	jsonEach(b, func(_, v []byte) bool {
		if n == 0 {
			found = v
		}
		n--
		return n >= 0
	})
	if found == nil {
		return value{}, errNoElement
	}
	return jsonValue(found, s)
}

func jsonLen(b []byte) int {
	n := 0
	jsonEach(b, func(_, _ []byte) bool { n++; return true })
	return n
}

// expandJSON makes values of a whole document. The depth is bounded by checkJSON.
func expandJSON(b []byte) (value, *EventError) {
	s, left := new(Scratch), maxJSONItems
	return expandInto(b, s, &left)
}

func expandInto(b []byte, s *Scratch, left *int) (value, *EventError) {
	v, err := jsonValue(b, s)
	if err != nil || v.kind != kindJSON {
		return v, err
	}
	out := value{kind: kindList}
	fields := map[string]value{}
	jsonEach(v.s, func(key, raw []byte) bool {
		if *left--; *left < 0 {
			err = errTooLarge
			return false
		}
		var e value
		if e, err = expandInto(raw, s, left); err != nil {
			return false
		}
		if key != nil {
			fields[string(jsonText(key, s))] = e
		} else {
			out.list = append(out.list, e)
		}
		return true
	})
	if err != nil || v.s[0] == '[' {
		return out, err
	}
	return objectOf(fields), nil
}
