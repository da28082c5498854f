package expr

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxJSONDepth bounds nesting, so that no parser can be made to recurse deeply.
const maxJSONDepth = 64

// maxJSONItems bounds what is expanded into values at once: an element needs far more memory than the two bytes it may have.
const maxJSONItems = 100_000

var (
	errNotJSON  = &EventError{Reason: "the text is not valid JSON"}
	errDeepJSON = &EventError{Reason: "the JSON is nested deeper than 64 levels"}
)

// jsonSeen remembers the text that was checked last, since several expressions read the same body.
type jsonSeen struct {
	at  *byte
	n   int
	err *EventError
}

// decodeJSON checks a text and gives it as a value; arrays and objects stay text until something of them is read.
func (s *Scratch) decodeJSON(b []byte) (value, *EventError) {
	at := unsafe.SliceData(b)
	if s.json.at != at || s.json.n != len(b) || at == nil {
		s.json = jsonSeen{at: at, n: len(b), err: checkJSON(b)}
	}
	if s.json.err != nil {
		return value{}, s.json.err
	}
	return jsonValue(b[skipSpace(b, 0):], s)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// checkJSON says whether b is one JSON document. It does not recurse; the kinds of the open brackets are bits of stack.
func checkJSON(b []byte) *EventError {
	var stack uint64
	depth := 0
	i := skipSpace(b, 0)
	for {
		// A value begins at i.
		if i >= len(b) {
			return errNotJSON
		}
		if c := b[i]; c == '{' || c == '[' {
			if depth == maxJSONDepth {
				return errDeepJSON
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
						return errNotJSON
					}
				}
				continue
			}
		} else if i = checkScalar(b, i); i < 0 {
			return errNotJSON
		}
		// A value has ended, or an empty bracket is about to.
		for {
			i = skipSpace(b, i)
			if depth == 0 {
				if i != len(b) {
					return errNotJSON
				}
				return nil
			}
			if i >= len(b) {
				return errNotJSON
			}
			object := stack&1 == 1
			if object && b[i] == '}' || !object && b[i] == ']' {
				i++
				depth--
				stack >>= 1
				continue
			}
			break
		}
		if b[i] != ',' {
			return errNotJSON
		}
		i = skipSpace(b, i+1)
		if stack&1 == 1 {
			if i = checkKey(b, i); i < 0 {
				return errNotJSON
			}
		}
	}
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
