package functions

import (
	"errors"
	"math"

	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty/function"
)

func yamlDecodeFunc() function.Function { return guarded(yaml.YAMLDecodeFunc, checkYAML) }

func yamlEncodeFunc() function.Function { return refusingRefs(yaml.YAMLEncodeFunc) }

// Bounds of a YAML document.
const (
	maxYAMLDepth = 64
	maxYAMLWork  = 8 << 20 // bytes that aliases may stand for
)

var (
	errDeepYAML  = errors.New("the YAML is nested deeper than 64 levels")
	errAliasYAML = errors.New("the YAML has too many aliases: they would stand for more than 8 MiB")
)

// checkYAML bounds depth and growth by reading the text only, since the parser recurses and copies aliases. It counts too much rather
// than too little: brackets and signs inside of texts count as well.
func checkYAML(text string) error {
	depth, flow := 0, 0
	var indents []int
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && text[end] != '\n' {
			end++
		}
		line := text[start:end]
		start = end + 1
		col, nested := yamlIndent(line)
		if col < len(line) && line[col] != '#' {
			for len(indents) > 0 && indents[len(indents)-1] >= col {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, col)
			depth = len(indents) + nested
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '{':
				flow++
			case ']', '}':
				flow = max(flow-1, 0)
			}
			if depth+flow > maxYAMLDepth {
				return errDeepYAML
			}
		}
		if depth+flow > maxYAMLDepth {
			return errDeepYAML
		}
	}
	return checkAliases(text)
}

// yamlIndent gives the column of the first content, and how many "- ", "? " stand in front of it on the same line.
func yamlIndent(line string) (col, nested int) {
	first := -1
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ', '\t':
			continue
		case '-', '?', ':':
			if i+1 >= len(line) || line[i+1] == ' ' || line[i+1] == '\t' {
				if first < 0 {
					first = i
				}
				nested++
				continue
			}
		}
		if first < 0 {
			first = i
		}
		return first, nested
	}
	return max(first, 0), nested
}

// checkAliases bounds what aliases can amount to. Where all anchors stand before the first alias, no copied value is made of
// copies, so there is at most one copy for each alias; else copies multiply.
func checkAliases(text string) error {
	aliases, late := 0, false
	for i := range len(text) {
		if text[i] != '*' && text[i] != '&' || i+1 >= len(text) || !yamlWord(text[i+1]) {
			continue
		}
		if i > 0 && !yamlBefore(text[i-1]) {
			continue
		}
		if text[i] == '*' {
			aliases++
		} else if aliases > 0 {
			late = true
		}
	}
	growth := float64(aliases)
	if late {
		// The most that n copies of copies can make of one value, three copies a level.
		growth = math.Pow(3, float64(aliases)/3)
	}
	if growth*float64(len(text)) > maxYAMLWork {
		return errAliasYAML
	}
	return nil
}

func yamlWord(c byte) bool { return c > ' ' && c != ',' && c != ']' && c != '}' }

func yamlBefore(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '[', '{', ',', ':', '-', '?':
		return true
	}
	return false
}
