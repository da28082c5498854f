// Package printer writes an expression with its constants folded, in one canonical form whatever its layout and comments.
package printer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
)

// inlineLimit is the length up to which a constant is written into the expression; longer ones get a name.
const inlineLimit = 200

// Folded holds the values of the expressions that do not depend on the event.
type Folded map[hclsyntax.Node]cty.Value

type printer struct {
	folded Folded
	out    strings.Builder
	diags  hcl.Diagnostics
	name   string // root name of the constants that are not inline
	long   []any
}

// Print gives the text of an expression and the constants that the text refers to.
func Print(e hclsyntax.Expression, folded Folded) (string, map[string]any, hcl.Diagnostics) {
	p := &printer{folded: folded, name: "const"}
	for slices.Contains(LoopVariables(e), p.name) {
		p.name += "_"
	}
	p.expr(e)
	if len(p.long) == 0 {
		return p.out.String(), nil, p.diags
	}
	return p.out.String(), map[string]any{p.name: p.long}, p.diags
}

// LoopVariables gives the variables of all for expressions inside.
func LoopVariables(e hclsyntax.Expression) []string {
	var names []string
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if f, ok := n.(*hclsyntax.ForExpr); ok {
			names = append(names, f.KeyVar, f.ValVar)
		}
		return nil
	})
	return names
}

func (p *printer) write(parts ...string) {
	for _, s := range parts {
		p.out.WriteString(s)
	}
}

func (p *printer) list(es []hclsyntax.Expression) {
	for i, e := range es {
		if i > 0 {
			p.write(", ")
		}
		p.expr(e)
	}
}

// Precedence of operators, weakest first; everything else binds tighter.
const (
	precConditional = iota
	precOr
	precAnd
	precEqual
	precCompare
	precSum
	precProduct
	precUnary
	precTerm
)

func (p *printer) precedence(e hclsyntax.Expression) int {
	if v, ok := p.folded[e]; ok {
		if v.Type() == cty.Number && !v.IsNull() && v.AsBigFloat().Signbit() {
			return precUnary
		}
		return precTerm
	}
	switch x := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return p.precedence(x.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return p.precedence(x.Wrapped)
	case *hclsyntax.TemplateExpr:
		if len(x.Parts) == 1 {
			return p.precedence(x.Parts[0])
		}
	case *hclsyntax.ConditionalExpr:
		return precConditional
	case *hclsyntax.UnaryOpExpr:
		return precUnary
	case *hclsyntax.BinaryOpExpr:
		return opPrecedence(x.Op)
	}
	return precTerm
}

func opPrecedence(op *hclsyntax.Operation) int {
	switch op {
	case hclsyntax.OpLogicalOr:
		return precOr
	case hclsyntax.OpLogicalAnd:
		return precAnd
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual:
		return precEqual
	case hclsyntax.OpGreaterThan, hclsyntax.OpGreaterThanOrEqual, hclsyntax.OpLessThan, hclsyntax.OpLessThanOrEqual:
		return precCompare
	case hclsyntax.OpAdd, hclsyntax.OpSubtract:
		return precSum
	}
	return precProduct
}

// operand writes an operand that must bind at least as tightly as prec.
func (p *printer) operand(e hclsyntax.Expression, prec int) {
	if p.precedence(e) < prec {
		p.write("(")
		p.expr(e)
		p.write(")")
		return
	}
	p.expr(e)
}

func (p *printer) expr(e hclsyntax.Expression) {
	if v, ok := p.folded[e]; ok {
		p.constant(v)
		return
	}
	switch x := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		p.expr(x.Expression)
	case *hclsyntax.TemplateWrapExpr:
		p.expr(x.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		p.traversal(x.Traversal)
	case *hclsyntax.RelativeTraversalExpr:
		p.operand(x.Source, precTerm)
		p.traversal(x.Traversal)
	case *hclsyntax.IndexExpr:
		p.operand(x.Collection, precTerm)
		p.write("[")
		p.expr(x.Key)
		p.write("]")
	case *hclsyntax.TemplateExpr:
		p.template(x)
	case *hclsyntax.TemplateJoinExpr:
		p.write(`join("", `)
		p.expr(x.Tuple)
		p.write(")")
	case *hclsyntax.UnaryOpExpr:
		p.write(opSymbol(x.Op))
		p.operand(x.Val, precTerm)
	case *hclsyntax.BinaryOpExpr:
		prec := opPrecedence(x.Op)
		p.operand(x.LHS, prec)
		p.write(" ", opSymbol(x.Op), " ")
		p.operand(x.RHS, prec+1)
	case *hclsyntax.ConditionalExpr:
		p.operand(x.Condition, precOr)
		p.write(" ? ")
		p.operand(x.TrueResult, precOr)
		p.write(" : ")
		p.expr(x.FalseResult)
	default:
		p.more(e)
	}
}

// more is the second half of expr.
func (p *printer) more(e hclsyntax.Expression) {
	switch x := e.(type) {
	case *hclsyntax.FunctionCallExpr:
		p.write(x.Name, "(")
		p.list(x.Args)
		if x.ExpandFinal {
			p.write("...")
		}
		p.write(")")
	case *hclsyntax.TupleConsExpr:
		p.write("[")
		p.list(x.Exprs)
		p.write("]")
	case *hclsyntax.ObjectConsExpr:
		p.write("{ ")
		for i, it := range x.Items {
			if i > 0 {
				p.write(", ")
			}
			p.expr(it.KeyExpr)
			p.write(" = ")
			p.expr(it.ValueExpr)
		}
		p.write(" }")
	case *hclsyntax.ForExpr:
		p.forExpr(x)
	case *hclsyntax.SplatExpr:
		p.operand(x.Source, precTerm)
		p.write("[*]")
		p.expr(x.Each)
	case *hclsyntax.LiteralValueExpr:
		p.constant(x.Val)
	case *hclsyntax.AnonSymbolExpr:
	default:
		at := e.Range()
		p.diags = append(p.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unsupported expression",
			Detail: "This form of expression cannot depend on the event.", Subject: &at,
		})
	}
}

func (p *printer) forExpr(x *hclsyntax.ForExpr) {
	brackets := "[]"
	if x.KeyExpr != nil {
		brackets = "{}"
	}
	p.write(brackets[:1], "for ")
	if x.KeyVar != "" {
		p.write(x.KeyVar, ", ")
	}
	p.write(x.ValVar, " in ")
	p.expr(x.CollExpr)
	p.write(" : ")
	if x.KeyExpr != nil {
		p.expr(x.KeyExpr)
		p.write(" => ")
	}
	p.expr(x.ValExpr)
	if x.CondExpr != nil {
		p.write(" if ")
		p.expr(x.CondExpr)
	}
	p.write(brackets[1:])
}

func (p *printer) traversal(t hcl.Traversal) {
	for _, step := range t {
		switch x := step.(type) {
		case hcl.TraverseRoot:
			p.write(x.Name)
		case hcl.TraverseAttr:
			p.write(".", x.Name)
		case hcl.TraverseIndex:
			p.write("[", constant.Literal(x.Key), "]")
		}
	}
}

func (p *printer) template(x *hclsyntax.TemplateExpr) {
	if len(x.Parts) == 1 {
		// Only %{if} and %{for} make such a template; what is in it is a text already, or becomes one where it is used.
		p.expr(x.Parts[0])
		return
	}
	p.write(`"`)
	for _, part := range x.Parts {
		v, ok := p.folded[part]
		if lit, isLit := part.(*hclsyntax.LiteralValueExpr); isLit {
			v, ok = lit.Val, true
		}
		if ok {
			if text, _ := constant.Text(v); text != "" {
				p.write(constant.Escape(text))
				continue
			}
		}
		// An empty constant stays, so that a template does not turn into a single value of another type.
		p.write("${")
		p.expr(part)
		p.write("}")
	}
	p.write(`"`)
}

// constant writes a value, or a name for it when it is long.
func (p *printer) constant(v cty.Value) {
	text := constant.Literal(v)
	if len(text) <= inlineLimit {
		p.write(text)
		return
	}
	val, ok := constant.Plain(v)
	if !ok {
		p.write(text)
		return
	}
	p.write(fmt.Sprintf("%s[%d]", p.name, len(p.long)))
	p.long = append(p.long, val)
}

func opSymbol(op *hclsyntax.Operation) string {
	switch op {
	case hclsyntax.OpLogicalOr:
		return "||"
	case hclsyntax.OpLogicalAnd:
		return "&&"
	case hclsyntax.OpLogicalNot:
		return "!"
	case hclsyntax.OpEqual:
		return "=="
	case hclsyntax.OpNotEqual:
		return "!="
	case hclsyntax.OpGreaterThan:
		return ">"
	case hclsyntax.OpGreaterThanOrEqual:
		return ">="
	case hclsyntax.OpLessThan:
		return "<"
	case hclsyntax.OpLessThanOrEqual:
		return "<="
	case hclsyntax.OpAdd:
		return "+"
	case hclsyntax.OpSubtract, hclsyntax.OpNegate:
		return "-"
	case hclsyntax.OpMultiply:
		return "*"
	case hclsyntax.OpDivide:
		return "/"
	}
	return "%"
}
