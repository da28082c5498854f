package compile

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/value"
)

// variable gives the node of a variable of a for expression.
func (c *compiler) variable(slot int) *closure.Node {
	return closure.ValNode(c.bound[slot].typ, func(s *value.Scratch) (value.Value, *value.Error) { return s.Vars[slot], nil })
}

// steps applies .NAME and [KEY] to a value.
func (c *compiler) steps(n *closure.Node, t hcl.Traversal) *closure.Node {
	for _, step := range t {
		if n == nil {
			return nil
		}
		switch x := step.(type) {
		case hcl.TraverseAttr:
			n = c.attribute(n, x.Name, x.SrcRange)
		case hcl.TraverseIndex:
			n = c.element(n, closure.ConstNode(x.Key), x.SrcRange)
		default:
			c.errorf(step.SourceRange(), "Unsupported path", "This form of path cannot be used on an event.")
			return nil
		}
	}
	return n
}

// attribute compiles n.name.
func (c *compiler) attribute(n *closure.Node, name string, at hcl.Range) *closure.Node {
	t := n.Type
	if (t.IsTupleType() || t.IsListType()) && name != "" && name[0] >= '0' && name[0] <= '9' {
		return c.element(n, closure.ConstNode(cty.StringVal(name)), at)
	}
	var typ cty.Type
	switch {
	case t.IsObjectType():
		if !t.HasAttribute(name) {
			names := slices.Collect(maps.Keys(t.AttributeTypes()))
			c.errorf(at, "Unknown attribute", "There is no attribute %q here.%s", name, suggest(name, names))
			return nil
		}
		typ = t.AttributeType(name)
	case t.IsMapType():
		typ = t.ElementType()
	case t == cty.DynamicPseudoType:
		typ = t
	default:
		c.errorf(at, "Wrong path", "This is %s, which has no attribute %q.", constant.TypeName(t), name)
		return nil
	}
	if n.Field != nil {
		return n.Field(name)
	}
	return closure.FieldNamed(typ, n.Val, name)
}

// index compiles collection[key].
func (c *compiler) index(e *hclsyntax.IndexExpr) *closure.Node {
	if isHeaders(e.Collection) {
		key := c.expr(e.Key)
		if key == nil {
			return nil
		}
		f := c.asText(key, e.Key.Range())
		if f == nil {
			return nil
		}
		return closure.Header(f, nil)
	}
	coll, key := c.expr(e.Collection), c.expr(e.Key)
	if coll == nil || key == nil {
		return nil
	}
	return c.element(coll, key, e.BracketRange)
}

// element compiles n[key] for a key of any kind.
func (c *compiler) element(n, key *closure.Node, at hcl.Range) *closure.Node {
	t := n.Type
	switch {
	case t.IsObjectType() || t.IsMapType():
		if name, ok := key.Text(); ok {
			return c.attribute(n, name, at)
		}
		return c.byKey(n, key, at)
	case t.IsListType() || t.IsTupleType():
		return c.byIndex(n, key, at)
	case t == cty.DynamicPseudoType:
		return c.byAny(n, key, at)
	}
	c.errorf(at, "Wrong path", "This is %s, which has no elements.", constant.TypeName(t))
	return nil
}

func (c *compiler) byKey(n, key *closure.Node, at hcl.Range) *closure.Node {
	k, f := c.asText(key, at), n.Val
	if k == nil {
		return nil
	}
	return closure.FieldAt(constant.ElementType(n.Type), f, k)
}

func (c *compiler) byIndex(n, key *closure.Node, at hcl.Range) *closure.Node {
	k := c.asNumber(key, at)
	if k == nil {
		return nil
	}
	typ, f := constant.ElementType(n.Type), n.Val
	if key.IsConst {
		x, _ := k(nil)
		i := int(x)
		if float64(i) != x || i < 0 {
			c.errorf(at, "Wrong index", "An index is a whole number from 0.")
			return nil
		}
		if n.Type.IsTupleType() {
			types := n.Type.TupleElementTypes()
			if i >= len(types) {
				c.errorf(at, "Wrong index", "There are %d elements here, so the last index is %d.", len(types), len(types)-1)
				return nil
			}
			typ = types[i]
		}
		if n.Item != nil {
			return n.Item(i)
		}
		return closure.Item(typ, f, i)
	}
	return closure.ItemAt(typ, f, k)
}

// byAny indexes a value whose type only the event decides.
func (c *compiler) byAny(n, key *closure.Node, at hcl.Range) *closure.Node {
	if key.Type.IsObjectType() || key.Type.IsTupleType() || key.Type.IsCollectionType() {
		c.typeError(key, at, "a text or number")
		return nil
	}
	return closure.ElementAt(n.Val, key.Val)
}

// tuple compiles [a, b, …].
func (c *compiler) tuple(e *hclsyntax.TupleConsExpr) *closure.Node {
	fs := make([]closure.ValFn, len(e.Exprs))
	types := make([]cty.Type, len(e.Exprs))
	for i, x := range e.Exprs {
		n := c.expr(x)
		if n == nil {
			fs = nil
			continue
		}
		types[i] = n.Type
		if fs != nil {
			fs[i] = n.Val
		}
	}
	if fs == nil {
		return nil
	}
	return closure.List(types, fs)
}

// object compiles {a = b, …}. Keys must be constant.
func (c *compiler) object(e *hclsyntax.ObjectConsExpr) *closure.Node {
	var fields []closure.ObjectField
	types := map[string]cty.Type{}
	bad := false
	for _, it := range e.Items {
		k, n := c.expr(it.KeyExpr), c.expr(it.ValueExpr)
		if k == nil || n == nil {
			bad = true
			continue
		}
		if !k.IsConst || k.Const.IsNull() {
			c.errorf(it.KeyExpr.Range(), "Wrong key", "The keys of an object must not depend on the event.")
			bad = true
			continue
		}
		f := c.asText(k, it.KeyExpr.Range())
		if f == nil {
			bad = true
			continue
		}
		name, _ := f(new(value.Scratch))
		types[string(name)] = n.Type
		fields = append(fields, closure.ObjectField{Name: string(name), F: n.Val})
	}
	if bad {
		return nil
	}
	return closure.Object(types, fields)
}
