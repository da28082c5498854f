package expr

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// buildSplit compiles split(separator, text).
func buildSplit(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, t cty.Type) *node {
	sep, in := c.asText(args[0], e.Args[0].Range()), c.asText(args[1], e.Args[1].Range())
	if sep == nil || in == nil {
		return nil
	}
	n := valNode(t, func(s *Scratch) (value, *EventError) {
		by, err := sep(s)
		if err != nil {
			return value{}, err
		}
		b, err := in(s)
		if err != nil {
			return value{}, err
		}
		return s.split(b, by), nil
	})
	n.nullable = false
	n.item = func(i int) *node {
		return strNode(func(s *Scratch) ([]byte, *EventError) {
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

func (s *Scratch) split(b, by []byte) value {
	count := bytes.Count(b, by) + 1
	if len(by) == 0 {
		count = max(utf8.RuneCount(b), 0)
	}
	list := s.room(count)
	for i := range list {
		end := bytes.Index(b, by)
		switch {
		case len(by) == 0:
			_, end = utf8.DecodeRune(b)
		case i == count-1:
			end = len(b)
		}
		list[i] = value{kind: kindString, s: b[:end:end]}
		b = b[min(end+len(by), len(b)):]
	}
	return value{kind: kindList, list: list}
}

// piece finds element i of a split without making the others.
func piece(b, by []byte, i int) ([]byte, *EventError) {
	if len(by) == 0 {
		for ; len(b) > 0; i-- {
			_, n := utf8.DecodeRune(b)
			if i == 0 {
				return b[:n], nil
			}
			b = b[n:]
		}
		return nil, errNoElement
	}
	for ; i > 0; i-- {
		at := bytes.Index(b, by)
		if at < 0 {
			return nil, errNoElement
		}
		b = b[at+len(by):]
	}
	if at := bytes.Index(b, by); at >= 0 {
		return b[:at], nil
	}
	return b, nil
}

func buildJoin(c *compiler, e *hclsyntax.FunctionCallExpr, args []*node, _ cty.Type) *node {
	if len(args) < 2 {
		c.errorf(e.Range(), "Wrong number of arguments", "join() takes a separator and at least one list.")
		return nil
	}
	sep := c.asText(args[0], e.Args[0].Range())
	if sep == nil {
		return nil
	}
	var lists []valFn
	for _, a := range args[1:] {
		lists = append(lists, a.v)
	}
	return joinLists(sep, lists)
}
