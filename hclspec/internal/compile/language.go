package compile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/printer"
	"collect/hclspec/schema"
)

// Mentions says whether an expression reads event, through any path.
func Mentions(e hcl.Expression) bool {
	for _, t := range e.Variables() {
		if t.RootName() == eventName {
			return true
		}
	}
	return false
}

// Evaluate works out an expression that does not depend on the event.
type Evaluate func(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics)

// Language compiles expressions.
type Language struct {
	Natives map[string]Native // by the names of functions; a function that is not among them is called through cty
}

// Residual checks an expression, folds what does not depend on the event, and gives what goes into the agent's spec. ctx holds
// the variables and functions that exist where the expression stands; src is the content of its file. Constants that
// are not known yet leave the expression as it is written.
func (l *Language) Residual(eval Evaluate, e hclsyntax.Expression, src []byte, ctx *hcl.EvalContext, want Type) (schema.Expr, hcl.Diagnostics) {
	c := l.compiler(ctx)
	c.src, c.eval = src, eval
	n := c.top(e, want)
	if c.diags.HasErrors() || n == nil {
		return schema.Expr{}, c.diags
	}
	at := schema.Pos{File: e.Range().Filename, Line: e.Range().Start.Line, Col: e.Range().Start.Column}
	if c.unknown {
		return schema.Expr{Src: string(e.Range().SliceBytes(src)), At: at}, c.diags
	}
	if n.IsConst {
		if v, ok := constant.Plain(n.Const); ok {
			return schema.Expr{Const: v}, c.diags
		}
	}
	text, consts, diags := printer.Print(e, c.folded)
	return schema.Expr{Src: text, Consts: consts, At: at}, append(c.diags, diags...)
}

// Compile turns an expression of a spec into a program. It fails for a reference.
func (l *Language) Compile(e schema.Expr, want Type) (*closure.Program, error) {
	if e.Ref != nil {
		return nil, fmt.Errorf("%s is a reference, not an expression", e.Ref.Address)
	}
	if e.Src == "" {
		return l.constant(e.Const, want)
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
	c := l.compiler(ctx)
	n := c.top(tree, want)
	if c.diags.HasErrors() || n == nil {
		return nil, asError(e, c.diags)
	}
	return c.program(n, tree), nil
}

// constant makes a program of a constant of a spec.
func (l *Language) constant(v any, want Type) (*closure.Program, error) {
	val, err := constant.FromPlain(v)
	if err != nil {
		return nil, err
	}
	c := l.compiler(nil)
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
