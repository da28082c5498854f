package render

import (
	"slices"
	"sort"
	"strings"

	"collect/planner/resource"
)

const (
	// mostElements is how many elements of one value are shown, each in a line.
	mostElements = 50
	// mostCompared bounds the work of finding what two lists have in common: the product of their lengths.
	mostCompared = 1 << 20
)

// element is one line of a list or map that is shown element by element.
type element struct {
	action resource.Action // "" where nothing is compared
	text   string
}

// elementsOf gives the elements of a list, or the entries of a map, as lines. False: the value is not made of such.
func elementsOf(v any) ([]string, bool) {
	switch x := v.(type) {
	case []any:
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = value(e)
		}
		return out, true
	case []string:
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = value(e)
		}
		return out, true
	case map[string]any:
		if isSpecial(x) {
			return nil, false
		}
		out := make([]string, 0, len(x))
		for k, e := range x {
			out = append(out, safe(k)+" = "+value(e))
		}
		sort.Strings(out)
		return out, true
	}
	return nil, false
}

// elementwise compares two lists, or two maps. False: they are not, and are shown as one value each.
func elementwise(before, after any) ([]element, bool) {
	was, isList := elementsOf(before)
	is, areBoth := elementsOf(after)
	if before == nil {
		isList = areBoth
	}
	if after == nil {
		areBoth = isList
	}
	if !isList || !areBoth {
		return nil, false
	}
	return compare(was, is), true
}

// compare gives what goes and what comes, in the order of the lists. What stays is not shown; what moves goes and comes.
func compare(was, is []string) []element {
	for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	if len(was)*len(is) > mostCompared {
		return slices.Concat(all(resource.Delete, was), all(resource.Create, is))
	}
	// common[i][j] is the length of the longest common part of was[i:] and is[j:].
	common := make([][]int, len(was)+1)
	for i := range common {
		common[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i] == is[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []element
	i, j := 0, 0
	for i < len(was) && j < len(is) {
		switch {
		case was[i] == is[j]:
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, element{resource.Delete, was[i]})
			i++
		default:
			out = append(out, element{resource.Create, is[j]})
			j++
		}
	}
	return slices.Concat(out, all(resource.Delete, was[i:]), all(resource.Create, is[j:]))
}

func all(a resource.Action, texts []string) []element {
	out := make([]element, len(texts))
	for i, t := range texts {
		out[i] = element{a, t}
	}
	return out
}

// elements writes elements, each in a line that begins at a column.
func (w *Writer) elements(column int, list []element) {
	room := strings.Repeat(" ", column)
	for i, e := range list {
		if i == mostElements {
			w.line(room, "… and ", resource.Number(int64(len(list)-i)), " more")
			return
		}
		if e.action == "" {
			w.line(room, e.text)
			continue
		}
		symbol, style := look(e.action)
		w.line(room, w.paint(style, symbol), " ", e.text)
	}
}
