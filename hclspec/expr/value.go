package expr

import (
	"bytes"
	"maps"
	"slices"
	"sort"

	"github.com/zclconf/go-cty/cty"
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
	kindJSON // an array or object as JSON text that is known to be valid
)

// value is a value while an event is evaluated. Which fields count follows from the kind.
type value struct {
	kind kind
	b    bool
	n    float64
	s    []byte  // text, or JSON
	list []value // elements; for an object in the order of obj.keys
	obj  *shape
}

// shape is the key set of an object.
type shape struct {
	keys  []string // sorted
	index map[string]int
}

func newShape(keys []string) *shape {
	sort.Strings(keys)
	o := &shape{keys: keys, index: make(map[string]int, len(keys))}
	for i, k := range keys {
		o.index[k] = i
	}
	return o
}

func (v value) get(key []byte) (value, bool) {
	i, ok := v.obj.index[string(key)]
	if !ok {
		return value{}, false
	}
	return v.list[i], true
}

// fromCty turns a known value without marks into a value that needs no scratch memory.
func fromCty(v cty.Value) value {
	t := v.Type()
	switch {
	case v.IsNull():
		return value{}
	case t == cty.Bool:
		return value{kind: kindBool, b: v.True()}
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return value{kind: kindNumber, n: f}
	case t == cty.String:
		return value{kind: kindString, s: []byte(v.AsString())}
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		out := value{kind: kindList}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out.list = append(out.list, fromCty(e))
		}
		return out
	case t.IsMapType(), t.IsObjectType():
		m := v.AsValueMap()
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		out := value{kind: kindObject, obj: newShape(keys)}
		for _, k := range out.obj.keys {
			out.list = append(out.list, fromCty(m[k]))
		}
		return out
	}
	return value{}
}

// objectOf makes an object from its attributes.
func objectOf(m map[string]value) value {
	out := value{kind: kindObject, obj: newShape(slices.Collect(maps.Keys(m)))}
	out.list = make([]value, len(m))
	for i, k := range out.obj.keys {
		out.list[i] = m[k]
	}
	return out
}

// toCty is the slow way back, for functions that have no implementation of their own here.
func (v value) toCty() cty.Value {
	switch v.kind {
	case kindBool:
		return cty.BoolVal(v.b)
	case kindNumber:
		return cty.NumberFloatVal(v.n)
	case kindString:
		return cty.StringVal(string(v.s))
	case kindList:
		out := make([]cty.Value, len(v.list))
		for i, e := range v.list {
			out[i] = e.toCty()
		}
		return cty.TupleVal(out)
	case kindObject:
		out := make(map[string]cty.Value, len(v.list))
		for i, e := range v.list {
			out[v.obj.keys[i]] = e.toCty()
		}
		return cty.ObjectVal(out)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// plain gives a value whose JSON is expanded, also inside of it.
func (v value) plain() (value, *EventError) {
	if v.kind == kindJSON {
		return expandJSON(v.s)
	}
	if !v.hasJSON() {
		return v, nil
	}
	list := make([]value, len(v.list))
	for i, e := range v.list {
		x, err := e.plain()
		if err != nil {
			return v, err
		}
		list[i] = x
	}
	v.list = list
	return v, nil
}

func (v value) hasJSON() bool {
	return v.kind == kindJSON || slices.ContainsFunc(v.list, value.hasJSON)
}

// equals compares as == does: values of different kinds differ.
func (v value) equals(w value) (bool, *EventError) {
	v, err := v.plain()
	if err != nil {
		return false, err
	}
	w, err = w.plain()
	return err == nil && v.equal(w), err
}

func (v value) equal(w value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case kindBool:
		return v.b == w.b
	case kindNumber:
		return v.n == w.n
	case kindString:
		return bytes.Equal(v.s, w.s)
	case kindList, kindObject:
		if len(v.list) != len(w.list) {
			return false
		}
		for i := range v.list {
			if !v.list[i].equal(w.list[i]) || v.kind == kindObject && v.obj.keys[i] != w.obj.keys[i] {
				return false
			}
		}
	}
	return true
}
