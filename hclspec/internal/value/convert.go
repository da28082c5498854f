package value

import (
	"math"

	"collect/hclspec/internal/number"
)

var (
	ErrNull      = &EventError{Reason: "the value is null"}
	errNotNumber = &EventError{Reason: "the text is not a number"}
	errNotBool   = &EventError{Reason: "the text is neither \"true\" nor \"false\""}
	ErrKind      = &EventError{Reason: "the value has another type than is needed here"}
	ErrNotTime   = &EventError{Reason: "the text is not an RFC 3339 time"}
	ErrTimeRange = &EventError{Reason: "the time is out of range"}
	errNotFinite = &EventError{Reason: "the number is too large"}
	ErrUnknown   = &EventError{Reason: "the value is not known yet"}
)

// ToBool converts a value as HCL converts it.
func ToBool(v Value) (bool, *EventError) {
	switch v.Kind {
	case KindBool:
		return v.B, nil
	case KindString:
		return ParseBool(v.S)
	case KindNull:
		return false, ErrNull
	}
	return false, ErrKind
}

func ParseBool(b []byte) (bool, *EventError) {
	switch string(b) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errNotBool
}

func ToNumber(v Value) (float64, *EventError) {
	switch v.Kind {
	case KindNumber:
		return v.N, nil
	case KindString:
		return ParseNumber(v.S)
	case KindNull:
		return 0, ErrNull
	}
	return 0, ErrKind
}

func ToText(v Value, s *Scratch) ([]byte, *EventError) {
	switch v.Kind {
	case KindString:
		return v.S, nil
	case KindNumber:
		return NumberText(v.N, s), nil
	case KindBool:
		return BoolText(v.B, s), nil
	case KindNull:
		return nil, ErrNull
	}
	return nil, ErrKind
}

func BoolText(b bool, s *Scratch) []byte {
	if b {
		return s.Text("true")
	}
	return s.Text("false")
}

func NumberText(f float64, s *Scratch) []byte {
	at := len(s.Buf)
	s.Buf = number.Append(s.Buf, f)
	return s.Since(at)
}

func ParseNumber(b []byte) (float64, *EventError) {
	f, ok := number.Parse(b)
	if !ok {
		return 0, errNotNumber
	}
	return f, nil
}

// Finite turns an overflow into an event error.
func Finite(f float64) (float64, *EventError) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, errNotFinite
	}
	return f, nil
}
