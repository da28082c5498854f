package expr

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

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
func (c *compiler) forExpr(e *hclsyntax.ForExpr) *node {
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
	var key, val, cond *node
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
	var when boolFn
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

func (c *compiler) forList(coll valFn, slot int, val *node, when boolFn) *node {
	f := val.v
	return valNode(listOf(val.typ), func(s *Scratch) (value, *EventError) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		var out []value
		err = each(v, slot, s, func() *EventError {
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
		return value{kind: kindList, list: out}, err
	})
}

// listOf is the static type of a list whose length only the event decides.
func listOf(t cty.Type) cty.Type {
	if t.IsPrimitiveType() {
		return cty.List(t)
	}
	return cty.DynamicPseudoType
}

var errDuplicateKey = &EventError{Reason: "two elements have the same key"}

func (c *compiler) forObject(coll valFn, slot int, key strFn, val *node, when boolFn) *node {
	f := val.v
	typ := cty.DynamicPseudoType
	if val.typ.IsPrimitiveType() {
		typ = cty.Map(val.typ)
	}
	return valNode(typ, func(s *Scratch) (value, *EventError) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		m := map[string]value{}
		err = each(v, slot, s, func() *EventError {
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
			return value{}, err
		}
		return objectOf(m), nil
	})
}

func holds(f boolFn, s *Scratch) (bool, *EventError) {
	if f == nil {
		return true, nil
	}
	return f(s)
}

// each calls f for each element with its key and value in the variables slot and slot+1.
func each(v value, slot int, s *Scratch, f func() *EventError) *EventError {
	v, err := v.plain()
	if err != nil {
		return err
	}
	if v.kind != kindList && v.kind != kindObject {
		return errKind
	}
	for len(s.vars) < slot+2 {
		s.vars = append(s.vars, value{})
	}
	for i, e := range v.list {
		if v.kind == kindObject {
			s.vars[slot] = value{kind: kindString, s: s.text(v.obj.keys[i])}
		} else {
			s.vars[slot] = value{kind: kindNumber, n: float64(i)}
		}
		s.vars[slot+1] = e
		if !s.fits(0) {
			return errTooLarge
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// splat compiles list[*].path. What is no list counts as a list of one, null as an empty one.
func (c *compiler) splat(e *hclsyntax.SplatExpr) *node {
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
	var val *node
	c.bind([]boundVar{{"", cty.Number}, {"", typ}}, func() {
		c.anon[e.Item] = slot + 1
		val = c.expr(e.Each)
		delete(c.anon, e.Item)
	})
	if val == nil {
		return nil
	}
	f := src.v
	return c.forList(func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil || v.kind == kindList || v.kind == kindJSON && v.s[0] == '[' {
			return v, err
		}
		if v.kind == kindNull {
			return value{kind: kindList}, nil
		}
		one := s.room(1)
		one[0] = v
		return value{kind: kindList, list: one}, nil
	}, slot, val, nil)
}

// template compiles "…${…}…".
func (c *compiler) template(e *hclsyntax.TemplateExpr) *node {
	var fs []strFn
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
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		base := len(s.parts)
		for _, f := range fs {
			b, err := f(s)
			if err != nil {
				s.parts = s.parts[:base]
				return nil, err
			}
			s.parts = append(s.parts, b)
		}
		return s.joinParts(base, nil)
	})
}

// joinParts makes one text of the pieces from base on.
func (s *Scratch) joinParts(base int, sep []byte) ([]byte, *EventError) {
	size := 0
	for _, p := range s.parts[base:] {
		size += len(p) + len(sep)
	}
	if !s.fits(size) {
		s.parts = s.parts[:base]
		return nil, errTooLarge
	}
	at := len(s.buf)
	for i, p := range s.parts[base:] {
		if i > 0 {
			s.buf = append(s.buf, sep...)
		}
		s.buf = append(s.buf, p...)
	}
	s.parts = s.parts[:base]
	return s.since(at), nil
}

// templateJoin compiles %{for} in a template.
func (c *compiler) templateJoin(e *hclsyntax.TemplateJoinExpr) *node {
	n := c.expr(e.Tuple)
	if n == nil {
		return nil
	}
	return joinLists(func(*Scratch) ([]byte, *EventError) { return nil, nil }, []valFn{n.v})
}

// joinLists gives the texts of all lists with sep between them.
func joinLists(sep strFn, lists []valFn) *node {
	return strNode(func(s *Scratch) ([]byte, *EventError) {
		between, err := sep(s)
		if err != nil {
			return nil, err
		}
		base := len(s.parts)
		for _, f := range lists {
			if err := s.pushTexts(f); err != nil {
				s.parts = s.parts[:base]
				return nil, err
			}
		}
		return s.joinParts(base, between)
	})
}

// pushTexts puts the elements of a list on the stack of pieces.
func (s *Scratch) pushTexts(f valFn) *EventError {
	v, err := f(s)
	if err != nil {
		return err
	}
	if v, err = v.plain(); err != nil {
		return err
	}
	if v.kind != kindList {
		return errKind
	}
	for _, e := range v.list {
		b, err := toText(e, s)
		if err != nil {
			return err
		}
		s.parts = append(s.parts, b)
	}
	return nil
}
