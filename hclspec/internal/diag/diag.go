// Package diag makes diagnostics: what is said, in which words and in which order.
package diag

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Error is an error at a place.
func Error(at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	return diagnostic(hcl.DiagError, at, summary, detail, args)
}

// Warning is a warning at a place.
func Warning(at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	return diagnostic(hcl.DiagWarning, at, summary, detail, args)
}

func diagnostic(sev hcl.DiagnosticSeverity, at hcl.Range, summary, detail string, args []any) *hcl.Diagnostic {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	d := &hcl.Diagnostic{Severity: sev, Summary: summary, Detail: detail}
	if at.Filename != "" {
		d.Subject = at.Ptr()
	}
	return d
}

// Sorted gives every diagnostic once, in the order of files and lines; errors about nothing in particular come first.
func Sorted(ds hcl.Diagnostics) hcl.Diagnostics {
	seen := map[string]bool{}
	out := make(hcl.Diagnostics, 0, len(ds))
	for _, d := range ds {
		key := fmt.Sprint(d.Severity, d.Subject, d.Summary, d.Detail)
		if !seen[key] {
			seen[key] = true
			out = append(out, d)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Subject, out[j].Subject
		if a == nil || b == nil {
			return a == nil && b != nil
		}
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return out
}

// First gives the first diagnostic as one line.
func First(diags hcl.Diagnostics) string {
	d := diags[0]
	if d.Subject == nil {
		return d.Summary + ": " + d.Detail
	}
	return fmt.Sprintf("%s:%d: %s: %s", d.Subject.Filename, d.Subject.Start.Line, d.Summary, strings.TrimSuffix(d.Detail, "."))
}

// rewordings replace what the HCL library says where its words do not say what to do.
var rewordings = map[string]string{
	"Invalid single-argument block definition": "A block on one line holds exactly one argument. Put each argument on its own line.",
	"Invalid expression":                       "A value is missing here, or it cannot be read.",
	"Missing expression":                       "A value is missing here.",
	"Invalid escape sequence":                  `In quotes a backslash begins an escape, such as \n. Write \\ for a backslash itself: "\\d" is the pattern \d.`,
	"Invalid template control keyword":         "%{ begins if or for in a text. Write ${event.headers.NAME} for a header of the event, and %%{ for these characters themselves.",
}

// Reword says in our words what the library says in its own; false: it is left as it is.
func Reword(d *hcl.Diagnostic) (*hcl.Diagnostic, bool) {
	if text, ok := rewordings[d.Summary]; ok {
		c := *d
		c.Detail = text
		return &c, true
	}
	if d.Summary == "Argument definition required" && strings.Contains(d.Detail, "single-line block") {
		c := *d
		c.Summary, c.Detail = "Invalid single-argument block definition", "A block on one line holds exactly one argument and no block. Put each argument and each block on its own line."
		return &c, true
	}
	if i := strings.Index(d.Detail, "panic in function implementation"); i >= 0 {
		c := *d
		c.Detail = d.Detail[:i] + "it has no result for these values."
		return &c, true
	}
	if word, ok := quoted(d.Detail, `The keyword "`, `" is not a valid type specification.`); ok {
		c := *d
		c.Detail = fmt.Sprintf("%q is not a type.", word) + DidYouMean(word, types, "%s")
		return &c, true
	}
	if d.Summary == "Attribute redefined" {
		c := *d
		c.Summary, c.Detail = "Declared twice", columns.ReplaceAllString(d.Detail, "$1")
		return &c, true
	}
	if strings.Contains(d.Detail, " of dynamic") {
		c := *d
		c.Detail = strings.NewReplacer(" of dynamic", "").Replace(d.Detail)
		return &c, true
	}
	return d, false
}

// types are the words that begin the type of a variable.
var types = []string{"any", "bool", "list", "map", "number", "object", "set", "string", "tuple"}

// columns finds the columns behind a file and a line: only the line is said.
var columns = regexp.MustCompile(`(:\d+),\d+-(?:\d+,)?\d+`)

// quoted gives what stands between the beginning and the end of a sentence.
func quoted(s, before, after string) (string, bool) {
	s, ok1 := strings.CutPrefix(s, before)
	s, ok2 := strings.CutSuffix(s, after)
	return s, ok1 && ok2
}

// UpperFirst begins a sentence.
func UpperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// Quote puts a name in quotes, as it stands in a file.
func Quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// Sentence makes an error of the libraries fit into a sentence.
func Sentence(err error) string {
	return strings.TrimSuffix(err.Error(), ".")
}
