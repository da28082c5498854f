package expr

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
)

var (
	errNoElement = &EventError{Reason: "the list has no element with this index"}
	errNoKey     = &EventError{Reason: "the object has no attribute of this name"}
)

// variable gives the node of a variable of a for expression.
func (c *compiler) variable(slot int) *node {
	return valNode(c.bound[slot].typ, func(s *Scratch) (value, *EventError) { return s.vars[slot], nil })
}

// steps applies .NAME and [KEY] to a value.
func (c *compiler) steps(n *node, t hcl.Traversal) *node {
	for _, step := range t {
		if n == nil {
			return nil
		}
		switch x := step.(type) {
		case hcl.TraverseAttr:
			n = c.attribute(n, x.Name, x.SrcRange)
		case hcl.TraverseIndex:
			n = c.element(n, constNode(x.Key), x.SrcRange)
		default:
			c.errorf(step.SourceRange(), "Unsupported path", "This form of path cannot be used on an event.")
			return nil
		}
	}
	return n
}

// attribute compiles n.name.
func (c *compiler) attribute(n *node, name string, at hcl.Range) *node {
	t := n.typ
	if (t.IsTupleType() || t.IsListType()) && name != "" && name[0] >= '0' && name[0] <= '9' {
		return c.element(n, constNode(cty.StringVal(name)), at)
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
	if n.field != nil {
		return n.field(name)
	}
	key, f := []byte(name), n.v
	missing := &EventError{Reason: fmt.Sprintf("there is no attribute %q", name)}
	return valNode(typ, func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		out, err := field(v, key, s)
		if err == errNoKey {
			err = missing
		}
		return out, err
	})
}

// field reads an attribute of an object.
func field(v value, key []byte, s *Scratch) (value, *EventError) {
	switch v.kind {
	case kindObject:
		if out, ok := v.get(key); ok {
			return out, nil
		}
		return value{}, errNoKey
	case kindJSON:
		return jsonField(v.s, key, s)
	case kindNull:
		return value{}, errNull
	}
	return value{}, errKind
}

// item reads an element of a list.
func item(v value, i int, s *Scratch) (value, *EventError) {
	switch v.kind {
	case kindList:
		if i < 0 || i >= len(v.list) {
			return value{}, errNoElement
		}
		return v.list[i], nil
	case kindJSON:
		return jsonItem(v.s, i, s)
	case kindNull:
		return value{}, errNull
	}
	return value{}, errKind
}

// index compiles collection[key].
func (c *compiler) index(e *hclsyntax.IndexExpr) *node {
	if isHeaders(e.Collection) {
		key := c.expr(e.Key)
		if key == nil {
			return nil
		}
		f := c.asText(key, e.Key.Range())
		if f == nil {
			return nil
		}
		return headerByKey(f)
	}
	coll, key := c.expr(e.Collection), c.expr(e.Key)
	if coll == nil || key == nil {
		return nil
	}
	return c.element(coll, key, e.BracketRange)
}

// element compiles n[key] for a key of any kind.
func (c *compiler) element(n, key *node, at hcl.Range) *node {
	t := n.typ
	switch {
	case t.IsObjectType() || t.IsMapType():
		if name, ok := key.text(); ok {
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

func (c *compiler) byKey(n, key *node, at hcl.Range) *node {
	k, f := c.asText(key, at), n.v
	if k == nil {
		return nil
	}
	return valNode(constant.ElementType(n.typ), func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		name, err := k(s)
		if err != nil {
			return value{}, err
		}
		return field(v, name, s)
	})
}

func (c *compiler) byIndex(n, key *node, at hcl.Range) *node {
	k := c.asNumber(key, at)
	if k == nil {
		return nil
	}
	typ, f := constant.ElementType(n.typ), n.v
	if key.konst {
		x, _ := k(nil)
		i := int(x)
		if float64(i) != x || i < 0 {
			c.errorf(at, "Wrong index", "An index is a whole number from 0.")
			return nil
		}
		if n.typ.IsTupleType() {
			types := n.typ.TupleElementTypes()
			if i >= len(types) {
				c.errorf(at, "Wrong index", "There are %d elements here, so the last index is %d.", len(types), len(types)-1)
				return nil
			}
			typ = types[i]
		}
		if n.item != nil {
			return n.item(i)
		}
		return valNode(typ, func(s *Scratch) (value, *EventError) {
			v, err := f(s)
			if err != nil {
				return v, err
			}
			return item(v, i, s)
		})
	}
	return valNode(typ, func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value{}, err
		}
		i, ok := whole(x)
		if !ok {
			return value{}, errNoElement
		}
		return item(v, i, s)
	})
}

// byAny indexes a value whose type only the event decides.
func (c *compiler) byAny(n, key *node, at hcl.Range) *node {
	if key.typ.IsObjectType() || key.typ.IsTupleType() || key.typ.IsCollectionType() {
		c.typeError(key, at, "a text or number")
		return nil
	}
	f, k := n.v, key.v
	return valNode(cty.DynamicPseudoType, func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value{}, err
		}
		if v.kind == kindList || v.kind == kindJSON && v.s[0] == '[' {
			num, err := toNumber(x)
			if err != nil {
				return value{}, err
			}
			i, ok := whole(num)
			if !ok {
				return value{}, errNoElement
			}
			return item(v, i, s)
		}
		name, err := toText(x, s)
		if err != nil {
			return value{}, err
		}
		return field(v, name, s)
	})
}

// whole gives a number as an int when it is one.
func whole(f float64) (int, bool) {
	if f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int(f), true
}

// tuple compiles [a, b, …].
func (c *compiler) tuple(e *hclsyntax.TupleConsExpr) *node {
	fs := make([]valFn, len(e.Exprs))
	types := make([]cty.Type, len(e.Exprs))
	for i, x := range e.Exprs {
		n := c.expr(x)
		if n == nil {
			fs = nil
			continue
		}
		types[i] = n.typ
		if fs != nil {
			fs[i] = n.v
		}
	}
	if fs == nil {
		return nil
	}
	n := valNode(cty.Tuple(types), func(s *Scratch) (value, *EventError) {
		list := s.room(len(fs))
		for i, f := range fs {
			v, err := f(s)
			if err != nil {
				return value{}, err
			}
			list[i] = v
		}
		return value{kind: kindList, list: list}, nil
	})
	n.nullable = false
	return n
}

// object compiles {a = b, …}. Keys must be constant.
func (c *compiler) object(e *hclsyntax.ObjectConsExpr) *node {
	type pair struct {
		name string
		f    valFn
	}
	var pairs []pair
	types := map[string]cty.Type{}
	bad := false
	for _, it := range e.Items {
		k, n := c.expr(it.KeyExpr), c.expr(it.ValueExpr)
		if k == nil || n == nil {
			bad = true
			continue
		}
		if !k.konst || k.ck.IsNull() {
			c.errorf(it.KeyExpr.Range(), "Wrong key", "The keys of an object must not depend on the event.")
			bad = true
			continue
		}
		f := c.asText(k, it.KeyExpr.Range())
		if f == nil {
			bad = true
			continue
		}
		name, _ := f(new(Scratch))
		types[string(name)] = n.typ
		pairs = append(pairs, pair{string(name), n.v})
	}
	if bad {
		return nil
	}
	sh := newShape(slices.Collect(maps.Keys(types)))
	n := valNode(cty.Object(types), func(s *Scratch) (value, *EventError) {
		list := s.room(len(sh.keys))
		for _, p := range pairs {
			v, err := p.f(s)
			if err != nil {
				return value{}, err
			}
			list[sh.index[p.name]] = v
		}
		return value{kind: kindObject, list: list, obj: sh}, nil
	})
	n.nullable = false
	return n
}
