package expr

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/native"
	"collect/hclspec/internal/value"
	"collect/hclspec/schema"
)

// Event is what an expression sees. Slices are only valid until the next event and are never written.
type Event = value.Event

// Scratch holds the memory that expressions work in. Each goroutine has its own. Results stay valid until Reset, which is called
// before each event.
type Scratch = value.Scratch

// EventError says why an expression has no value for this event. It is made when the expression is compiled, so that a
// million events without a header cost nothing.
type EventError = value.Error

// Program is a compiled expression. It is immutable: any number of goroutines may run it, each with its own Scratch.
type Program = closure.Program

// Part is a piece of a template: constant text, or a program.
type Part = closure.Part

// Type is the type that an argument needs.
type Type = compile.Type

// The types of results.
const (
	TypeAny    = compile.TypeAny    // text, number or bool
	TypeBool   = compile.TypeBool   // a condition
	TypeString = compile.TypeString // text; numbers and bools are converted
	TypeNumber = compile.TypeNumber
)

// Evaluate works out an expression that does not depend on the event.
type Evaluate = compile.Evaluate

func language() *compile.Language { return &compile.Language{Natives: native.Table()} }

// Mentions says whether an expression reads event, through any path.
func Mentions(e hcl.Expression) bool { return compile.Mentions(e) }

// Residual checks an expression, folds what does not depend on the event, and gives what goes into the agent's spec. ctx holds
// the variables and functions that exist where the expression stands; src is the content of its file. Constants that
// are not known yet leave the expression as it is written.
func Residual(e hclsyntax.Expression, src []byte, ctx *hcl.EvalContext, want Type) (schema.Expr, hcl.Diagnostics) {
	return ResidualWith(hclsyntax.Expression.Value, e, src, ctx, want)
}

// ResidualWith is Residual with a way of evaluating of its own, which may set limits.
func ResidualWith(eval Evaluate, e hclsyntax.Expression, src []byte, ctx *hcl.EvalContext, want Type) (schema.Expr, hcl.Diagnostics) {
	return language().Residual(eval, e, src, ctx, want)
}

// Compile turns an expression of a spec into a program. It fails for a reference.
func Compile(e schema.Expr, want Type) (*Program, error) { return language().Compile(e, want) }

// What is said of a layout that shows hours of 12 as if they were of 24.
const (
	HalfDaySummary = datetime.HalfDaySummary
	HalfDayAdvice  = datetime.HalfDayAdvice
)

// HalfDay says whether a layout of formatdate shows a 12-hour clock without saying which half of the day it is.
func HalfDay(text string) bool {
	l, err := datetime.ParseLayout(text)
	return err == nil && l.HalfDay()
}

// Function is a function of the language.
type Function = functions.Function

// Sensitive marks values that no output, plan or per-event expression may show. The language marks what env(), secretfile() and
// sensitive variables give.
const Sensitive = functions.Sensitive

// Functions gives the functions that the language has everywhere, by name. Those that read files or the environment are not
// among them: package hclspec adds them.
func Functions() map[string]Function { return maps.Clone(functions.Table()) }
