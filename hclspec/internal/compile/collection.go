package compile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/value"
)

// variable gives the node of a variable of a for expression.
func (c *compiler) variable(slot int) *Node {
	return ValNode(c.bound[slot].typ, func(s *value.Scratch) (value.Value, *value.Error) { return s.Vars[slot], nil })
}

// steps applies .NAME and [KEY] to a value.
func (c *compiler) steps(n *Node, t hcl.Traversal) *Node {
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
func (c *compiler) attribute(n *Node, name string, at hcl.Range) *Node {
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
	if n.Field != nil {
		return n.Field(name)
	}
	key, f := []byte(name), n.v
	missing := &value.Error{Reason: fmt.Sprintf("there is no attribute %q", name)}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		out, err := value.Field(v, key, s)
		if err == value.ErrNoKey {
			err = missing
		}
		return out, err
	})
}

// index compiles collection[key].
func (c *compiler) index(e *hclsyntax.IndexExpr) *Node {
	if isHeaders(e.Collection) {
		key := c.expr(e.Key)
		if key == nil {
			return nil
		}
		f := c.asText(key, e.Key.Range())
		if f == nil {
			return nil
		}
		return Header(f, nil)
	}
	coll, key := c.expr(e.Collection), c.expr(e.Key)
	if coll == nil || key == nil {
		return nil
	}
	return c.element(coll, key, e.BracketRange)
}

// element compiles n[key] for a key of any kind.
func (c *compiler) element(n, key *Node, at hcl.Range) *Node {
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

func (c *compiler) byKey(n, key *Node, at hcl.Range) *Node {
	k, f := c.asText(key, at), n.v
	if k == nil {
		return nil
	}
	return ValNode(constant.ElementType(n.typ), func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		name, err := k(s)
		if err != nil {
			return value.Value{}, err
		}
		return value.Field(v, name, s)
	})
}

func (c *compiler) byIndex(n, key *Node, at hcl.Range) *Node {
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
		if n.Item != nil {
			return n.Item(i)
		}
		return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
			v, err := f(s)
			if err != nil {
				return v, err
			}
			return value.Item(v, i, s)
		})
	}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value.Value{}, err
		}
		i, ok := value.Whole(x)
		if !ok {
			return value.Value{}, value.ErrNoElement
		}
		return value.Item(v, i, s)
	})
}

// byAny indexes a value whose type only the event decides.
func (c *compiler) byAny(n, key *Node, at hcl.Range) *Node {
	if key.typ.IsObjectType() || key.typ.IsTupleType() || key.typ.IsCollectionType() {
		c.typeError(key, at, "a text or number")
		return nil
	}
	f, k := n.v, key.v
	return ValNode(cty.DynamicPseudoType, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value.Value{}, err
		}
		if v.Kind == value.List || v.Kind == value.JSON && v.S[0] == '[' {
			num, err := value.ToNumber(x)
			if err != nil {
				return value.Value{}, err
			}
			i, ok := value.Whole(num)
			if !ok {
				return value.Value{}, value.ErrNoElement
			}
			return value.Item(v, i, s)
		}
		name, err := value.ToText(x, s)
		if err != nil {
			return value.Value{}, err
		}
		return value.Field(v, name, s)
	})
}

// tuple compiles [a, b, …].
func (c *compiler) tuple(e *hclsyntax.TupleConsExpr) *Node {
	fs := make([]ValFn, len(e.Exprs))
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
	n := ValNode(cty.Tuple(types), func(s *value.Scratch) (value.Value, *value.Error) {
		list := s.Room(len(fs))
		for i, f := range fs {
			v, err := f(s)
			if err != nil {
				return value.Value{}, err
			}
			list[i] = v
		}
		return value.Value{Kind: value.List, List: list}, nil
	})
	n.Nullable = false
	return n
}

// object compiles {a = b, …}. Keys must be constant.
func (c *compiler) object(e *hclsyntax.ObjectConsExpr) *Node {
	type pair struct {
		name string
		f    ValFn
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
		name, _ := f(new(value.Scratch))
		types[string(name)] = n.typ
		pairs = append(pairs, pair{string(name), n.v})
	}
	if bad {
		return nil
	}
	sh := value.NewShape(slices.Collect(maps.Keys(types)))
	n := ValNode(cty.Object(types), func(s *value.Scratch) (value.Value, *value.Error) {
		list := s.Room(len(sh.Keys))
		for _, p := range pairs {
			v, err := p.f(s)
			if err != nil {
				return value.Value{}, err
			}
			list[sh.Index[p.name]] = v
		}
		return value.Value{Kind: value.Object, List: list, Obj: sh}, nil
	})
	n.Nullable = false
	return n
}
