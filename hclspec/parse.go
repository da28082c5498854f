package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/syntax"
)

// Parse checks the syntax of one file, within the limits of a configuration, without evaluating anything. The file is never nil,
// so that diagnostics can show its lines.
func Parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	f, diags := syntax.Parse(name, src)
	if diags.HasErrors() {
		return &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}, diags
	}
	return f, nil
}
