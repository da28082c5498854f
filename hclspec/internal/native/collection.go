package native

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/grapheme"
	"collect/hclspec/internal/jsontext"
	"collect/hclspec/internal/value"
)

// buildLength compiles length of a text, list or object.
func buildLength(c *compile.Call) *closure.Node {
	if c.ArgType(0) == cty.String {
		return buildStrlen(c)
	}
	f := c.Value(0)
	return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
		v, err := f(s)
		if err != nil {
			return 0, err
		}
		switch v.Kind {
		case value.List, value.Object:
			return float64(len(v.List)), nil
		case value.JSON:
			return float64(jsontext.Len(v.S)), nil
		case value.String:
			return float64(grapheme.Count(v.S)), nil
		case value.Null:
			return 0, value.ErrNull
		}
		return 0, value.ErrKind
	})
}

// buildContains compiles contains(list, x); a constant list of texts becomes a set.
func buildContains(c *compile.Call) *closure.Node {
	t := c.ArgType(0)
	if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() && t != cty.DynamicPseudoType {
		c.WrongType(0, "a list")
		return nil
	}
	list, fixed := c.Constant(0)
	if et := constant.ElementType(t); fixed && et.IsPrimitiveType() && c.ArgType(1).IsPrimitiveType() {
		if c.NeverIn(0, et, 1) {
			return nil
		}
		if et == cty.String && !c.Nullable(1) {
			return inSet(list, c.Text(1))
		}
	}
	l, x := c.Value(0), c.Value(1)
	return closure.BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		list, err := l(s)
		if err != nil {
			return false, err
		}
		if list, err = list.Plain(); err != nil {
			return false, err
		}
		want, err := x(s)
		if err != nil {
			return false, err
		}
		if list.Kind != value.List {
			return false, value.ErrKind
		}
		for _, v := range list.List {
			same, err := v.Equals(want)
			if err != nil || same {
				return same, err
			}
		}
		return false, nil
	})
}

func inSet(list cty.Value, x closure.StrFn) *closure.Node {
	set := map[string]struct{}{}
	for it := list.ElementIterator(); it.Next(); {
		if _, v := it.Element(); !v.IsNull() {
			set[v.AsString()] = struct{}{}
		}
	}
	return closure.BoolNode(func(s *value.Scratch) (bool, *value.Error) {
		b, err := x(s)
		if err != nil {
			return false, err
		}
		_, ok := set[string(b)]
		return ok, nil
	})
}

// buildElement compiles element(list, i), where i counts on from the end to the beginning.
func buildElement(c *compile.Call) *closure.Node {
	k := c.Number(1)
	if k == nil {
		return nil
	}
	f := c.Value(0)
	return closure.ValNode(c.Type, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value.Value{}, err
		}
		if v, err = v.Plain(); err != nil {
			return v, err
		}
		i, ok := value.Whole(x)
		if v.Kind != value.List || !ok || len(v.List) == 0 {
			return value.Value{}, value.ErrNoElement
		}
		if i %= len(v.List); i < 0 {
			i += len(v.List)
		}
		return v.List[i], nil
	})
}

// buildLookup compiles lookup(map, key, default); event.headers is asked directly.
func buildLookup(c *compile.Call) *closure.Node {
	key := c.Text(1)
	if key == nil {
		return nil
	}
	if c.Headers(0) {
		if c.Len() == 2 {
			return closure.Header(key, nil)
		}
		def := c.Text(2)
		if def == nil {
			return nil
		}
		return closure.Header(key, def)
	}
	var def closure.ValFn
	if c.Len() == 3 {
		def = c.Converted(2)
	}
	m := c.Value(0)
	return closure.ValNode(c.Type, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := m(s)
		if err != nil {
			return v, err
		}
		k, err := key(s)
		if err != nil {
			return value.Value{}, err
		}
		out, err := value.Field(v, k, s)
		if err == value.ErrNoKey && def != nil {
			return def(s)
		}
		return out, err
	})
}

var errNoValue = &value.Error{Reason: "no argument has a value that is neither null nor empty"}

// buildCoalesce compiles coalesce(a, b, …): the first that is neither null nor an empty text.
func buildCoalesce(c *compile.Call) *closure.Node {
	if c.Len() == 0 {
		c.Fail("Wrong number of arguments", "coalesce() takes at least one argument.")
		return nil
	}
	fs := make([]closure.ValFn, c.Len())
	for i := range fs {
		fs[i] = c.Converted(i)
	}
	n := closure.ValNode(c.Type, func(s *value.Scratch) (value.Value, *value.Error) {
		for _, f := range fs {
			v, err := f(s)
			if err != nil {
				return v, err
			}
			if v.Kind != value.Null && (v.Kind != value.String || len(v.S) > 0) {
				return v, nil
			}
		}
		return value.Value{}, errNoValue
	})
	n.Nullable = false
	return n
}
