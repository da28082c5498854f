package bounded

import (
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// size is how large a value is. Every value is an element, and so is every value in it.
type size struct{ elements, text int }

// measure finds the size of a value, and stops where it is too large: a value of which each part is used twice, again and
// again, is small in memory, and no walk through it would end.
func (m *Meter) measure(v cty.Value, at hcl.Range) size {
	var s size
	m.add(v, &s, 0, at)
	m.Charge(s.elements+s.text/bytesAStep, at)
	return s
}

func (m *Meter) add(v cty.Value, s *size, depth int, at hcl.Range) bool {
	s.elements++
	if s.elements > m.limits.Elements {
		m.pass(at, "The values that are made here hold more than %d elements.", m.limits.Elements)
		return false
	}
	if v.IsMarked() {
		v, _ = v.Unmark()
	}
	if !v.IsKnown() || v.IsNull() {
		return true
	}
	switch t := v.Type(); {
	case t == cty.String:
		s.text += len(v.AsString())
	case t == cty.Number:
		if tooLong(v.AsBigFloat()) {
			m.pass(at, "A number that is made here has more than a thousand digits, or is divided by zero.")
			return false
		}
	case t.IsPrimitiveType() || t.IsCapsuleType():
	case v.CanIterateElements():
		if depth >= maxDepth {
			m.pass(at, "The value that is made here is nested more than %d levels deep.", maxDepth)
			return false
		}
		return m.addAll(v, s, depth+1, at)
	}
	return true
}

// tooLong says whether a number would be a long text.
func tooLong(f *big.Float) bool {
	exp := f.MantExp(nil)
	return f.IsInf() || exp > maxExponent || exp < -maxExponent
}

func (m *Meter) addAll(v cty.Value, s *size, depth int, at hcl.Range) bool {
	if n := v.LengthInt(); s.elements+n > m.limits.Elements {
		m.pass(at, "The values that are made here hold more than %d elements.", m.limits.Elements)
		s.elements += n
		return false
	}
	named := v.Type().IsMapType() || v.Type().IsObjectType()
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if named {
			s.text += len(k.AsString())
		}
		if !m.add(x, s, depth, at) {
			return false
		}
	}
	return true
}
