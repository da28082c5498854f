package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/value"
)

// template compiles "…${…}…".
func (c *compiler) template(e *hclsyntax.TemplateExpr) *Node {
	var fs []StrFn
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
	return Concat(fs)
}

// Concat gives texts one after the other.
func Concat(fs []StrFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		base := len(s.Parts)
		for _, f := range fs {
			b, err := f(s)
			if err != nil {
				s.Parts = s.Parts[:base]
				return nil, err
			}
			s.Parts = append(s.Parts, b)
		}
		return s.JoinParts(base, nil)
	})
}

// templateJoin compiles %{for} in a template.
func (c *compiler) templateJoin(e *hclsyntax.TemplateJoinExpr) *Node {
	n := c.expr(e.Tuple)
	if n == nil {
		return nil
	}
	return JoinLists(func(*value.Scratch) ([]byte, *value.Error) { return nil, nil }, []ValFn{n.v})
}

// JoinLists gives the texts of all lists with sep between them.
func JoinLists(sep StrFn, lists []ValFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		between, err := sep(s)
		if err != nil {
			return nil, err
		}
		base := len(s.Parts)
		for _, f := range lists {
			v, err := f(s)
			if err == nil {
				err = s.PushTexts(v)
			}
			if err != nil {
				s.Parts = s.Parts[:base]
				return nil, err
			}
		}
		return s.JoinParts(base, between)
	})
}
