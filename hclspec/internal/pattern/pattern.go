// Package pattern is the regular expressions of the language: those of package regexp within a bound, with a quicker way for
// patterns that need no search among alternatives.
package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/scan"
)

// maxLength bounds the source of a pattern.
const maxLength = 4 << 10

// Pattern is a compiled pattern. Any number of goroutines may use it.
type Pattern struct {
	re     func() *regexp.Regexp // compiled when it is needed for the first time: the quick way seldom needs it
	fast   *scan.Scanner         // nil: re is used
	groups []string              // names of the groups, "" for those without; the whole match first
}

// CheckLength refuses a pattern that is too long.
func CheckLength(src string) error {
	if len(src) > maxLength {
		return fmt.Errorf("the pattern is longer than %d bytes", maxLength)
	}
	return nil
}

// Compile compiles a pattern.
func Compile(src string) (*Pattern, error) {
	if err := CheckLength(src); err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		var se *syntax.Error
		if errors.As(err, &se) {
			return nil, fmt.Errorf("invalid pattern: %s: `%s`", se.Code, se.Expr)
		}
		return nil, fmt.Errorf("invalid pattern: %w", err)
	}
	p := &Pattern{groups: tree.CapNames()}
	p.re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(src) })
	p.fast = scan.New(tree)
	return p, nil
}

// InSlashes gives the pattern in "/…/", which makes replace() work with patterns as in Terraform.
func InSlashes(s string) (string, bool) {
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		return s[1 : len(s)-1], true
	}
	return "", false
}

// Type says what a match gives, as Terraform's regex: the text without groups, a tuple with groups, an object with named ones.
func (p *Pattern) Type() (cty.Type, error) {
	if p.Groups() == 0 {
		return cty.String, nil
	}
	if !slices.ContainsFunc(p.groups, func(name string) bool { return name != "" }) {
		return cty.Tuple(slices.Repeat([]cty.Type{cty.String}, p.Groups())), nil
	}
	types := map[string]cty.Type{}
	for _, name := range p.groups[1:] {
		if name == "" {
			return cty.NilType, errors.New("invalid pattern: cannot mix both named and unnamed capture groups")
		}
		types[name] = cty.String
	}
	return cty.Object(types), nil
}

// Groups counts the groups.
func (p *Pattern) Groups() int { return len(p.groups) - 1 }

// Group gives the number of a named group.
func (p *Pattern) Group(name string) int { return slices.Index(p.groups, name) }

// Match says whether the pattern is found in a text.
func (p *Pattern) Match(b []byte) bool {
	if p.fast != nil {
		if ok, sure := p.fast.Match(b); sure {
			return ok
		}
	}
	return p.re().Match(b)
}

// Find gives the places of the match and its groups as package regexp does, nil without a match. They may stand in room, which it
// makes larger when needed.
func (p *Pattern) Find(b []byte, room *[]int) []int {
	if p.fast != nil {
		if n := p.fast.Slots(); cap(*room) < n {
			*room = make([]int, n)
		}
		if caps, sure := p.fast.Find(b, *room); sure {
			return caps
		}
	}
	if p.Groups() > 0 {
		return p.re().FindSubmatchIndex(b)
	}
	// Find does not allocate, FindIndex does.
	t := p.re().Find(b)
	if t == nil {
		return nil
	}
	from := cap(b) - cap(t)
	*room = append((*room)[:0], from, from+len(t))
	return *room
}

// FindAll gives the places of all matches.
func (p *Pattern) FindAll(b []byte) [][]int { return p.re().FindAllSubmatchIndex(b, -1) }

// Replace replaces every match, in which $1 stands for a group, unless the result could be larger than limit.
func (p *Pattern) Replace(b, with []byte, limit int) (out []byte, ok bool) {
	if (len(b)+1)*(len(with)+1) <= limit {
		return p.re().ReplaceAll(b, with), true
	}
	refs, end := bytes.Count(with, []byte("$")), 0
	for _, m := range p.FindAll(b) {
		out = append(out, b[end:m[0]]...)
		if len(out)+len(with)+refs*(m[1]-m[0])+len(b)-m[1] > limit {
			return nil, false
		}
		out, end = p.re().Expand(out, with, b, m), m[1]
	}
	return append(out, b[end:]...), true
}
