package functions

import (
	"errors"
	"math/big"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/schema"
)

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
