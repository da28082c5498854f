package closure

import (
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/value"
)

// OneOrMany makes a list of what is none: of one element, or empty for null.
func OneOrMany(f ValFn) ValFn {
	return func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil || v.Kind == value.List || v.Kind == value.JSON && v.S[0] == '[' {
			return v, err
		}
		if v.Kind == value.Null {
			return value.Value{Kind: value.List}, nil
		}
		one := s.Room(1)
		one[0] = v
		return value.Value{Kind: value.List, List: one}, nil
	}
}

// ForList gives [for …]: key and value of each element stand in the variables slot and slot+1.
func ForList(coll ValFn, slot int, val *Node, when BoolFn) *Node {
	f := val.Val
	return ValNode(listOf(val.Type), func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		var out []value.Value
		err = each(v, slot, s, func() *value.Error {
			if ok, err := holds(when, s); err != nil || !ok {
				return err
			}
			x, err := f(s)
			if err != nil {
				return err
			}
			out = append(out, x)
			return nil
		})
		return value.Value{Kind: value.List, List: out}, err
	})
}

// listOf is the static type of a list whose length only the event decides.
func listOf(t cty.Type) cty.Type {
	if t.HasDynamicTypes() {
		return cty.DynamicPseudoType
	}
	return cty.List(t)
}

var errDuplicateKey = &value.Error{Reason: "two elements have the same key"}

// ForObject gives {for …}, as ForList does.
func ForObject(coll ValFn, slot int, key StrFn, val *Node, when BoolFn) *Node {
	f := val.Val
	typ := cty.DynamicPseudoType
	if val.Type.IsPrimitiveType() {
		typ = cty.Map(val.Type)
	}
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := coll(s)
		if err != nil {
			return v, err
		}
		m := map[string]value.Value{}
		err = each(v, slot, s, func() *value.Error {
			if ok, err := holds(when, s); err != nil || !ok {
				return err
			}
			k, err := key(s)
			if err != nil {
				return err
			}
			if _, dup := m[string(k)]; dup {
				return errDuplicateKey
			}
			m[string(k)], err = f(s)
			return err
		})
		if err != nil {
			return value.Value{}, err
		}
		return value.ObjectOf(m), nil
	})
}

func holds(f BoolFn, s *value.Scratch) (bool, *value.Error) {
	if f == nil {
		return true, nil
	}
	return f(s)
}

// each calls f for each element with its key and value in the variables slot and slot+1.
func each(v value.Value, slot int, s *value.Scratch, f func() *value.Error) *value.Error {
	v, err := v.Plain()
	if err != nil {
		return err
	}
	if v.Kind != value.List && v.Kind != value.Object {
		return value.ErrKind
	}
	for len(s.Vars) < slot+2 {
		s.Vars = append(s.Vars, value.Value{})
	}
	for i, e := range v.List {
		if v.Kind == value.Object {
			s.Vars[slot] = value.Value{Kind: value.String, S: s.Text(v.Obj.Keys[i])}
		} else {
			s.Vars[slot] = value.Value{Kind: value.Number, N: float64(i)}
		}
		s.Vars[slot+1] = e
		if !s.Fits(0) {
			return value.ErrTooLarge
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
