package jsontext

import "iter"

// The functions below read text that Check has accepted. What they give is a part of that text, without space around it.

// Value gives the value of a whole document.
func Value(b []byte) []byte {
	i := skipSpace(b, 0)
	return b[i:valueEnd(b, i)]
}

// valueEnd gives where the value that begins at i ends.
func valueEnd(b []byte, i int) int {
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

// elements walks over an array or object.
type elements struct {
	b      []byte
	i      int // where the next element begins
	object bool
}

func elementsOf(b []byte) elements {
	return elements{b: b, i: skipSpace(b, 1), object: b[0] == '{'}
}

// next gives the next element, with its quoted key or nil.
func (e *elements) next() (key, val []byte, ok bool) {
	b, i := e.b, e.i
	if i >= len(b) || b[i] == '}' || b[i] == ']' {
		return nil, nil, false
	}
	if e.object {
		end := stringEnd(b, i)
		key = b[i:end]
		i = skipSpace(b, skipSpace(b, end)+1)
	}
	end := valueEnd(b, i)
	val = b[i:end]
	if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	e.i = i
	return key, val, true
}

// Elements gives the elements of an array or object in order, with their quoted keys or nil.
func Elements(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, val []byte) bool) {
		es := elementsOf(b)
		for key, val, ok := es.next(); ok; key, val, ok = es.next() {
			if !yield(key, val) {
				return
			}
		}
	}
}

// Field gives an attribute of an object, or nil; of several with one name the last counts.
func Field(b, name []byte) (found []byte) {
	es := elementsOf(b)
	for key, val, ok := es.next(); ok; key, val, ok = es.next() {
		if sameKey(key, name) {
			found = val
		}
	}
	return found
}

func sameKey(quoted, name []byte) bool {
	if k, ok := Unescaped(quoted); ok {
		return string(k) == string(name)
	}
	return string(AppendUnquoted(nil, quoted)) == string(name)
}

// Item gives element n of an array, or nil.
func Item(b []byte, n int) []byte {
	es := elementsOf(b)
	for _, val, ok := es.next(); ok; _, val, ok = es.next() {
		if n == 0 {
			return val
		}
		n--
	}
	return nil
}

// Len counts the elements of an array or object.
func Len(b []byte) int {
	n := 0
	es := elementsOf(b)
	for _, _, ok := es.next(); ok; _, _, ok = es.next() {
		n++
	}
	return n
}
