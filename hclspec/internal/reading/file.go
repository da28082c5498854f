package reading

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/syntax"
)

// ReadFile reads and parses one file, within the limits; diagnostics call it name.
func (rd *Reading) ReadFile(path, name string) *hcl.File {
	at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	rd.Files[name] = &hcl.File{Body: &hclsyntax.Body{}}
	src, err := syntax.Read(path)
	if err != nil {
		rd.Fail(at, "File cannot be read", "%s: %s.", name, syntax.Cause(err))
		return nil
	}
	f, diags := syntax.Parse(name, src)
	rd.Files[name] = f
	rd.Diags = append(rd.Diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	return f
}
