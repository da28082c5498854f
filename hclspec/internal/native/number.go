package native

import (
	"math"
	"math/big"
	"strconv"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/value"
)

func absolute(x float64) (float64, *value.Error) { return math.Abs(x), nil }
func ceiling(x float64) (float64, *value.Error)  { return math.Ceil(x), nil }
func floor(x float64) (float64, *value.Error)    { return math.Floor(x), nil }

func signum(x float64) (float64, *value.Error) {
	switch {
	case x > 0:
		return 1, nil
	case x < 0:
		return -1, nil
	}
	return 0, nil
}

func logarithm(x, base float64) (float64, *value.Error) {
	return value.Finite(math.Log(x) / math.Log(base))
}
func power(x, y float64) (float64, *value.Error) { return value.Finite(math.Pow(x, y)) }

func buildNumber(f func(float64) (float64, *value.Error)) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		in := c.Number(0)
		if in == nil {
			return nil
		}
		return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
			x, err := in(s)
			if err != nil {
				return 0, err
			}
			return f(x)
		})
	}
}

func buildNumber2(f func(x, y float64) (float64, *value.Error)) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		a, b := c.Number(0), c.Number(1)
		if a == nil || b == nil {
			return nil
		}
		return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
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
func buildExtreme(sign float64) compile.Builder {
	return func(c *compile.Call) *closure.Node {
		if c.Len() == 0 {
			c.Fail("Wrong number of arguments", "%s() takes at least one number.", c.Name)
			return nil
		}
		fs := make([]closure.NumFn, c.Len())
		for i := range fs {
			if fs[i] = c.Number(i); fs[i] == nil {
				return nil
			}
		}
		return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
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

var errNotInteger = &value.Error{Reason: "the text is not a whole number of this base"}

// buildParseInt compiles parseint(text, base).
func buildParseInt(c *compile.Call) *closure.Node {
	in, base := c.Text(0), c.Number(1)
	if in == nil || base == nil {
		return nil
	}
	if _, fixed := c.Constant(1); fixed {
		if b, _ := base(nil); b != math.Trunc(b) || b < 2 || b > 62 {
			c.FailAt(1, "Wrong base", "The base is a whole number from 2 to 62.")
			return nil
		}
	}
	return closure.NumNode(func(s *value.Scratch) (float64, *value.Error) {
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

func parseInteger(b []byte, radix float64) (float64, *value.Error) {
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
	return value.Finite(f)
}

func buildToNumber(c *compile.Call) *closure.Node {
	f := c.Number(0)
	if f == nil {
		return nil
	}
	return closure.NumNode(f)
}

func buildToString(c *compile.Call) *closure.Node {
	f := c.Text(0)
	if f == nil {
		return nil
	}
	n := closure.StrNode(f)
	n.Total = c.Total(0)
	return n
}

func buildToBool(c *compile.Call) *closure.Node {
	f := c.Boolean(0)
	if f == nil {
		return nil
	}
	return closure.BoolNode(f)
}
