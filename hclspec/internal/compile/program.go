package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/closure"
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

// program gives the closures for all results that the type allows.
func (c *compiler) program(n *closure.Node, e hclsyntax.Expression) *closure.Program {
	quiet := &compiler{}
	b, num, text := quiet.asBool(n, e.Range()), quiet.asNumber(n, e.Range()), quiet.asText(n, e.Range())
	var t closure.TimeFn
	if text != nil {
		t = quiet.asTime(n, e.Range())
	}
	p := closure.NewProgram(n.IsConst, b, num, text, t)
	p.SetParts(c.split(p, n, e))
	return p
}

// split cuts a template into its parts.
func (c *compiler) split(whole *closure.Program, n *closure.Node, e hclsyntax.Expression) []closure.Part {
	if n.IsConst {
		return []closure.Part{{Literal: whole.Constant()}}
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
		return []closure.Part{{Program: whole}}
	}
	var parts []closure.Part
	for _, pe := range t.Parts {
		n := c.expr(pe)
		if n == nil {
			return []closure.Part{{Program: whole}}
		}
		for _, p := range c.program(n, pe).Parts() {
			if last := len(parts) - 1; p.Program == nil && last >= 0 && parts[last].Program == nil {
				parts[last].Literal += p.Literal
				continue
			}
			parts = append(parts, p)
		}
	}
	return parts
}
