package value

import (
	"strconv"
	"unsafe"

	"collect/hclspec/internal/jsontext"
	"collect/hclspec/internal/number"
)

// maxJSONItems bounds what is expanded into values at once: an element needs far more memory than the two bytes it may have.
const maxJSONItems = 100_000

var (
	errNotJSON  = &Error{Reason: jsontext.ErrSyntax.Error()}
	errDeepJSON = &Error{Reason: jsontext.ErrDepth.Error()}
)

// jsonSeen remembers the text that was checked last, since an expression often reads several fields of one body.
type jsonSeen struct {
	at  *byte
	n   int
	err *Error
}

// DecodeJSON checks a text and gives it as a value; arrays and objects stay text until something of them is read.
func (s *Scratch) DecodeJSON(b []byte) (Value, *Error) {
	at := unsafe.SliceData(b)
	if s.json.at != at || s.json.n != len(b) || at == nil {
		s.json = jsonSeen{at: at, n: len(b), err: checkJSON(b)}
	}
	if s.json.err != nil {
		return Value{}, s.json.err
	}
	return jsonValue(jsontext.Value(b), s)
}

func checkJSON(b []byte) *Error {
	switch jsontext.Check(b) {
	case nil:
		return nil
	case jsontext.ErrDepth:
		return errDeepJSON
	}
	return errNotJSON
}

// jsonValue gives the value that raw is.
func jsonValue(raw []byte, s *Scratch) (Value, *Error) {
	switch raw[0] {
	case '{', '[':
		return Value{Kind: JSON, S: raw}, nil
	case '"':
		return Value{Kind: String, S: jsonString(raw, s)}, nil
	case 't':
		return Value{Kind: Bool, B: true}, nil
	case 'f':
		return Value{Kind: Bool}, nil
	case 'n':
		return Value{}, nil
	}
	f, err := ParseNumber(raw)
	return Value{Kind: Number, N: f}, err
}

// jsonString gives the text of a quoted string; it is copied only when it has escapes.
func jsonString(quoted []byte, s *Scratch) []byte {
	if text, ok := jsontext.Unescaped(quoted); ok {
		return text
	}
	at := len(s.Buf)
	s.Buf = jsontext.AppendUnquoted(s.Buf, quoted)
	return s.Since(at)
}

func jsonField(raw, name []byte, s *Scratch) (Value, *Error) {
	if raw[0] != '{' {
		return Value{}, ErrKind
	}
	found := jsontext.Field(raw, name)
	if found == nil {
		return Value{}, ErrNoKey
	}
	return jsonValue(found, s)
}

func jsonItem(raw []byte, n int, s *Scratch) (Value, *Error) {
	if raw[0] != '[' {
		return Value{}, ErrKind
	}
	found := jsontext.Item(raw, n)
	if found == nil {
		return Value{}, ErrNoElement
	}
	return jsonValue(found, s)
}

// expandJSON makes values of a whole document. The depth is bounded by the check.
func expandJSON(raw []byte) (Value, *Error) {
	s, left := new(Scratch), maxJSONItems
	return expandInto(raw, s, &left)
}

func expandInto(raw []byte, s *Scratch, left *int) (Value, *Error) {
	v, err := jsonValue(raw, s)
	if err != nil || v.Kind != JSON {
		return v, err
	}
	list := Value{Kind: List}
	fields := map[string]Value{}
	for key, x := range jsontext.Elements(raw) {
		if *left--; *left < 0 {
			return Value{}, ErrTooLarge
		}
		e, err := expandInto(x, s, left)
		if err != nil {
			return Value{}, err
		}
		if key != nil {
			fields[string(jsonString(key, s))] = e
		} else {
			list.List = append(list.List, e)
		}
	}
	if raw[0] == '[' {
		return list, nil
	}
	return ObjectOf(fields), nil
}

// AppendJSON writes a value; JSON inside of it stays as it was written.
func AppendJSON(out []byte, v Value) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(out, v.B)
	case Number:
		return number.Append(out, v.N)
	case String:
		return jsontext.AppendQuoted(out, v.S)
	case JSON:
		return append(out, v.S...)
	case List:
		out = append(out, '[')
		for i, e := range v.List {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendJSON(out, e)
		}
		return append(out, ']')
	case Object:
		out = append(out, '{')
		for i, e := range v.List {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(jsontext.AppendQuoted(out, []byte(v.Obj.Keys[i])), ':')
			out = AppendJSON(out, e)
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}
