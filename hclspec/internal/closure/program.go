package closure

import (
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// Part is a piece of a template: constant text, or a program.
type Part struct {
	Literal string
	Program *Program // nil: Literal counts
}

// Program is a compiled expression. It is immutable: any number of goroutines may run it, each with its own Scratch.
type Program struct {
	konst bool
	b     BoolFn
	n     NumFn
	s     StrFn
	t     TimeFn
	parts []Part
}

// IsConst says whether the result is the same for every event.
func (p *Program) IsConst() bool { return p.konst }

// Bool gives the result as a bool.
func (p *Program) Bool(ev value.Event, s *value.Scratch) (bool, error) {
	s.Begin(ev)
	v, err := p.b(s)
	if err != nil {
		return false, err
	}
	return v, nil
}

// Bytes gives the result as text. It aliases the event or the scratch memory, and is valid until either moves on.
func (p *Program) Bytes(ev value.Event, s *value.Scratch) ([]byte, error) {
	s.Begin(ev)
	v, err := p.s(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Number gives the result as a number.
func (p *Program) Number(ev value.Event, s *value.Scratch) (float64, error) {
	s.Begin(ev)
	v, err := p.n(s)
	if err != nil {
		return 0, err
	}
	return v, nil
}

// Time gives the result, an RFC 3339 text, as nanoseconds since 1970 UTC.
func (p *Program) Time(ev value.Event, s *value.Scratch) (int64, error) {
	s.Begin(ev)
	t, err := p.t(s)
	if err != nil {
		return 0, err
	}
	ns, ok := t.UnixNano()
	if !ok {
		return 0, value.ErrTimeRange
	}
	return ns, nil
}

// Parts gives the pieces of a template in order; anything else is one piece. Pieces next to each other that are both constant
// are joined.
func (p *Program) Parts() []Part { return p.parts }

// NewProgram makes a program of the closures that there are; asking for a result that has none gives an error.
func NewProgram(konst bool, b BoolFn, n NumFn, s StrFn, t TimeFn) *Program {
	p := &Program{konst: konst, b: b, n: n, s: s, t: t}
	if p.b == nil {
		p.b = func(*value.Scratch) (bool, *value.Error) { return false, value.ErrKind }
	}
	if p.n == nil {
		p.n = func(*value.Scratch) (float64, *value.Error) { return 0, value.ErrKind }
	}
	if p.s == nil {
		p.s = func(*value.Scratch) ([]byte, *value.Error) { return nil, value.ErrKind }
	}
	if p.t == nil {
		p.t = func(*value.Scratch) (datetime.Instant, *value.Error) { return datetime.Instant{}, value.ErrKind }
	}
	if konst {
		p.freeze()
	}
	return p
}

// SetParts gives a program its pieces, before anybody runs it.
func (p *Program) SetParts(parts []Part) { p.parts = parts }

// Constant gives the text of a constant program.
func (p *Program) Constant() string {
	text, _ := p.s(nil)
	return string(text)
}

// freeze makes a constant program independent of the scratch memory.
func (p *Program) freeze() {
	s := new(value.Scratch)
	text, err := p.s(s)
	p.s = func(*value.Scratch) ([]byte, *value.Error) { return text, err }
}
