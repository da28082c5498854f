package tail

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"collect/runtime/flow"
)

// pattern is one include or exclude: a folder that is named in full, and what may stand below it.
type pattern struct {
	root string
	segs []segment
}

// segment matches one element of a path, or any number of folders.
type segment struct {
	deep bool // **
	re   *regexp.Regexp
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// parsePattern reads an absolute pattern.
func parsePattern(text string) (pattern, error) {
	if !strings.HasPrefix(text, "/") {
		return pattern{}, fmt.Errorf("%q is not an absolute path", text)
	}
	if len(text) > 4096 {
		return pattern{}, fmt.Errorf("%.40q… is longer than 4096 bytes", text)
	}
	parts := strings.Split(path.Clean(text)[1:], "/")
	p := pattern{root: "/"}
	fixed := true
	seen := map[string]bool{}
	for i, part := range parts {
		if fixed = fixed && !strings.ContainsAny(part, `*?[{\`) && i < len(parts)-1; fixed {
			p.root = path.Join(p.root, part)
			continue
		}
		s, err := parseSegment(part)
		if err != nil {
			return pattern{}, fmt.Errorf("%q: %w", text, err)
		}
		if s.re != nil {
			for _, name := range s.re.SubexpNames() {
				if name != "" && seen[name] {
					return pattern{}, fmt.Errorf("%q: {%s} stands in it twice; each name takes one part of the path", text, fromGroup.Replace(name))
				}
				seen[name] = true
			}
		}
		p.segs = append(p.segs, s)
	}
	return p, nil
}

// parseExclude reads an exclude: a whole path, or a file's name.
func parseExclude(text string) (pattern, error) {
	if !strings.Contains(text, "/") {
		text = "/**/" + text
	}
	if strings.HasPrefix(text, "**/") {
		text = "/" + text
	}
	return parsePattern(text)
}

func parseSegment(text string) (segment, error) {
	if text == "**" {
		return segment{deep: true}, nil
	}
	expr, err := translate(text)
	if err != nil {
		return segment{}, err
	}
	re, err := regexp.Compile("^(?s:" + expr + ")$")
	if err != nil {
		return segment{}, fmt.Errorf("%q is not a pattern", text)
	}
	return segment{re: re}, nil
}

// translate turns a glob for one path element into a regular expression.
func translate(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '*':
			out.WriteString(".*")
		case '?':
			out.WriteString(".")
		case '\\':
			if i++; i == len(text) {
				return "", fmt.Errorf("%q ends in a backslash", text)
			}
			out.WriteString(regexp.QuoteMeta(text[i : i+1]))
		case '[':
			end := strings.IndexByte(text[i+1:], ']')
			if end < 1 {
				return "", fmt.Errorf("%q has a [ without ]", text)
			}
			class := text[i+1 : i+1+end]
			if class[0] == '!' {
				class = "^" + class[1:]
			}
			out.WriteString("[" + strings.ReplaceAll(class, `\`, `\\`) + "]")
			i += end + 1
		case '{':
			end := closing(text, i)
			if end < 0 {
				return "", fmt.Errorf("%q has a { without }", text)
			}
			expr, err := translateBraces(text[i+1 : end])
			if err != nil {
				return "", err
			}
			out.WriteString(expr)
			i = end
		default:
			out.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return out.String(), nil
}

// closing gives the index of the brace that closes the one at i, or -1.
func closing(text string, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// translateBraces handles {a,b}, alternatives, and {name}, a capture.
func translateBraces(inner string) (string, error) {
	if !strings.Contains(inner, ",") {
		if !identifier.MatchString(inner) {
			return "", fmt.Errorf("{%s} is neither a name for a header nor a list with commas", inner)
		}
		if strings.HasPrefix(inner, "collect.") {
			return "", fmt.Errorf("{%s}: headers that begin with \"collect.\" are reserved", inner)
		}
		return "(?P<" + groupName(inner) + ">.+)", nil
	}
	depth, start := 0, 0
	var alts []string
	for i := 0; i <= len(inner); i++ {
		if i == len(inner) || inner[i] == ',' && depth == 0 {
			expr, err := translate(inner[start:i])
			if err != nil {
				return "", err
			}
			alts = append(alts, expr)
			start = i + 1
			continue
		}
		if inner[i] == '{' {
			depth++
		} else if inner[i] == '}' {
			depth--
		}
	}
	return "(?:" + strings.Join(alts, "|") + ")", nil
}

// Names of groups allow letters, digits and _ only.
var (
	toGroup   = strings.NewReplacer("_", "__", ".", "_d", "-", "_h")
	fromGroup = strings.NewReplacer("__", "_", "_d", ".", "_h", "-")
)

func groupName(header string) string { return toGroup.Replace(header) }

// match compares one path element, and appends what it captures.
func (s segment) match(name string, caps []flow.Header) ([]flow.Header, bool) {
	m := s.re.FindStringSubmatchIndex(name)
	if m == nil {
		return caps, false
	}
	for i, group := range s.re.SubexpNames() {
		if group != "" && m[2*i] >= 0 {
			caps = append(caps[:len(caps):len(caps)], flow.Header{Name: fromGroup.Replace(group), Value: []byte(name[m[2*i]:m[2*i+1]])})
		}
	}
	return caps, true
}

// matches compares a whole path.
func (p pattern) matches(full string) bool {
	_, ok := p.captures(full)
	return ok
}

// captures compares a whole path and gives what it captures.
func (p pattern) captures(full string) ([]flow.Header, bool) {
	rest := full
	if p.root != "/" {
		var ok bool
		if rest, ok = strings.CutPrefix(full, p.root); !ok {
			return nil, false
		}
	}
	if !strings.HasPrefix(rest, "/") {
		return nil, false
	}
	return matchParts(p.segs, strings.Split(rest[1:], "/"), nil)
}

func matchParts(segs []segment, parts []string, caps []flow.Header) ([]flow.Header, bool) {
	switch {
	case len(segs) == 0 || len(parts) == 0:
		return caps, len(segs) == len(parts)
	case segs[0].deep && len(segs) == 1:
		return caps, true
	case segs[0].deep:
		if got, ok := matchParts(segs[1:], parts, caps); ok {
			return got, true
		}
		return matchParts(segs, parts[1:], caps)
	}
	got, ok := segs[0].match(parts[0], caps)
	if !ok {
		return nil, false
	}
	return matchParts(segs[1:], parts[1:], got)
}
