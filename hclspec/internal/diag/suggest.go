package diag

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
)

// Near gives the name that was probably meant, or "".
func Near(name string, names []string) string {
	best, bestDist := "", 3
	if len(name) < 4 {
		bestDist = 2
	}
	for _, n := range names {
		d := levenshtein.Distance(name, n, nil)
		if d == 2 && len(name) < 6 && (n == "" || n[0] != name[0]) {
			continue // of a short word too little is left
		}
		if d < bestDist || d == bestDist && best != "" && n < best {
			best, bestDist = n, d
		}
	}
	if best != "" {
		return best
	}
	for _, n := range names {
		if strings.EqualFold(strings.ReplaceAll(n, "_", ""), strings.NewReplacer("_", "", "-", "").Replace(name)) {
			return n
		}
	}
	return ""
}

// DidYouMean gives a sentence with the nearest name, or the list of names when it is short, or nothing.
func DidYouMean(name string, names []string, form string) string {
	if n := Near(name, names); n != "" {
		return fmt.Sprintf(" Did you mean "+form+"?", n)
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 24:
		return ""
	}
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	for i, n := range sorted {
		sorted[i] = fmt.Sprintf(form, n)
	}
	return " There is: " + strings.Join(sorted, ", ") + "."
}

// NearOnly is DidYouMean without the list of all names.
func NearOnly(name string, all []string, form string) string {
	if n := Near(name, all); n != "" {
		return fmt.Sprintf(" Did you mean "+form+"?", n)
	}
	return ""
}
