// Package words holds how the commands word and sort what they say.
package words

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
)

// Sentence makes a sentence of an error's text: a capital, unless it begins with a name or a place, and an end.
func Sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); s[0] >= 'a' && s[0] <= 'z' && !strings.ContainsAny(word, "./:[\"") {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// Nearest finds the name that was probably meant: most of it was written.
func Nearest(given string, names []string) string {
	best, least := "", 3
	for _, n := range names {
		if d := levenshtein.Distance(given, n, nil); d < least && (d < 2 || 2*d < min(len(given), len(n))) && d < len(n) {
			best, least = n, d
		}
	}
	return best
}

// Plural counts a noun.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Sorted gives the keys of a map in order.
func Sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// CoveredBy says whether an address is one of args, an instance or a part of one.
func CoveredBy(args []string, address string) bool {
	for _, a := range args {
		if a == address || strings.HasPrefix(address, a+"[") || strings.HasPrefix(address, a+".") {
			return true
		}
	}
	return false
}

// ShellQuote quotes an address for a command line.
func ShellQuote(a string) string {
	if strings.ContainsAny(a, `"[]$ '`) {
		return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return a
}

// CommitClause names the commit of a configuration, where it is known.
func CommitClause(commit string) string {
	if commit == "" {
		return ""
	}
	return fmt.Sprintf(" (commit %.7s)", commit)
}
