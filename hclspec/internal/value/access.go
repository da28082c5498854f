package value

import "math"

// Why there is nothing at an index or under a name.
var (
	ErrNoElement = &Error{Reason: "the list has no element with this index"}
	ErrNoKey     = &Error{Reason: "the object has no attribute of this name"}
)

// Field reads an attribute of an object.
func Field(v Value, key []byte, s *Scratch) (Value, *Error) {
	switch v.Kind {
	case Object:
		if out, ok := v.get(key); ok {
			return out, nil
		}
		return Value{}, ErrNoKey
	case JSON:
		return jsonField(v.S, key, s)
	case Null:
		return Value{}, ErrNull
	}
	return Value{}, ErrKind
}

// Item reads an element of a list.
func Item(v Value, i int, s *Scratch) (Value, *Error) {
	switch v.Kind {
	case List:
		if i < 0 || i >= len(v.List) {
			return Value{}, ErrNoElement
		}
		return v.List[i], nil
	case JSON:
		return jsonItem(v.S, i, s)
	case Null:
		return Value{}, ErrNull
	}
	return Value{}, ErrKind
}

// Whole gives a number as an int when it is one.
func Whole(f float64) (int, bool) {
	if f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int(f), true
}
