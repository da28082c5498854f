package names

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/expr"
)

// CheckLayouts warns of layouts that show hours of 12 as if they were of 24. A layout that depends on a variable of a for
// expression is not looked at.
func (ns *Names) CheckLayouts(n *Inputs, ctx *hcl.EvalContext) {
	for _, e := range n.layouts {
		v, diags := ns.Meter.Value(e, ctx)
		if diags.HasErrors() {
			continue
		}
		v, _ = v.Unmark()
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && expr.HalfDay(v.AsString()) {
			ns.Warn(e.Range(), expr.HalfDaySummary, expr.HalfDayAdvice)
		}
	}
}
