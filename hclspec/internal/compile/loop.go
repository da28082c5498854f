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
	return ValNode(listOf(val.typ), func(s *value.Scratch) (value.Value, *value.EventError) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		var out []value.Value
		err = each(v, slot, s, func() *value.EventError {
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
		return value.Value{Kind: value.KindList, List: out}, err
	})
}

// listOf is the static type of a list whose length only the event decides.
func listOf(t cty.Type) cty.Type {
	if t.IsPrimitiveType() {
		return cty.List(t)
	}
	return cty.DynamicPseudoType
}

var errDuplicateKey = &value.EventError{Reason: "two elements have the same key"}

func (c *compiler) forObject(coll ValFn, slot int, key StrFn, val *Node, when BoolFn) *Node {
	f := val.v
	typ := cty.DynamicPseudoType
	if val.typ.IsPrimitiveType() {
		typ = cty.Map(val.typ)
	}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.EventError) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		m := map[string]value.Value{}
		err = each(v, slot, s, func() *value.EventError {
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

func holds(f BoolFn, s *value.Scratch) (bool, *value.EventError) {
	if f == nil {
		return true, nil
	}
	return f(s)
}

// each calls f for each element with its key and value in the variables slot and slot+1.
func each(v value.Value, slot int, s *value.Scratch, f func() *value.EventError) *value.EventError {
	v, err := v.Plain()
	if err != nil {
		return err
	}
	if v.Kind != value.KindList && v.Kind != value.KindObject {
		return value.ErrKind
	}
	for len(s.Vars) < slot+2 {
		s.Vars = append(s.Vars, value.Value{})
	}
	for i, e := range v.List {
		if v.Kind == value.KindObject {
			s.Vars[slot] = value.Value{Kind: value.KindString, S: s.Text(v.Obj.Keys[i])}
		} else {
			s.Vars[slot] = value.Value{Kind: value.KindNumber, N: float64(i)}
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
	return c.forList(func(s *value.Scratch) (value.Value, *value.EventError) {
		v, err := f(s)
		if err != nil || v.Kind == value.KindList || v.Kind == value.KindJSON && v.S[0] == '[' {
			return v, err
		}
		if v.Kind == value.KindNull {
			return value.Value{Kind: value.KindList}, nil
		}
		one := s.Room(1)
		one[0] = v
		return value.Value{Kind: value.KindList, List: one}, nil
	}, slot, val, nil)
}

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
	return StrNode(func(s *value.Scratch) ([]byte, *value.EventError) {
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
	return JoinLists(func(*value.Scratch) ([]byte, *value.EventError) { return nil, nil }, []ValFn{n.v})
}

// JoinLists gives the texts of all lists with sep between them.
func JoinLists(sep StrFn, lists []ValFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.EventError) {
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
