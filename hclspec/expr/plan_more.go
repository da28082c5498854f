package expr

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"collect/hclspec/schema"
)

// lengthFunc counts the characters of a text or the elements of a collection.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t == cty.DynamicPseudoType || t.IsTupleType() || t.IsObjectType() || t.IsCollectionType() {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "argument must be a text, a list, a set, a map, a tuple or an object")
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t := args[0].Type()
			switch {
			case t == cty.String:
				return stdlib.Strlen(args[0])
			case t == cty.DynamicPseudoType:
				return cty.UnknownVal(cty.Number), nil
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			}
			return args[0].Length(), nil
		},
	})
}

// lookupFunc is the library's with a default that may be left out, as in Terraform.
func lookupFunc() function.Function {
	f := stdlib.LookupFunc
	params := f.Params()
	return function.New(&function.Spec{
		Params:   params[:2],
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowMarked: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			switch {
			case len(args) > 3:
				return cty.NilType, errors.New("it takes two or three arguments")
			case len(args) == 3:
				return f.ReturnTypeForValues(args)
			case args[0].Type().IsObjectType() || args[0].Type().IsMapType():
				return elementType(args[0].Type()), nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a map or object is needed")
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			if len(args) == 3 {
				return f.Call(args)
			}
			m, key := args[0], args[1]
			if !m.IsWhollyKnown() || !key.IsKnown() {
				return cty.UnknownVal(t), nil
			}
			k, _ := key.Unmark()
			m, marks := m.Unmark()
			if v, ok := m.AsValueMap()[k.AsString()]; ok {
				return v.WithMarks(marks), nil
			}
			return cty.NilVal, function.NewArgErrorf(1, "there is no element %q", k.AsString())
		},
	})
}

// indexFunc gives the number of the first element that equals a value. Where the types differ the value is converted.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.DynamicPseudoType), param("value", cty.DynamicPseudoType)},
		Type: func(args []cty.Value) (cty.Type, error) {
			if t := args[0].Type(); t != cty.DynamicPseudoType && !t.IsListType() && !t.IsTupleType() {
				return cty.NilType, function.NewArgErrorf(0, "a list is needed")
			}
			return cty.Number, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			n := int64(0)
			for it := args[0].ElementIterator(); it.Next(); n++ {
				_, v := it.Element()
				want, err := convert.Convert(args[1], v.Type())
				if err == nil && want.RawEquals(v) {
					return cty.NumberIntVal(n), nil
				}
			}
			return cty.NilVal, function.NewArgErrorf(1, "no element has this value")
		},
	})
}

// oneFunc gives the only element, or null for an empty list.
func oneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.DynamicPseudoType)},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			switch {
			case t.IsListType(), t.IsSetType():
				return t.ElementType(), nil
			case t.IsTupleType() && t.Length() == 0:
				return cty.DynamicPseudoType, nil
			case t.IsTupleType() && t.Length() == 1:
				return t.TupleElementType(0), nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a list, set or tuple with at most one element is needed")
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			switch l := args[0].LengthInt(); l {
			case 0:
				return cty.NullVal(t), nil
			case 1:
				it := args[0].ElementIterator()
				it.Next()
				_, v := it.Element()
				return v, nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "a list, set or tuple with at most one element is needed")
		},
	})
}

func sumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.List(cty.Number))},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].LengthInt() == 0 {
				return cty.NilVal, function.NewArgErrorf(0, "the list is empty")
			}
			total := new(big.Float).SetPrec(512)
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "an element is null")
				}
				total.Add(total, v.AsBigFloat())
			}
			return cty.NumberVal(total), nil
		},
	})
}

// allTrueFunc is alltrue (all) or anytrue (not all).
func allTrueFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.List(cty.Bool))},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if !v.IsKnown() {
					return cty.UnknownVal(cty.Bool), nil
				}
				if yes := !v.IsNull() && v.True(); yes != all {
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// sizeFunc gives bytes for "64MiB".
func sizeFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("size", cty.String)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			n, err := schema.ParseSize(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.NumberIntVal(n), nil
		},
	})
}

// durationFunc gives seconds for "10m", or another unit.
func durationFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{param("duration", cty.String)},
		VarParam: &function.Parameter{Name: "unit", Type: cty.String},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 2 {
				return cty.NilType, errors.New("it takes one or two arguments")
			}
			return cty.Number, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			d, err := schema.ParseDuration(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			unit := time.Second
			if len(args) == 2 {
				var ok bool
				if unit, ok = durationUnit(args[1].AsString()); !ok {
					return cty.NilVal, function.NewArgErrorf(1, "%q is not a unit: use ns, us, ms, s, m, h or d", args[1].AsString())
				}
			}
			n := new(big.Float).SetPrec(512).SetInt64(int64(d))
			return cty.NumberVal(n.Quo(n, new(big.Float).SetInt64(int64(unit)))), nil
		},
	})
}

func durationUnit(s string) (time.Duration, bool) {
	switch s {
	case "ns":
		return time.Nanosecond, true
	case "us":
		return time.Microsecond, true
	case "ms":
		return time.Millisecond, true
	case "s":
		return time.Second, true
	case "m":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	}
	return 0, false
}

func cidrHostFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("prefix", cty.String), param("hostnum", cty.Number)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := netip.ParsePrefix(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%q is not a network such as \"10.0.0.0/8\"", args[0].AsString())
			}
			n, acc := args[1].AsBigFloat().Int(nil)
			if acc != big.Exact {
				return cty.NilVal, function.NewArgErrorf(1, "a whole number is needed")
			}
			size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
			if n.Sign() < 0 {
				n.Add(n, size)
			}
			if n.Sign() < 0 || n.Cmp(size) >= 0 {
				return cty.NilVal, function.NewArgErrorf(1, "%s has only %s addresses", p, size)
			}
			return cty.StringVal(addrPlus(p.Masked().Addr(), n).String()), nil
		},
	})
}

func addrPlus(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).SetBytes(a.AsSlice())
	sum.Add(sum, n)
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8)))
	return out
}

func cidrSubnetFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("prefix", cty.String), param("newbits", cty.Number), param("netnum", cty.Number)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := netip.ParsePrefix(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%q is not a network such as \"10.0.0.0/8\"", args[0].AsString())
			}
			bits, _ := args[1].AsBigFloat().Int64()
			n, acc := args[2].AsBigFloat().Int(nil)
			total := p.Bits() + int(bits)
			if bits < 0 || bits > 128 || total > p.Addr().BitLen() {
				return cty.NilVal, function.NewArgErrorf(1, "%s cannot be extended by %d bits", p, bits)
			}
			if acc != big.Exact || n.Sign() < 0 || n.BitLen() > int(bits) {
				return cty.NilVal, function.NewArgErrorf(2, "%d bits do not hold this number", bits)
			}
			n.Lsh(n, uint(p.Addr().BitLen()-total))
			return cty.StringVal(netip.PrefixFrom(addrPlus(p.Masked().Addr(), n), total).String()), nil
		},
	})
}

// zoneOf loads a time zone by its name.
func zoneOf(name string) (*time.Location, error) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, errors.New("a time zone has a name such as \"Asia/Seoul\" or \"UTC\"")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a known time zone, such as \"Asia/Seoul\" or \"UTC\"", name)
	}
	return loc, nil
}
