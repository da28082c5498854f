package assembly

import (
	"strings"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// check asks the component's own code about combinations of arguments.
func (bl *Builder) check(def *schema.Type, cfg schema.Config, d *decode.Decoding, cont *names.Contents) {
	if def.Check == nil || d.Unknown || d.Broken {
		return
	}
	for _, err := range separate(def.Check(cfg)) {
		bl.objection(err, d, cont)
	}
}

// separate gives the errors that were joined.
func separate(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// objection reports what the code of a component says of its arguments, at the argument that it begins with.
func (bl *Builder) objection(err error, d *decode.Decoding, cont *names.Contents) {
	d.Broken = true
	text := strings.ReplaceAll(diag.Sentence(err), "error parsing regexp:", "invalid pattern:")
	at, name := cont.At, ""
	better := func(n string) bool {
		return strings.HasPrefix(text, n) && len(n) > len(name) && !isNameByte(text, len(n))
	}
	for _, n := range sorted.Keys(cont.Attrs) {
		if better(n) {
			name, at = n, cont.Attrs[n].Expr.Range()
		}
	}
	if d.Owner != nil {
		for full, r := range d.Owner.Ranges {
			if n, ok := strings.CutPrefix(full, d.Path+"."); ok && strings.Contains(n, ".") && better(n) {
				name, at = n, r
			}
		}
	}
	if !strings.HasSuffix(text, "?") {
		text += "."
	}
	bl.Fail(at, "Invalid configuration", "%s: %s", d.What, text)
}

func isNameByte(s string, i int) bool {
	return i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9')
}
