package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Parse checks the syntax of one file, within the limits of a configuration, without evaluating anything. The file is never nil,
// so that diagnostics can show its lines.
func Parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	l := newLoader(Options{})
	empty := &hcl.File{Bytes: src, Body: &hclsyntax.Body{}}
	if len(src) > maxFileSize {
		l.fail(hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}, "File cannot be read", "%s: %s.", name, errTooLarge)
		return empty, l.diags
	}
	if !l.isText(name, src) {
		return empty, l.diags
	}
	if deep := checkNesting(src); deep != nil {
		l.fail(rangeAt(name, src, deep.offset), "Nested too deeply", "%s", deep.what)
		return empty, l.diags
	}
	f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		l.syntaxErrors(src, diags)
		return empty, l.diags
	}
	return f, nil
}
