package functions

import (
	"errors"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/datetime"
)

// readTime reads the argument at index i as a time.
func readTime(args []cty.Value, i int) (datetime.Instant, error) {
	t, ok := datetime.Parse([]byte(args[i].AsString()))
	if !ok {
		return t, function.NewArgErrorf(i, "%q is not an RFC 3339 time, such as \"2026-11-22T17:39:22Z\"", args[i].AsString())
	}
	return t, nil
}

func timeText(t datetime.Instant) cty.Value { return cty.StringVal(string(t.AppendText(nil))) }

// inTimeZoneFunc writes the same moment with another zone's clock.
func inTimeZoneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("time", cty.String), param("zone", cty.String)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t, err := readTime(args, 0)
			if err != nil {
				return cty.NilVal, err
			}
			loc, err := datetime.Zone(args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			return timeText(new(datetime.Cache).In(t, loc)), nil
		},
	})
}

// timeAddFunc is Terraform's timeadd, which keeps fractions of a second here.
func timeAddFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("time", cty.String), param("duration", cty.String)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t, err := readTime(args, 0)
			if err != nil {
				return cty.NilVal, err
			}
			d, err := time.ParseDuration(args[1].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(1, "%q is not a duration such as \"90s\" or \"-1h30m\"", args[1].AsString())
			}
			return timeText(t.Add(d)), nil
		},
	})
}

func timeCmpFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("a", cty.String), param("b", cty.String)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			a, err := readTime(args, 0)
			if err != nil {
				return cty.NilVal, err
			}
			b, err := readTime(args, 1)
			if err != nil {
				return cty.NilVal, err
			}
			return cty.NumberIntVal(int64(a.Compare(b))), nil
		},
	})
}

// parseTimeFunc reads a time in a layout of formatdate; without a zone in the text it is a clock in UTC or the given zone.
func parseTimeFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{param("layout", cty.String), param("text", cty.String)},
		VarParam: &function.Parameter{Name: "zone", Type: cty.String},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 3 {
				return cty.NilType, errors.New("it takes two or three arguments")
			}
			return cty.String, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			l, err := datetime.ParseLayout(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			loc := time.UTC
			if len(args) == 3 {
				if loc, err = datetime.Zone(args[2].AsString()); err != nil {
					return cty.NilVal, err
				}
			}
			t, ok := l.Parse([]byte(args[1].AsString()), loc)
			if !ok {
				return cty.NilVal, function.NewArgErrorf(1, "%q is no time of the layout %q", args[1].AsString(), args[0].AsString())
			}
			return timeText(t), nil
		},
	})
}
