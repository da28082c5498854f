package closure

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/value"
)

// FieldNamed gives the attribute of that name.
func FieldNamed(typ cty.Type, f ValFn, name string) *Node {
	key := []byte(name)
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

// FieldAt gives the attribute whose name the event decides.
func FieldAt(typ cty.Type, f ValFn, key StrFn) *Node {
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		name, err := key(s)
		if err != nil {
			return value.Value{}, err
		}
		return value.Field(v, name, s)
	})
}

// Item gives one element of a list.
func Item(typ cty.Type, f ValFn, i int) *Node {
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		return value.Item(v, i, s)
	})
}

// ItemAt gives the element of a list whose index the event decides.
func ItemAt(typ cty.Type, f ValFn, index NumFn) *Node {
	return ValNode(typ, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := index(s)
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

// ElementAt indexes a value of which only the event says whether it is a list.
func ElementAt(f, key ValFn) *Node {
	return ValNode(cty.DynamicPseudoType, func(s *value.Scratch) (value.Value, *value.Error) {
		v, err := f(s)
		if err != nil {
			return v, err
		}
		x, err := key(s)
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

// List gives [a, b, …].
func List(types []cty.Type, fs []ValFn) *Node {
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

// ObjectField is one attribute of an object that is written out.
type ObjectField struct {
	Name string
	F    ValFn
}

// Object gives {a = b, …}.
func Object(types map[string]cty.Type, fields []ObjectField) *Node {
	sh := value.NewShape(slices.Collect(maps.Keys(types)))
	n := ValNode(cty.Object(types), func(s *value.Scratch) (value.Value, *value.Error) {
		list := s.Room(len(sh.Keys))
		for _, p := range fields {
			v, err := p.F(s)
			if err != nil {
				return value.Value{}, err
			}
			list[sh.Index[p.Name]] = v
		}
		return value.Value{Kind: value.Object, List: list, Obj: sh}, nil
	})
	n.Nullable = false
	return n
}
