package native

import (
	"bytes"
	"unicode/utf8"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/compile"
	"collect/hclspec/internal/value"
)

// buildSplit compiles split(separator, text).
func buildSplit(c *compile.Call) *closure.Node {
	sep, in := c.Text(0), c.Text(1)
	if sep == nil || in == nil {
		return nil
	}
	n := closure.ValNode(c.Type, func(s *value.Scratch) (value.Value, *value.Error) {
		by, err := sep(s)
		if err != nil {
			return value.Value{}, err
		}
		b, err := in(s)
		if err != nil {
			return value.Value{}, err
		}
		return split(b, by, s), nil
	})
	n.Nullable = false
	n.Item = func(i int) *closure.Node {
		return closure.StrNode(func(s *value.Scratch) ([]byte, *value.Error) {
			by, err := sep(s)
			if err != nil {
				return nil, err
			}
			b, err := in(s)
			if err != nil {
				return nil, err
			}
			return piece(b, by, i)
		})
	}
	return n
}

func split(b, by []byte, s *value.Scratch) value.Value {
	count := bytes.Count(b, by) + 1
	if len(by) == 0 {
		count = max(utf8.RuneCount(b), 0)
	}
	list := s.Room(count)
	for i := range list {
		end := bytes.Index(b, by)
		switch {
		case len(by) == 0:
			_, end = utf8.DecodeRune(b)
		case i == count-1:
			end = len(b)
		}
		list[i] = value.Value{Kind: value.String, S: b[:end:end]}
		b = b[min(end+len(by), len(b)):]
	}
	return value.Value{Kind: value.List, List: list}
}

// piece finds element i of a split without making the others.
func piece(b, by []byte, i int) ([]byte, *value.Error) {
	if len(by) == 0 {
		for ; len(b) > 0; i-- {
			_, n := utf8.DecodeRune(b)
			if i == 0 {
				return b[:n], nil
			}
			b = b[n:]
		}
		return nil, value.ErrNoElement
	}
	for ; i > 0; i-- {
		at := bytes.Index(b, by)
		if at < 0 {
			return nil, value.ErrNoElement
		}
		b = b[at+len(by):]
	}
	if at := bytes.Index(b, by); at >= 0 {
		return b[:at], nil
	}
	return b, nil
}

func buildJoin(c *compile.Call) *closure.Node {
	if c.Len() < 2 {
		c.Fail("Wrong number of arguments", "join() takes a separator and at least one list.")
		return nil
	}
	sep := c.Text(0)
	if sep == nil {
		return nil
	}
	var lists []closure.ValFn
	for i := 1; i < c.Len(); i++ {
		lists = append(lists, c.Value(i))
	}
	return closure.JoinLists(sep, lists)
}
