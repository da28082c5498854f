package expr

import (
	"strconv"
	"unsafe"

	"collect/hclspec/internal/jsontext"
	"collect/hclspec/internal/number"
)

// maxJSONItems bounds what is expanded into values at once: an element needs far more memory than the two bytes it may have.
const maxJSONItems = 100_000

var (
	errNotJSON  = &EventError{Reason: jsontext.ErrSyntax.Error()}
	errDeepJSON = &EventError{Reason: jsontext.ErrDepth.Error()}
)

// jsonSeen remembers the text that was checked last, since an expression often reads several fields of one body.
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
	return jsonValue(jsontext.Value(b), s)
}

func checkJSON(b []byte) *EventError {
	switch jsontext.Check(b) {
	case nil:
		return nil
	case jsontext.ErrDepth:
		return errDeepJSON
	}
	return errNotJSON
}

// jsonValue gives the value that raw is.
func jsonValue(raw []byte, s *Scratch) (value, *EventError) {
	switch raw[0] {
	case '{', '[':
		return value{kind: kindJSON, s: raw}, nil
	case '"':
		return value{kind: kindString, s: jsonString(raw, s)}, nil
	case 't':
		return value{kind: kindBool, b: true}, nil
	case 'f':
		return value{kind: kindBool}, nil
	case 'n':
		return value{}, nil
	}
	f, err := parseNumber(raw)
	return value{kind: kindNumber, n: f}, err
}

// jsonString gives the text of a quoted string; it is copied only when it has escapes.
func jsonString(quoted []byte, s *Scratch) []byte {
	if text, ok := jsontext.Unescaped(quoted); ok {
		return text
	}
	at := len(s.buf)
	s.buf = jsontext.AppendUnquoted(s.buf, quoted)
	return s.since(at)
}

func jsonField(raw, name []byte, s *Scratch) (value, *EventError) {
	if raw[0] != '{' {
		return value{}, errKind
	}
	found := jsontext.Field(raw, name)
	if found == nil {
		return value{}, errNoKey
	}
	return jsonValue(found, s)
}

func jsonItem(raw []byte, n int, s *Scratch) (value, *EventError) {
	if raw[0] != '[' {
		return value{}, errKind
	}
	found := jsontext.Item(raw, n)
	if found == nil {
		return value{}, errNoElement
	}
	return jsonValue(found, s)
}

// expandJSON makes values of a whole document. The depth is bounded by the check.
func expandJSON(raw []byte) (value, *EventError) {
	s, left := new(Scratch), maxJSONItems
	return expandInto(raw, s, &left)
}

func expandInto(raw []byte, s *Scratch, left *int) (value, *EventError) {
	v, err := jsonValue(raw, s)
	if err != nil || v.kind != kindJSON {
		return v, err
	}
	list := value{kind: kindList}
	fields := map[string]value{}
	for key, x := range jsontext.Elements(raw) {
		if *left--; *left < 0 {
			return value{}, errTooLarge
		}
		e, err := expandInto(x, s, left)
		if err != nil {
			return value{}, err
		}
		if key != nil {
			fields[string(jsonString(key, s))] = e
		} else {
			list.list = append(list.list, e)
		}
	}
	if raw[0] == '[' {
		return list, nil
	}
	return objectOf(fields), nil
}

// appendJSON writes a value; JSON inside of it stays as it was written.
func appendJSON(out []byte, v value) []byte {
	switch v.kind {
	case kindBool:
		return strconv.AppendBool(out, v.b)
	case kindNumber:
		return number.Append(out, v.n)
	case kindString:
		return jsontext.AppendQuoted(out, v.s)
	case kindJSON:
		return append(out, v.s...)
	case kindList:
		out = append(out, '[')
		for i, e := range v.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, e)
		}
		return append(out, ']')
	case kindObject:
		out = append(out, '{')
		for i, e := range v.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(jsontext.AppendQuoted(out, []byte(v.obj.keys[i])), ':')
			out = appendJSON(out, e)
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}
