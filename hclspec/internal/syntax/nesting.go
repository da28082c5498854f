package syntax

import (
	"bytes"
	"fmt"
)

// Limits of one file. The parser of HCL calls itself for every level, and a stack overflow cannot be recovered, so what is
// too deep never reaches it.
const (
	maxSize      = 1 << 20
	maxNesting   = 100
	maxOperators = 500 // in one expression: each is a level of the expression's tree
)

// tooDeep is where a file is nested too deeply, or one expression too long.
type tooDeep struct {
	offset int
	what   string
}

// scanLevel is one open bracket, string or template.
type scanLevel struct {
	closer    byte   // what ends it: ) ] } " or, for a here-document, '<'
	heredoc   []byte // its end marker
	operators int
}

// nesting follows brackets, strings, templates and comments of HCL without recursion.
type nesting struct {
	src        []byte
	levels     []scanLevel
	directives int // open %{ if and %{ for
	top        int // operators outside of any bracket
}

// checkNesting reads the bytes of a file once and says whether the parser can have it.
func checkNesting(src []byte) *tooDeep {
	n := nesting{src: src}
	for i := 0; i < len(src); {
		next, err := n.step(i)
		if err != nil {
			return err
		}
		i = next
	}
	return nil
}

func (n *nesting) step(i int) (int, *tooDeep) {
	if k := len(n.levels); k > 0 {
		switch n.levels[k-1].closer {
		case '"':
			return n.inString(i)
		case '<':
			return n.inHeredoc(i)
		}
	}
	return n.inCode(i)
}

func (n *nesting) push(i int, l scanLevel) *tooDeep {
	if len(n.levels) >= maxNesting {
		return &tooDeep{i, fmt.Sprintf("This file is nested more than %d levels deep here. No configuration needs that.", maxNesting)}
	}
	n.levels = append(n.levels, l)
	return nil
}

func (n *nesting) operator(i int) *tooDeep {
	c := &n.top
	if k := len(n.levels); k > 0 {
		c = &n.levels[k-1].operators
	}
	if *c++; *c > maxOperators {
		return &tooDeep{i, fmt.Sprintf("This expression has more than %d operators. Split it with locals.", maxOperators)}
	}
	return nil
}

// separator ends an expression: its operators no longer count.
func (n *nesting) separator(newline bool) {
	k := len(n.levels)
	switch {
	case k == 0:
		n.top = 0
	case !newline || n.levels[k-1].closer == '}':
		n.levels[k-1].operators = 0
	}
}

func (n *nesting) inCode(i int) (int, *tooDeep) {
	s := n.src
	switch c := s[i]; c {
	case '#':
		return n.skipLine(i), nil
	case '/':
		if i+1 < len(s) && s[i+1] == '/' {
			return n.skipLine(i), nil
		}
		if i+1 < len(s) && s[i+1] == '*' {
			return skipTo(s, i+2, "*/"), nil
		}
		return i + 1, n.operator(i)
	case '"':
		return i + 1, n.push(i, scanLevel{closer: '"'})
	case '(':
		return i + 1, n.push(i, scanLevel{closer: ')'})
	case '[':
		return i + 1, n.push(i, scanLevel{closer: ']'})
	case '{':
		return i + 1, n.push(i, scanLevel{closer: '}'})
	case ')', ']', '}':
		if k := len(n.levels); k > 0 && n.levels[k-1].closer == c {
			n.levels = n.levels[:k-1]
		}
		if k := len(n.levels); k > 0 && (n.levels[k-1].closer == '"' || n.levels[k-1].closer == '<') {
			return i + 1, nil
		}
		return i + 1, n.operator(i) // an index is a level of the tree too
	case '\n':
		n.separator(true)
	case ',':
		n.separator(false)
	case '?', '+', '-', '*', '%', '!', '&', '|', '<', '>', '=':
		if c == '<' && i+1 < len(s) && s[i+1] == '<' {
			if next, ok, err := n.heredoc(i); ok {
				return next, err
			}
		}
		return i + 1, n.operator(i)
	}
	return i + 1, nil
}

func (n *nesting) skipLine(i int) int {
	if j := bytes.IndexByte(n.src[i:], '\n'); j >= 0 {
		return i + j
	}
	return len(n.src)
}

func skipTo(s []byte, i int, end string) int {
	if j := bytes.Index(s[min(i, len(s)):], []byte(end)); j >= 0 {
		return i + j + len(end)
	}
	return len(s)
}

// heredoc begins a here-document when one begins at i.
func (n *nesting) heredoc(i int) (int, bool, *tooDeep) {
	s, j := n.src, i+2
	if j < len(s) && s[j] == '-' {
		j++
	}
	start := j
	for j < len(s) && (s[j] == '_' || s[j] == '-' || s[j] >= '0' && s[j] <= '9' || s[j]|0x20 >= 'a' && s[j]|0x20 <= 'z' || s[j] >= 0x80) {
		j++
	}
	mark := s[start:j]
	if j < len(s) && s[j] == '\r' {
		j++
	}
	if len(mark) == 0 || j >= len(s) || s[j] != '\n' {
		return i, false, nil
	}
	err := n.push(i, scanLevel{closer: '<', heredoc: mark})
	return n.endHeredoc(j + 1), true, err
}

// endHeredoc is called at the start of each line of a here-document.
func (n *nesting) endHeredoc(i int) int {
	line := n.src[i:]
	if j := bytes.IndexByte(line, '\n'); j >= 0 {
		line = line[:j]
	}
	k := len(n.levels) - 1
	if bytes.Equal(bytes.TrimSpace(line), n.levels[k].heredoc) {
		n.levels = n.levels[:k]
		return i + len(line)
	}
	return i
}

func (n *nesting) inHeredoc(i int) (int, *tooDeep) {
	if n.src[i] == '\n' {
		return n.endHeredoc(i + 1), nil
	}
	return n.template(i)
}

func (n *nesting) inString(i int) (int, *tooDeep) {
	switch n.src[i] {
	case '\\':
		return i + 2, nil
	case '"':
		n.levels = n.levels[:len(n.levels)-1]
		return i + 1, nil
	}
	return n.template(i)
}

// template handles ${ and %{, and their escapes $${ and %%{.
func (n *nesting) template(i int) (int, *tooDeep) {
	s := n.src
	c := s[i]
	if c != '$' && c != '%' || i+1 >= len(s) {
		return i + 1, nil
	}
	if s[i+1] == c && i+2 < len(s) && s[i+2] == '{' {
		return i + 3, nil
	}
	if s[i+1] != '{' {
		return i + 1, nil
	}
	if c == '%' {
		if err := n.directive(i); err != nil {
			return i, err
		}
	}
	return i + 2, n.push(i, scanLevel{closer: '}'})
}

func (n *nesting) directive(i int) *tooDeep {
	word := bytes.TrimLeft(n.src[i+2:min(i+66, len(n.src))], "~ \t\r\n")
	switch {
	case bytes.HasPrefix(word, []byte("end")):
		n.directives = max(0, n.directives-1)
	case bytes.HasPrefix(word, []byte("if")), bytes.HasPrefix(word, []byte("for")):
		if n.directives++; n.directives > maxNesting {
			return &tooDeep{i, fmt.Sprintf("More than %d template directives are open here. No configuration needs that.", maxNesting)}
		}
	}
	return nil
}

// checkTemplate is checkNesting for a file that is a template from its first byte.
func checkTemplate(src []byte) *tooDeep {
	n := nesting{src: src, levels: []scanLevel{{closer: '<', heredoc: []byte("\x00")}}}
	for i := 0; i < len(src); {
		next, err := n.step(i)
		if err != nil {
			return err
		}
		i = next
	}
	return nil
}
