package hclspec

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/bounded"
)

// fail records an error at a place.
func (l *loader) fail(at hcl.Range, summary, detail string, args ...any) {
	l.report(hcl.DiagError, at, summary, detail, args...)
}

// warn records a warning at a place.
func (l *loader) warn(at hcl.Range, summary, detail string, args ...any) {
	l.report(hcl.DiagWarning, at, summary, detail, args...)
}

func (l *loader) report(sev hcl.DiagnosticSeverity, at hcl.Range, summary, detail string, args ...any) {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	d := &hcl.Diagnostic{Severity: sev, Summary: summary, Detail: detail}
	if at.Filename != "" {
		d.Subject = at.Ptr()
	}
	l.diags = append(l.diags, d)
}

// add takes over diagnostics of the libraries, and says in our words what they say in theirs.
func (l *loader) add(ds hcl.Diagnostics) {
	for _, d := range ds {
		if l.meter.Spent() && d.Summary == bounded.TooLarge {
			if l.tooMuch {
				continue // what is evaluated after it has no place any more
			}
			l.tooMuch = true
		}
		l.diags = append(l.diags, l.reword(d))
	}
}

// sorted gives every diagnostic once, in the order of files and lines; errors about nothing in particular come first.
func sorted(ds hcl.Diagnostics) hcl.Diagnostics {
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

// near gives the name that was probably meant, or "".
func near(name string, names []string) string {
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

// didYouMean gives a sentence with the nearest name, or the list of names when it is short, or nothing.
func didYouMean(name string, names []string, form string) string {
	if n := near(name, names); n != "" {
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

// rewordings replace what the HCL library says where its words do not say what to do.
var rewordings = map[string]string{
	"Invalid single-argument block definition": "A block on one line holds exactly one argument. Put each argument on its own line.",
	"Invalid expression":                       "A value is missing here, or it cannot be read.",
	"Missing expression":                       "A value is missing here.",
	"Invalid escape sequence":                  `In quotes a backslash begins an escape, such as \n. Write \\ for a backslash itself: "\\d" is the pattern \d.`,
	"Invalid template control keyword":         "%{ begins if or for in a text. Write ${event.headers.NAME} for a header of the event, and %%{ for these characters themselves.",
}

func (l *loader) reword(d *hcl.Diagnostic) *hcl.Diagnostic {
	if text, ok := rewordings[d.Summary]; ok {
		c := *d
		c.Detail = text
		return &c
	}
	if d.Summary == "Argument definition required" && strings.Contains(d.Detail, "single-line block") {
		c := *d
		c.Summary, c.Detail = "Invalid single-argument block definition", "A block on one line holds exactly one argument and no block. Put each argument and each block on its own line."
		return &c
	}
	if i := strings.Index(d.Detail, "panic in function implementation"); i >= 0 {
		c := *d
		c.Detail = d.Detail[:i] + "it has no result for these values."
		return &c
	}
	if strings.Contains(d.Detail, " of dynamic") {
		c := *d
		c.Detail = strings.NewReplacer(" of dynamic", "").Replace(d.Detail)
		return &c
	}
	return l.rewordReference(d)
}

// rewordReference explains references that stand where text is needed.
func (l *loader) rewordReference(d *hcl.Diagnostic) *hcl.Diagnostic {
	e, ok := d.Expression.(hclsyntax.Expression)
	if !ok || d.EvalContext == nil {
		return d
	}
	if !strings.Contains(d.Summary, "template") && !strings.Contains(d.Summary, "operand") && !strings.Contains(d.Summary, "function argument") {
		return d
	}
	v, _ := e.Value(d.EvalContext)
	r, ok := refOf(v)
	if !ok {
		return d
	}
	c := *d
	c.Summary = "Reference used as text"
	c.Detail = fmt.Sprintf("%s is a reference, not text: it can only stand by itself where a reference is asked for.", r.Local)
	if r.Kind == "topic" {
		c.Detail += fmt.Sprintf(" The topic's name is %s.name.", r.Local)
	}
	return &c
}
