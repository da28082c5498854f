// Package bounded evaluates expressions within limits. A configuration is a program that strangers may write, in a pull request
// that is only planned: a few nested for expressions, or thirty values of which each is the last one twice, would otherwise
// take all memory and all time. Limits are counted in elements, bytes and steps, not in seconds, so that the same
// configuration is refused on every machine or on none.
package bounded

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Limits bound what expressions may give.
type Limits struct {
	Text     int   // bytes of text that one expression may make
	Elements int   // elements of lists and maps that one expression may make
	Work     int64 // steps of a whole configuration
	Kept     int   // elements of all values of a configuration
	KeptText int   // bytes of text of all values of a configuration
	Blocks   int   // blocks that count, for_each and dynamic may make
}

// Usual gives the limits of every configuration.
func Usual() Limits {
	return Limits{Text: 16 << 20, Elements: 1_000_000, Work: 100_000_000, Kept: 10_000_000, KeptText: 256 << 20, Blocks: 100_000}
}

const (
	maxExponent = 4096 // bits in front of or behind the point of a number
	maxDepth    = 200  // levels of lists and maps in each other
	bytesAStep  = 64
)

// TooLarge is the summary of all diagnostics of this package.
const TooLarge = "Too large"

// Meter counts what evaluating a configuration costs. It belongs to one goroutine.
type Meter struct {
	// Functions are those that expressions may call: what they take decides what has to be converted.
	Functions map[string]function.Function

	wrapped map[hclsyntax.Expression]hclsyntax.Expression
	depth   int  // of Value in Value: a template that is read while an expression is evaluated
	made    size // by the expression that is being evaluated
	kept    size // by all that were evaluated
	limits  Limits
	work    int64     // steps of all that were evaluated
	over    string    // which limit the expression has passed, "" for none
	at      hcl.Range // where it did
	spent   bool      // the limit of steps or those of all values are passed and reported
}

// New gives a meter for one configuration.
func New(limits Limits) *Meter {
	return &Meter{limits: limits, wrapped: map[hclsyntax.Expression]hclsyntax.Expression{}}
}

// Value evaluates an expression. What is too large is one diagnostic at the place where it became too large.
func (m *Meter) Value(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if m.spent {
		return cty.DynamicVal, hcl.Diagnostics{m.diagnostic(e.Range())}
	}
	if m.depth > 0 {
		return m.wrap(e).Value(ctx)
	}
	m.depth++
	m.made, m.over = size{}, ""
	v, diags := m.wrap(e).Value(ctx)
	m.depth--
	if m.over == "" {
		m.keep(v, e.Range())
	}
	if m.over == "" {
		return v, firstOfEach(diags)
	}
	at := e.Range()
	if m.at.Filename == at.Filename && m.at.Start.Byte >= at.Start.Byte && m.at.End.Byte <= at.End.Byte {
		at = m.at // and not a place in a template that was read
	}
	return cty.DynamicVal, hcl.Diagnostics{m.diagnostic(at)}
}

// Spent says that everything that was evaluated together has passed a limit: what follows only repeats it.
func (m *Meter) Spent() bool { return m.spent }

// Keep counts a value that stays in memory and that no expression has made.
func (m *Meter) Keep(v cty.Value, at hcl.Range) hcl.Diagnostics {
	m.over = ""
	if m.keep(v, at); m.over != "" {
		return hcl.Diagnostics{m.diagnostic(at)}
	}
	return nil
}

func (m *Meter) keep(v cty.Value, at hcl.Range) {
	s := m.measure(v, at)
	m.kept.elements += s.elements
	m.kept.text += s.text
	if m.over == "" && (m.kept.elements > m.limits.Kept || m.kept.text > m.limits.KeptText) {
		m.pass(at, "All values of the configuration together hold more than %d elements or %d MiB of text.", m.limits.Kept, m.limits.KeptText>>20)
		m.spent = true
	}
}

func (m *Meter) diagnostic(at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: TooLarge, Detail: m.over, Subject: at.Ptr()}
}

// pass notes the first limit that is passed.
func (m *Meter) pass(at hcl.Range, why string, args ...any) {
	if m.over == "" {
		m.over, m.at = fmt.Sprintf(why, args...), at
	}
}

// Charge counts steps.
func (m *Meter) Charge(steps int, at hcl.Range) {
	m.work += int64(steps)
	if m.work > m.limits.Work && !m.spent {
		m.pass(at, "Working out this configuration takes more than %d million steps. Lists in lists, and functions that go through a long list again and again, add up.", m.limits.Work/1_000_000)
		m.spent = true
	}
}

// make counts a value that an expression has made.
func (m *Meter) produce(v cty.Value, at hcl.Range) {
	s := m.measure(v, at)
	m.made.elements += s.elements
	m.made.text += s.text
	switch {
	case m.made.elements > m.limits.Elements:
		m.pass(at, "The values that are made here hold more than %d elements.", m.limits.Elements)
	case m.made.text > m.limits.Text:
		m.pass(at, "The values that are made here hold more than %d MiB of text.", m.limits.Text>>20)
	}
}

// firstOfEach drops diagnostics about one place after the first: a for expression repeats them for every element.
func firstOfEach(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) < 2 {
		return diags
	}
	type place struct {
		hcl.Range
		summary string
	}
	seen := map[place]bool{}
	out := diags[:0:0]
	for _, d := range diags {
		if d.Subject != nil {
			p := place{*d.Subject, d.Summary}
			if seen[p] {
				continue
			}
			seen[p] = true
		}
		out = append(out, d)
	}
	return out
}
