package reading

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
)

// Fail records an error at a place.
func (rd *Reading) Fail(at hcl.Range, summary, detail string, args ...any) {
	rd.Diags = append(rd.Diags, diag.Error(at, summary, detail, args...))
}

// Warn records a warning at a place.
func (rd *Reading) Warn(at hcl.Range, summary, detail string, args ...any) {
	rd.Diags = append(rd.Diags, diag.Warning(at, summary, detail, args...))
}

// Add takes over diagnostics of the libraries, and says in our words what they say in theirs.
func (rd *Reading) Add(ds hcl.Diagnostics) {
	for _, d := range ds {
		if rd.Meter.Spent() && d.Summary == bounded.TooLarge {
			if rd.tooMuch {
				continue // what is evaluated after it has no place any more
			}
			rd.tooMuch = true
		}
		rd.Diags = append(rd.Diags, reword(d))
	}
}

// reword says in our words what the library says in its own, and explains references that stand where text is needed.
func reword(d *hcl.Diagnostic) *hcl.Diagnostic {
	if d, ok := diag.Reword(d); ok {
		return d
	}
	e, ok := d.Expression.(hclsyntax.Expression)
	if !ok || d.EvalContext == nil {
		return d
	}
	if !strings.Contains(d.Summary, "template") && !strings.Contains(d.Summary, "operand") && !strings.Contains(d.Summary, "function argument") {
		return d
	}
	v, _ := e.Value(d.EvalContext)
	r, ok := ref.Of(v)
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
