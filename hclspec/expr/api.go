package expr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/printer"
	"collect/hclspec/schema"
)

// Event is what an expression sees. Slices are only valid until the next event and are never written.
type Event interface {
	Body() []byte
	Header(name string) ([]byte, bool)
	Headers(yield func(name, value []byte) bool)
	Time() int64                          // ns since 1970 UTC
	MetaText(name string) (string, bool)  // file, host, topic, peer
	MetaNumber(name string) (int64, bool) // offset, partition
}

// Type is the type that an argument needs.
type Type uint8

// The types of results.
const (
	TypeAny    Type = iota // text, number or bool
	TypeBool               // a condition
	TypeString             // text; numbers and bools are converted
	TypeNumber
)

// EventError says why an expression has no value for this event. It is made when the expression is compiled, so that a
// million events without a header cost nothing.
type EventError struct {
	Reason string
	Header string // the header that is missing, "" when it is something else
}

// Error gives the reason.
func (e *EventError) Error() string { return e.Reason }

// Part is a piece of a template: constant text, or a program.
type Part struct {
	Literal string
	Program *Program // nil: Literal counts
}

// Program is a compiled expression. It is immutable: any number of goroutines may run it, each with its own Scratch.
type Program struct {
	konst bool
	b     boolFn
	n     numFn
	s     strFn
	t     timeFn
	parts []Part
}

// IsConst says whether the result is the same for every event.
func (p *Program) IsConst() bool { return p.konst }

// Bool gives the result as a bool.
func (p *Program) Bool(ev Event, s *Scratch) (bool, error) {
	s.begin(ev)
	v, err := p.b(s)
	if err != nil {
		return false, err
	}
	return v, nil
}

// Bytes gives the result as text. It aliases the event or the scratch memory, and is valid until either moves on.
func (p *Program) Bytes(ev Event, s *Scratch) ([]byte, error) {
	s.begin(ev)
	v, err := p.s(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Number gives the result as a number.
func (p *Program) Number(ev Event, s *Scratch) (float64, error) {
	s.begin(ev)
	v, err := p.n(s)
	if err != nil {
		return 0, err
	}
	return v, nil
}

// Time gives the result, an RFC 3339 text, as nanoseconds since 1970 UTC.
func (p *Program) Time(ev Event, s *Scratch) (int64, error) {
	s.begin(ev)
	t, err := p.t(s)
	if err != nil {
		return 0, err
	}
	ns, ok := t.UnixNano()
	if !ok {
		return 0, errTimeRange
	}
	return ns, nil
}

// Parts gives the pieces of a template in order; anything else is one piece. Pieces next to each other that are both constant
// are joined.
func (p *Program) Parts() []Part { return p.parts }

// Mentions says whether an expression reads event, through any path.
func Mentions(e hcl.Expression) bool {
	for _, t := range e.Variables() {
		if t.RootName() == eventName {
			return true
		}
	}
	return false
}

// Residual checks an expression, folds what does not depend on the event, and gives what goes into the agent's spec. ctx holds
// the variables and functions that exist where the expression stands; src is the content of its file. Constants that
// are not known yet leave the expression as it is written.
func Residual(e hclsyntax.Expression, src []byte, ctx *hcl.EvalContext, want Type) (schema.Expr, hcl.Diagnostics) {
	return ResidualWith(hclsyntax.Expression.Value, e, src, ctx, want)
}

// Evaluate works out an expression that does not depend on the event.
type Evaluate func(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics)

// ResidualWith is Residual with a way of evaluating of its own, which may set limits.
func ResidualWith(eval Evaluate, e hclsyntax.Expression, src []byte, ctx *hcl.EvalContext, want Type) (schema.Expr, hcl.Diagnostics) {
	c := newCompiler(ctx)
	c.src, c.eval = src, eval
	n := c.top(e, want)
	if c.diags.HasErrors() || n == nil {
		return schema.Expr{}, c.diags
	}
	at := schema.Pos{File: e.Range().Filename, Line: e.Range().Start.Line, Col: e.Range().Start.Column}
	if c.unknown {
		return schema.Expr{Src: string(e.Range().SliceBytes(src)), At: at}, c.diags
	}
	if n.konst {
		if v, ok := constant.Plain(n.ck); ok {
			return schema.Expr{Const: v}, c.diags
		}
	}
	text, consts, diags := printer.Print(e, c.folded)
	return schema.Expr{Src: text, Consts: consts, At: at}, append(c.diags, diags...)
}

// Compile turns an expression of a spec into a program. It fails for a reference.
func Compile(e schema.Expr, want Type) (*Program, error) {
	if e.Ref != nil {
		return nil, fmt.Errorf("%s is a reference, not an expression", e.Ref.Address)
	}
	if e.Src == "" {
		return compileConst(e.Const, want)
	}
	ctx, err := specContext(e.Consts)
	if err != nil {
		return nil, err
	}
	if err := checkDepth(e.Src); err != nil {
		return nil, fmt.Errorf("%sexpression: %w", place(e.At), err)
	}
	start := hcl.Pos{Line: max(e.At.Line, 1), Column: max(e.At.Col, 1)}
	tree, diags := hclsyntax.ParseExpression([]byte(e.Src), e.At.File, start)
	if diags.HasErrors() {
		return nil, asError(e, diags)
	}
	c := newCompiler(ctx)
	n := c.top(tree, want)
	if c.diags.HasErrors() || n == nil {
		return nil, asError(e, c.diags)
	}
	return c.program(n, tree), nil
}

// compileConst makes a program of a constant of a spec.
func compileConst(v any, want Type) (*Program, error) {
	val, err := constant.FromPlain(v)
	if err != nil {
		return nil, err
	}
	c := newCompiler(nil)
	e := &hclsyntax.LiteralValueExpr{Val: val}
	n := c.top(e, want)
	if c.diags.HasErrors() || n == nil {
		return nil, asError(schema.Expr{}, c.diags)
	}
	return c.program(n, e), nil
}

func place(at schema.Pos) string {
	if at.File == "" {
		return ""
	}
	return at.String() + ": "
}

// asError joins diagnostics to one error in one line each.
func asError(e schema.Expr, diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			errs = append(errs, fmt.Errorf("%s%s: %s", place(e.At), strings.ToLower(d.Summary), d.Detail))
		}
	}
	return errors.Join(errs...)
}

// What is said of a layout that shows hours of 12 as if they were of 24.
const (
	HalfDaySummary = "12-hour clock without AM or PM"
	HalfDayAdvice  = "H and HH are the 12-hour clock, so half past two in the afternoon is 02:30. Use hh for 24 hours, or add AA."
)

// HalfDay says whether a layout of formatdate shows a 12-hour clock without saying which half of the day it is.
func HalfDay(text string) bool {
	l, err := datetime.ParseLayout(text)
	return err == nil && l.HalfDay()
}
