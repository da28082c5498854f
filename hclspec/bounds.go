package hclspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/bounded"
)

// room says whether one more block may be made.
func (l *loader) room(at hcl.Range) bool {
	l.blocks++ // what follows from missing blocks is not reported
	if l.blocks == l.limits.Blocks+1 {
		l.fail(at, bounded.TooLarge, "count, for_each and dynamic make more than %d blocks in this configuration.", l.limits.Blocks)
	}
	return l.blocks <= l.limits.Blocks
}

// keep counts a value that no expression has made, and reports what is too large.
func (l *loader) keep(v cty.Value, at hcl.Range) bool {
	diags := l.meter.Keep(v, at)
	l.add(diags)
	return !diags.HasErrors()
}

// onlyTooLarge drops what is wrong only because blocks are missing.
func onlyTooLarge(diags hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary != bounded.TooLarge })
}

// convertible says whether a value can be converted to another type in reasonable time, and reports it if not.
func (l *loader) convertible(v cty.Value, at hcl.Range) bool {
	diags := l.meter.Converting(v, at)
	l.add(diags)
	return !diags.HasErrors()
}
