package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
)

// metaTypes are the attributes of event.meta.
func metaTypes() map[string]cty.Type {
	return map[string]cty.Type{
		"file": cty.String, "host": cty.String, "topic": cty.String, "peer": cty.String,
		"offset": cty.Number, "partition": cty.Number,
	}
}

// traversal compiles a path that begins with event or with a variable of a for expression.
func (c *compiler) traversal(e *hclsyntax.ScopeTraversalExpr) *closure.Node {
	t := e.Traversal
	if slot := c.lookup(t.RootName()); slot >= 0 {
		return c.steps(c.variable(slot), t[1:])
	}
	if len(t) < 2 {
		c.errorf(e.SrcRange, "Incomplete path", "event itself is no value. Use event.body, event.time, event.headers.NAME or event.meta.NAME.")
		return nil
	}
	name, at, ok := stepName(t[1])
	if !ok {
		c.errorf(at, "Wrong path", "event has the attributes body, time, headers and meta.")
		return nil
	}
	switch name {
	case "body":
		return c.steps(closure.Body(), t[2:])
	case "time":
		return c.steps(closure.EventTime(), t[2:])
	case "headers":
		if len(t) == 2 {
			return closure.Headers()
		}
		header, at, ok := stepName(t[2])
		if !ok {
			c.errorf(at, "Wrong path", "Headers have names: event.headers.NAME or event.headers[\"NAME\"].")
			return nil
		}
		if len(t) > 3 {
			if next, _, ok := stepName(t[3]); ok {
				c.errorf(t[3].SourceRange(), "Wrong path", "A header is a text and has no attributes. A header whose name contains a dot is written event.headers[%q].", header+"."+next)
				return nil
			}
		}
		return c.steps(closure.NamedHeader(header), t[3:])
	case "meta":
		return c.meta(t)
	}
	c.errorf(at, "Unknown event attribute", "event has no attribute %q: it has body, time, headers and meta.%s",
		name, c.eventHint(name))
	return nil
}

func (c *compiler) eventHint(name string) string {
	if s := suggest(name, []string{"body", "time", "headers", "meta"}); s != "" {
		return strings.Replace(s, "mean ", "mean event.", 1)
	}
	return fmt.Sprintf(" A header is written event.headers.%s.", name)
}

func (c *compiler) meta(t hcl.Traversal) *closure.Node {
	types := metaTypes()
	names := slices.Sorted(maps.Keys(types))
	if len(t) < 3 {
		c.errorf(t.SourceRange(), "Incomplete path", "event.meta itself is no value. It has %s.", strings.Join(names, ", "))
		return nil
	}
	name, at, ok := stepName(t[2])
	typ, known := types[name]
	if !ok || !known {
		c.errorf(at, "Unknown event attribute", "event.meta has no attribute %q: it has %s.%s", name, strings.Join(names, ", "), suggest(name, names))
		return nil
	}
	if typ == cty.Number {
		return c.steps(closure.MetaNumber(name), t[3:])
	}
	return c.steps(closure.MetaText(name), t[3:])
}

// stepName gives the name of a step .NAME or ["NAME"].
func stepName(t hcl.Traverser) (string, hcl.Range, bool) {
	switch x := t.(type) {
	case hcl.TraverseAttr:
		return x.Name, x.SrcRange, true
	case hcl.TraverseIndex:
		if x.Key.Type() == cty.String && !x.Key.IsNull() {
			return x.Key.AsString(), x.SrcRange, true
		}
		return "", x.SrcRange, false
	}
	return "", t.SourceRange(), false
}

// isHeaders says whether an expression is event.headers itself.
func isHeaders(e hclsyntax.Expression) bool {
	t, ok := e.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(t.Traversal) != 2 || t.Traversal.RootName() != eventName {
		return false
	}
	name, _, ok := stepName(t.Traversal[1])
	return ok && name == "headers"
}
