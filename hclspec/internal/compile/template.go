package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/value"
)

// template compiles "…${…}…".
func (c *compiler) template(e *hclsyntax.TemplateExpr) *closure.Node {
	var fs []closure.StrFn
	bad := false
	for _, p := range e.Parts {
		n := c.expr(p)
		if n == nil {
			bad = true
			continue
		}
		f := c.asText(n, p.Range())
		if f == nil {
			bad = true
			continue
		}
		fs = append(fs, f)
	}
	if bad {
		return nil
	}
	return closure.Concat(fs)
}

// templateJoin compiles %{for} in a template.
func (c *compiler) templateJoin(e *hclsyntax.TemplateJoinExpr) *closure.Node {
	n := c.expr(e.Tuple)
	if n == nil {
		return nil
	}
	return closure.JoinLists(func(*value.Scratch) ([]byte, *value.Error) { return nil, nil }, []closure.ValFn{n.Val})
}
