package reading

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/bounded"
)

// Room says whether one more block may be made.
func (rd *Reading) Room(at hcl.Range) bool {
	rd.Blocks++ // what follows from missing blocks is not reported
	if rd.Blocks == rd.Limits.Blocks+1 {
		rd.Fail(at, bounded.TooLarge, "count, for_each and dynamic make more than %d blocks in this configuration.", rd.Limits.Blocks)
	}
	return rd.Blocks <= rd.Limits.Blocks
}

// Keep counts a value that no expression has made, and reports what is too large.
func (rd *Reading) Keep(v cty.Value, at hcl.Range) bool {
	diags := rd.Meter.Keep(v, at)
	rd.Add(diags)
	return !diags.HasErrors()
}

// OnlyTooLarge drops what is wrong only because blocks are missing.
func OnlyTooLarge(diags hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary != bounded.TooLarge })
}

// Convertible says whether a value can be converted to another type in reasonable time, and reports it if not.
func (rd *Reading) Convertible(v cty.Value, at hcl.Range) bool {
	diags := rd.Meter.Converting(v, at)
	rd.Add(diags)
	return !diags.HasErrors()
}
