package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/expr"
)

// checkLayouts warns of layouts that show hours of 12 as if they were of 24. A layout that depends on a variable of a for
// expression is not looked at.
func (l *loader) checkLayouts(n *names, ctx *hcl.EvalContext) {
	for _, e := range n.layouts {
		v, diags := l.meter.Value(e, ctx)
		if diags.HasErrors() {
			continue
		}
		v, _ = v.Unmark()
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && expr.HalfDay(v.AsString()) {
			l.warn(e.Range(), expr.HalfDaySummary, expr.HalfDayAdvice)
		}
	}
}
