package closure

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/datetime"
	"collect/hclspec/internal/value"
)

func missingMeta(name string) *value.Error {
	return &value.Error{Reason: "the event has no meta." + name}
}

// MetaNumber gives a number of event.meta.
func MetaNumber(name string) *Node {
	missing := missingMeta(name)
	return NumNode(func(s *value.Scratch) (float64, *value.Error) {
		n, ok := s.Event.MetaNumber(name)
		if !ok {
			return 0, missing
		}
		return float64(n), nil
	})
}

// MetaText gives a text of event.meta.
func MetaText(name string) *Node {
	missing := missingMeta(name)
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		v, ok := s.Event.MetaText(name)
		if !ok {
			return nil, missing
		}
		return s.Text(v), nil
	})
}

// Body gives event.body.
func Body() *Node {
	n := StrNode(func(s *value.Scratch) ([]byte, *value.Error) { return s.Event.Body(), nil })
	n.Total = true
	return n
}

// EventTime gives event.time.
func EventTime() *Node {
	n := TimeNode(func(s *value.Scratch) (datetime.Instant, *value.Error) { return datetime.Of(s.Event.Time()), nil })
	n.Total = true
	return n
}

func missingHeader(name string) *value.Error {
	return &value.Error{Reason: fmt.Sprintf("the event has no header %q", name), Header: name}
}

// NamedHeader gives event.headers.NAME.
func NamedHeader(name string) *Node {
	missing := missingHeader(name)
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		v, ok := s.Event.Header(name)
		if !ok {
			return nil, missing
		}
		return v, nil
	})
}

var errNoHeader = &value.Error{Reason: "the event has no header of that name"}

// Header reads a header whose name is computed; def, when it is not nil, stands in for one that is missing.
func Header(key, def StrFn) *Node {
	return StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
		k, err := key(s)
		if err != nil {
			return nil, err
		}
		v, ok := s.Event.Header(string(k))
		switch {
		case ok:
			return v, nil
		case def != nil:
			return def(s)
		}
		return nil, errNoHeader
	})
}

// Headers is event.headers as a whole. This is the slow way: a map is made for each event.
func Headers() *Node {
	n := ValNode(cty.Map(cty.String), func(s *value.Scratch) (value.Value, *value.Error) {
		m := map[string][]byte{}
		s.Event.Headers(func(name, v []byte) bool {
			m[string(name)] = v
			return true
		})
		out := value.Value{Kind: value.Object, Obj: value.NewShape(slices.Collect(maps.Keys(m)))}
		for _, k := range out.Obj.Keys {
			out.List = append(out.List, value.Value{Kind: value.String, S: m[k]})
		}
		return out, nil
	})
	n.Nullable, n.Total = false, true
	return n
}
