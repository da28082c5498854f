package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

// Type is the type that an argument needs.
type Type uint8

// The types of results.
const (
	TypeAny    Type = iota // text, number or bool
	TypeBool               // a condition
	TypeString             // text; numbers and bools are converted
	TypeNumber
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

// program gives the closures for all results that the type allows.
func (c *compiler) program(n *Node, e hclsyntax.Expression) *Program {
	quiet := &compiler{}
	p := &Program{konst: n.konst, b: quiet.asBool(n, e.Range()), n: quiet.asNumber(n, e.Range()), s: quiet.asText(n, e.Range())}
	if p.s != nil {
		p.t = quiet.asTime(n, e.Range())
	}
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
	if n.konst {
		p.freeze()
	}
	p.parts = c.split(p, n, e)
	return p
}

// freeze makes a constant program independent of the scratch memory.
func (p *Program) freeze() {
	s := new(value.Scratch)
	text, err := p.s(s)
	p.s = func(*value.Scratch) ([]byte, *value.Error) { return text, err }
}

// split cuts a template into its parts.
func (c *compiler) split(whole *Program, n *Node, e hclsyntax.Expression) []Part {
	if n.konst {
		text, _ := whole.s(nil)
		return []Part{{Literal: string(text)}}
	}
	for {
		switch x := e.(type) {
		case *hclsyntax.ParenthesesExpr:
			e = x.Expression
			continue
		case *hclsyntax.TemplateWrapExpr:
			e = x.Wrapped
			continue
		}
		break
	}
	t, ok := e.(*hclsyntax.TemplateExpr)
	if !ok {
		return []Part{{Program: whole}}
	}
	var parts []Part
	for _, pe := range t.Parts {
		n := c.expr(pe)
		if n == nil {
			return []Part{{Program: whole}}
		}
		for _, p := range c.program(n, pe).parts {
			if last := len(parts) - 1; p.Program == nil && last >= 0 && parts[last].Program == nil {
				parts[last].Literal += p.Literal
				continue
			}
			parts = append(parts, p)
		}
	}
	return parts
}
