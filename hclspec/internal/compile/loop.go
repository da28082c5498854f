package compile

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/value"
)

// bind adds a variable for the time that f compiles.
func (c *compiler) bind(vars []boundVar, f func()) {
	n := len(c.bound)
	c.bound = append(c.bound, vars...)
	f()
	c.bound = c.bound[:n]
}

// forExpr compiles [for …] and {for …}.
func (c *compiler) forExpr(e *hclsyntax.ForExpr) *Node {
	coll := c.expr(e.CollExpr)
	if coll == nil {
		return nil
	}
	if coll.typ.IsPrimitiveType() {
		c.typeError(coll, e.CollExpr.Range(), "a list or object")
		return nil
	}
	keyType := cty.Number
	if coll.typ.IsMapType() || coll.typ.IsObjectType() {
		keyType = cty.String
	} else if coll.typ == cty.DynamicPseudoType {
		keyType = cty.DynamicPseudoType
	}
	slot := len(c.bound)
	var key, val, cond *Node
	ok := true
	c.bind([]boundVar{{e.KeyVar, keyType}, {e.ValVar, constant.ElementType(coll.typ)}}, func() {
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
	var when BoolFn
	if cond != nil {
		if when = c.asBool(cond, e.CondExpr.Range()); when == nil {
			return nil
		}
	}
	if key == nil {
		return c.forList(coll.v, slot, val, when)
	}
	if e.Group {
		c.errorf(e.SrcRange, "Unsupported expression", "Grouping with ... cannot depend on the event.")
		return nil
	}
	k := c.asText(key, e.KeyExpr.Range())
	if k == nil {
		return nil
	}
	return c.forObject(coll.v, slot, k, val, when)
}

func (c *compiler) forList(coll ValFn, slot int, val *Node, when BoolFn) *Node {
	f := val.v
	return ValNode(listOf(val.typ), func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		var out []value.Value
		err = each(v, slot, s, func() *value.Error {
			if ok, err := holds(when, s); err != nil || !ok {
				return err
			}
			x, err := f(s)
			if err != nil {
				return err
			}
			out = append(out, x)
			return nil
		})
		return value.Value{Kind: value.List, List: out}, err
	})
}

// listOf is the static type of a list whose length only the event decides.
func listOf(t cty.Type) cty.Type {
	if t.IsPrimitiveType() {
		return cty.List(t)
	}
	return cty.DynamicPseudoType
}

var errDuplicateKey = &value.Error{Reason: "two elements have the same key"}

func (c *compiler) forObject(coll ValFn, slot int, key StrFn, val *Node, when BoolFn) *Node {
	f := val.v
	typ := cty.DynamicPseudoType
	if val.typ.IsPrimitiveType() {
		typ = cty.Map(val.typ)
	}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		m := map[string]value.Value{}
		err = each(v, slot, s, func() *value.Error {
			if ok, err := holds(when, s); err != nil || !ok {
				return err
			}
			k, err := key(s)
			if err != nil {
				return err
			}
			if _, dup := m[string(k)]; dup {
				return errDuplicateKey
			}
			m[string(k)], err = f(s)
			return err
		})
		if err != nil {
			return value.Value{}, err
		}
		return value.ObjectOf(m), nil
	})
}

func holds(f BoolFn, s *value.Scratch) (bool, *value.Error) {
	if f == nil {
		return true, nil
	}
	return f(s)
}

// each calls f for each element with its key and value in the variables slot and slot+1.
func each(v value.Value, slot int, s *value.Scratch, f func() *value.Error) *value.Error {
	v, err := v.Plain()
	if err != nil {
		return err
	}
	if v.Kind != value.List && v.Kind != value.Object {
		return value.ErrKind
	}
	for len(s.Vars) < slot+2 {
		s.Vars = append(s.Vars, value.Value{})
	}
	for i, e := range v.List {
		if v.Kind == value.Object {
			s.Vars[slot] = value.Value{Kind: value.String, S: s.Text(v.Obj.Keys[i])}
		} else {
			s.Vars[slot] = value.Value{Kind: value.Number, N: float64(i)}
		}
		s.Vars[slot+1] = e
		if !s.Fits(0) {
			return value.ErrTooLarge
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// splat compiles list[*].path. What is no list counts as a list of one, null as an empty one.
func (c *compiler) splat(e *hclsyntax.SplatExpr) *Node {
	src := c.expr(e.Source)
	if src == nil {
		return nil
	}
	isList := src.typ.IsListType() || src.typ.IsTupleType() || src.typ.IsSetType()
	typ := src.typ
	if isList {
		typ = constant.ElementType(typ)
	}
	slot := len(c.bound)
	var val *Node
	c.bind([]boundVar{{"", cty.Number}, {"", typ}}, func() {
		c.anon[e.Item] = slot + 1
		val = c.expr(e.Each)
		delete(c.anon, e.Item)
	})
	if val == nil {
		return nil
	}
	f := src.v
	return c.forList(func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil || v.Kind == value.List || v.Kind == value.JSON && v.S[0] == '[' {
			return v, err
		}
		if v.Kind == value.Null {
			return value.Value{Kind: value.List}, nil
		}
		one := s.Room(1)
		one[0] = v
		return value.Value{Kind: value.List, List: one}, nil
	}, slot, val, nil)
}
