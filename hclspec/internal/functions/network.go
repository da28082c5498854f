package functions

import (
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

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
