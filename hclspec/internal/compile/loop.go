package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
)

// bind adds a variable for the time that f compiles.
func (c *compiler) bind(vars []boundVar, f func()) {
	n := len(c.bound)
	c.bound = append(c.bound, vars...)
	f()
	c.bound = c.bound[:n]
}

// forExpr compiles [for …] and {for …}.
func (c *compiler) forExpr(e *hclsyntax.ForExpr) *closure.Node {
	coll := c.expr(e.CollExpr)
	if coll == nil {
		return nil
	}
	if coll.Type.IsPrimitiveType() {
		c.typeError(coll, e.CollExpr.Range(), "a list or object")
		return nil
	}
	keyType := cty.Number
	if coll.Type.IsMapType() || coll.Type.IsObjectType() {
		keyType = cty.String
	} else if coll.Type == cty.DynamicPseudoType {
		keyType = cty.DynamicPseudoType
	}
	slot := len(c.bound)
	var key, val, cond *closure.Node
	ok := true
	c.bind([]boundVar{{e.KeyVar, keyType}, {e.ValVar, constant.ElementType(coll.Type)}}, func() {
		val = c.expr(e.ValExpr)
		ok = val != nil
		if e.KeyExpr != nil {
			key = c.expr(e.KeyExpr)
			ok = ok && key != nil
		}
		if e.CondExpr != nil {
			cond = c.expr(e.CondExpr)
			ok = ok && cond != nil
		}
	})
	if !ok {
		return nil
	}
	var when closure.BoolFn
	if cond != nil {
		if when = c.asBool(cond, e.CondExpr.Range()); when == nil {
			return nil
		}
	}
	if key == nil {
		return closure.ForList(coll.Val, slot, val, when)
	}
	if e.Group {
		c.errorf(e.SrcRange, "Unsupported expression", "Grouping with ... cannot depend on the event.")
		return nil
	}
	k := c.asText(key, e.KeyExpr.Range())
	if k == nil {
		return nil
	}
	return closure.ForObject(coll.Val, slot, k, val, when)
}

// splat compiles list[*].path. What is no list counts as a list of one, null as an empty one.
func (c *compiler) splat(e *hclsyntax.SplatExpr) *closure.Node {
	src := c.expr(e.Source)
	if src == nil {
		return nil
	}
	isList := src.Type.IsListType() || src.Type.IsTupleType() || src.Type.IsSetType()
	typ := src.Type
	if isList {
		typ = constant.ElementType(typ)
	}
	slot := len(c.bound)
	var val *closure.Node
	c.bind([]boundVar{{"", cty.Number}, {"", typ}}, func() {
		c.anon[e.Item] = slot + 1
		val = c.expr(e.Each)
		delete(c.anon, e.Item)
	})
	if val == nil {
		return nil
	}
	return closure.ForList(closure.OneOrMany(src.Val), slot, val, nil)
}
