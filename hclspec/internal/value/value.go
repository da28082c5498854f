// Package value is what an expression works with while an event is evaluated: values, the memory they are made in, the conversions
// between them, and the errors that say why there is none.
package value

import (
	"bytes"
	"maps"
	"slices"
	"sort"

	"github.com/zclconf/go-cty/cty"
)

type kind uint8

const (
	Null kind = iota
	Bool
	Number
	String
	List
	Object
	JSON // an array or object as JSON text that is known to be valid
)

// Value is a value while an event is evaluated. Which fields count follows from the kind.
type Value struct {
	Kind kind
	B    bool
	N    float64
	S    []byte  // text, or JSON
	List []Value // elements; for an object in the order of obj.keys
	Obj  *Shape
}

// Shape is the key set of an object.
type Shape struct {
	Keys  []string // sorted
	Index map[string]int
}

// NewShape makes the key set of these names.
func NewShape(keys []string) *Shape {
	sort.Strings(keys)
	o := &Shape{Keys: keys, Index: make(map[string]int, len(keys))}
	for i, k := range keys {
		o.Index[k] = i
	}
	return o
}

func (v Value) get(key []byte) (Value, bool) {
	i, ok := v.Obj.Index[string(key)]
	if !ok {
		return Value{}, false
	}
	return v.List[i], true
}

// FromCty turns a known value without marks into a value that needs no scratch memory.
func FromCty(v cty.Value) Value {
	t := v.Type()
	switch {
	case v.IsNull():
		return Value{}
	case t == cty.Bool:
		return Value{Kind: Bool, B: v.True()}
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return Value{Kind: Number, N: f}
	case t == cty.String:
		return Value{Kind: String, S: []byte(v.AsString())}
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		out := Value{Kind: List}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out.List = append(out.List, FromCty(e))
		}
		return out
	case t.IsMapType(), t.IsObjectType():
		m := v.AsValueMap()
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		out := Value{Kind: Object, Obj: NewShape(keys)}
		for _, k := range out.Obj.Keys {
			out.List = append(out.List, FromCty(m[k]))
		}
		return out
	}
	return Value{}
}

// ObjectOf makes an object from its attributes.
func ObjectOf(m map[string]Value) Value {
	out := Value{Kind: Object, Obj: NewShape(slices.Collect(maps.Keys(m)))}
	out.List = make([]Value, len(m))
	for i, k := range out.Obj.Keys {
		out.List[i] = m[k]
	}
	return out
}

// ToCty is the slow way back, for functions that have no implementation of their own here.
func (v Value) ToCty() cty.Value {
	switch v.Kind {
	case Bool:
		return cty.BoolVal(v.B)
	case Number:
		return cty.NumberFloatVal(v.N)
	case String:
		return cty.StringVal(string(v.S))
	case List:
		out := make([]cty.Value, len(v.List))
		for i, e := range v.List {
			out[i] = e.ToCty()
		}
		return cty.TupleVal(out)
	case Object:
		out := make(map[string]cty.Value, len(v.List))
		for i, e := range v.List {
			out[v.Obj.Keys[i]] = e.ToCty()
		}
		return cty.ObjectVal(out)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// Plain gives a value whose JSON is expanded, also inside of it.
func (v Value) Plain() (Value, *Error) {
	if v.Kind == JSON {
		return expandJSON(v.S)
	}
	if !v.hasJSON() {
		return v, nil
	}
	list := make([]Value, len(v.List))
	for i, e := range v.List {
		x, err := e.Plain()
		if err != nil {
			return v, err
		}
		list[i] = x
	}
	v.List = list
	return v, nil
}

func (v Value) hasJSON() bool {
	return v.Kind == JSON || slices.ContainsFunc(v.List, Value.hasJSON)
}

// Equals compares as == does: values of different kinds differ.
func (v Value) Equals(w Value) (bool, *Error) {
	v, err := v.Plain()
	if err != nil {
		return false, err
	}
	w, err = w.Plain()
	return err == nil && v.equal(w), err
}

func (v Value) equal(w Value) bool {
	if v.Kind != w.Kind {
		return false
	}
	switch v.Kind {
	case Bool:
		return v.B == w.B
	case Number:
		return v.N == w.N
	case String:
		return bytes.Equal(v.S, w.S)
	case List, Object:
		if len(v.List) != len(w.List) {
			return false
		}
		for i := range v.List {
			if !v.List[i].equal(w.List[i]) || v.Kind == Object && v.Obj.Keys[i] != w.Obj.Keys[i] {
				return false
			}
		}
	}
	return true
}
