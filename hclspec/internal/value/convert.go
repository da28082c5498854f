package value

import (
	"math"

	"collect/hclspec/internal/number"
)

// Why a value cannot be converted.
var (
	ErrNull      = &Error{Reason: "the value is null"}
	errNotNumber = &Error{Reason: "the text is not a number"}
	errNotBool   = &Error{Reason: "the text is neither \"true\" nor \"false\""}
	ErrKind      = &Error{Reason: "the value has another type than is needed here"}
	ErrNotTime   = &Error{Reason: "the text is not an RFC 3339 time"}
	ErrTimeRange = &Error{Reason: "the time is out of range"}
	errNotFinite = &Error{Reason: "the number is too large"}
	ErrUnknown   = &Error{Reason: "the value is not known yet"}
)

// ToBool converts a value as HCL converts it.
func ToBool(v Value) (bool, *Error) {
	switch v.Kind {
	case Bool:
		return v.B, nil
	case String:
		return ParseBool(v.S)
	case Null:
		return false, ErrNull
	}
	return false, ErrKind
}

// ParseBool reads a text as ToBool does.
func ParseBool(b []byte) (bool, *Error) {
	switch string(b) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errNotBool
}

// ToNumber converts a value as HCL converts it.
func ToNumber(v Value) (float64, *Error) {
	switch v.Kind {
	case Number:
		return v.N, nil
	case String:
		return ParseNumber(v.S)
	case Null:
		return 0, ErrNull
	}
	return 0, ErrKind
}

// ToText converts a value as HCL converts it.
func ToText(v Value, s *Scratch) ([]byte, *Error) {
	switch v.Kind {
	case String:
		return v.S, nil
	case Number:
		return NumberText(v.N, s), nil
	case Bool:
		return BoolText(v.B, s), nil
	case Null:
		return nil, ErrNull
	}
	return nil, ErrKind
}

// BoolText writes a bool into the scratch memory.
func BoolText(b bool, s *Scratch) []byte {
	if b {
		return s.Text("true")
	}
	return s.Text("false")
}

// NumberText writes a number into the scratch memory.
func NumberText(f float64, s *Scratch) []byte {
	at := len(s.Buf)
	s.Buf = number.Append(s.Buf, f)
	return s.Since(at)
}

// ParseNumber reads a text as ToNumber does.
func ParseNumber(b []byte) (float64, *Error) {
	f, ok := number.Parse(b)
	if !ok {
		return 0, errNotNumber
	}
	return f, nil
}

// Finite turns an overflow into an event error.
func Finite(f float64) (float64, *Error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, errNotFinite
	}
	return f, nil
}
