package expr

import (
	"math"
	"math/big"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/grapheme"
	"collect/hclspec/internal/jsontext"
)

func absolute(x float64) (float64, *EventError) { return math.Abs(x), nil }
func ceiling(x float64) (float64, *EventError)  { return math.Ceil(x), nil }
func floor(x float64) (float64, *EventError)    { return math.Floor(x), nil }

func signum(x float64) (float64, *EventError) {
	switch {
	case x > 0:
		return 1, nil
	case x < 0:
		return -1, nil
	}
	return 0, nil
}

func logarithm(x, base float64) (float64, *EventError) { return finite(math.Log(x) / math.Log(base)) }
func power(x, y float64) (float64, *EventError)        { return finite(math.Pow(x, y)) }

func buildNumber(f func(float64) (float64, *EventError)) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		in := c.asNumber(args[0], e.Args[0].Range())
		if in == nil {
			return nil
		}
		return numNode(func(s *Scratch) (float64, *EventError) {
			x, err := in(s)
			if err != nil {
				return 0, err
			}
			return f(x)
		})
	}
}

func buildNumber2(f func(x, y float64) (float64, *EventError)) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		a, b := c.asNumber(args[0], e.Args[0].Range()), c.asNumber(args[1], e.Args[1].Range())
		if a == nil || b == nil {
			return nil
		}
		return numNode(func(s *Scratch) (float64, *EventError) {
			x, err := a(s)
			if err != nil {
				return 0, err
			}
			y, err := b(s)
			if err != nil {
				return 0, err
			}
			return f(x, y)
		})
	}
}

// buildExtreme compiles max (sign 1) and min (sign -1).
func buildExtreme(sign float64) builder {
	return func(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
		if len(args) == 0 {
			c.errorf(e.Range(), "Wrong number of arguments", "%s() takes at least one number.", e.Name)
			return nil
		}
		fs := make([]numFn, len(args))
		for i, a := range args {
			if fs[i] = c.asNumber(a, e.Args[i].Range()); fs[i] == nil {
				return nil
			}
		}
		return numNode(func(s *Scratch) (float64, *EventError) {
			best := math.Inf(-1)
			for _, f := range fs {
				x, err := f(s)
				if err != nil {
					return 0, err
				}
				best = max(best, sign*x)
			}
			return sign * best, nil
		})
	}
}

var errNotInteger = &EventError{Reason: "the text is not a whole number of this base"}

// buildParseInt compiles parseint(text, base).
func buildParseInt(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	in, base := c.asText(args[0], e.Args[0].Range()), c.asNumber(args[1], e.Args[1].Range())
	if in == nil || base == nil {
		return nil
	}
	if args[1].konst {
		if b, _ := base(nil); b != math.Trunc(b) || b < 2 || b > 62 {
			c.errorf(e.Args[1].Range(), "Wrong base", "The base is a whole number from 2 to 62.")
			return nil
		}
	}
	return numNode(func(s *Scratch) (float64, *EventError) {
		b, err := in(s)
		if err != nil {
			return 0, err
		}
		r, err := base(s)
		if err != nil {
			return 0, err
		}
		return parseInteger(b, r)
	})
}

func parseInteger(b []byte, radix float64) (float64, *EventError) {
	if radix != math.Trunc(radix) || radix < 2 || radix > 62 || len(b) > 512 {
		return 0, errNotInteger
	}
	if radix <= 36 && len(b) <= 10 {
		if n, err := strconv.ParseInt(string(b), int(radix), 64); err == nil {
			return float64(n), nil
		}
		return 0, errNotInteger
	}
	n, ok := new(big.Int).SetString(string(b), int(radix))
	if !ok {
		return 0, errNotInteger
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return finite(f)
}

func buildToNumber(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	f := c.asNumber(args[0], e.Args[0].Range())
	if f == nil {
		return nil
	}
	return numNode(f)
}

func buildToString(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	f := c.asText(args[0], e.Args[0].Range())
	if f == nil {
		return nil
	}
	n := strNode(f)
	n.total = args[0].total
	return n
}

func buildToBool(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	f := c.asBool(args[0], e.Args[0].Range())
	if f == nil {
		return nil
	}
	return boolNode(f)
}

// buildLength compiles length of a text, list or object.
func buildLength(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	if args[0].typ == cty.String {
		return buildStrlen(c, e, args, t)
	}
	f := args[0].v
	return numNode(func(s *Scratch) (float64, *EventError) {
		v, err := f(s)
		if err != nil {
			return 0, err
		}
		switch v.kind {
		case kindList, kindObject:
			return float64(len(v.list)), nil
		case kindJSON:
			return float64(jsontext.Len(v.s)), nil
		case kindString:
			return float64(grapheme.Count(v.s)), nil
		case kindNull:
			return 0, errNull
		}
		return 0, errKind
	})
}

// buildContains compiles contains(list, x); a constant list of texts becomes a set.
func buildContains(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	t := args[0].typ
	if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() && t != cty.DynamicPseudoType {
		c.typeError(args[0], e.Args[0].Range(), "a list")
		return nil
	}
	if et := constant.ElementType(t); args[0].konst && et.IsPrimitiveType() && args[1].typ.IsPrimitiveType() {
		list := &node{typ: et, konst: true}
		if c.differ(e.Range(), e.Args[0].Range(), e.Args[1].Range(), list, args[1]) {
			return nil
		}
		if et == cty.String && !args[1].nullable {
			return inSet(args[0].ck, args[1].s)
		}
	}
	l, x := args[0].v, args[1].v
	return boolNode(func(s *Scratch) (bool, *EventError) {
		list, err := l(s)
		if err != nil {
			return false, err
		}
		if list, err = list.plain(); err != nil {
			return false, err
		}
		want, err := x(s)
		if err != nil {
			return false, err
		}
		if list.kind != kindList {
			return false, errKind
		}
		for _, v := range list.list {
			same, err := v.equals(want)
			if err != nil || same {
				return same, err
			}
		}
		return false, nil
	})
}

func inSet(list cty.Value, x strFn) *node {
	set := map[string]struct{}{}
	for it := list.ElementIterator(); it.Next(); {
		if _, v := it.Element(); !v.IsNull() {
			set[v.AsString()] = struct{}{}
		}
	}
	return boolNode(func(s *Scratch) (bool, *EventError) {
		b, err := x(s)
		if err != nil {
			return false, err
		}
		_, ok := set[string(b)]
		return ok, nil
	})
}

// buildElement compiles element(list, i), where i counts on from the end to the beginning.
func buildElement(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	k := c.asNumber(args[1], e.Args[1].Range())
	if k == nil {
		return nil
	}
	f := args[0].v
	return valNode(t, func(s *Scratch) (value, *EventError) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := k(s)
		if err != nil {
			return value{}, err
		}
		if v, err = v.plain(); err != nil {
			return v, err
		}
		i, ok := whole(x)
		if v.kind != kindList || !ok || len(v.list) == 0 {
			return value{}, errNoElement
		}
		if i %= len(v.list); i < 0 {
			i += len(v.list)
		}
		return v.list[i], nil
	})
}

// buildLookup compiles lookup(map, key, default); event.headers is asked directly.
func buildLookup(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	key := c.asText(args[1], e.Args[1].Range())
	if key == nil {
		return nil
	}
	if isHeaders(e.Args[0]) {
		header := headerByKey(key)
		if len(args) == 2 {
			return header
		}
		def := c.asText(args[2], e.Args[2].Range())
		if def == nil {
			return nil
		}
		f := header.s
		return strNode(func(s *Scratch) ([]byte, *EventError) {
			b, err := f(s)
			if err == errNoHeader {
				return def(s)
			}
			return b, err
		})
	}
	var def valFn
	if len(args) == 3 {
		def = as(t, args[2])
	}
	m := args[0].v
	return valNode(t, func(s *Scratch) (value, *EventError) {
		v, err := m(s)
		if err != nil {
			return v, err
		}
		k, err := key(s)
		if err != nil {
			return value{}, err
		}
		out, err := field(v, k, s)
		if err == errNoKey && def != nil {
			return def(s)
		}
		return out, err
	})
}

var errNoValue = &EventError{Reason: "no argument has a value that is neither null nor empty"}

// buildCoalesce compiles coalesce(a, b, …): the first that is neither null nor an empty text.
func buildCoalesce(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	if len(args) == 0 {
		c.errorf(e.Range(), "Wrong number of arguments", "coalesce() takes at least one argument.")
		return nil
	}
	fs := make([]valFn, len(args))
	for i, a := range args {
		fs[i] = as(t, a)
	}
	n := valNode(t, func(s *Scratch) (value, *EventError) {
		for _, f := range fs {
			v, err := f(s)
			if err != nil {
				return v, err
			}
			if v.kind != kindNull && (v.kind != kindString || len(v.s) > 0) {
				return v, nil
			}
		}
		return value{}, errNoValue
	})
	n.nullable = false
	return n
}
