package hclspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

var outputArgs = []string{"value", "description", "sensitive"}

func (l *loader) evaluateOutputs() {
	byName := map[string]*hclsyntax.Block{}
	for _, b := range l.outputs {
		byName[b.Labels[0]] = b
	}
	for _, name := range sorted.Keys(byName) {
		l.output(name, byName[name])
	}
}

func (l *loader) output(name string, b *hclsyntax.Block) {
	out := Output{Name: name}
	for _, n := range sorted.Keys(b.Body.Attributes) {
		if !slices.Contains(outputArgs, n) {
			l.Fail(b.Body.Attributes[n].NameRange, "Unknown argument", "An output has no argument %q.%s", n, diag.DidYouMean(n, outputArgs, "%q"))
		}
	}
	for _, inner := range b.Body.Blocks {
		l.Fail(inner.TypeRange, "Unknown block", "An output has no %q blocks.", inner.Type)
	}
	l.Constant(b.Body.Attributes["sensitive"], cty.Bool, func(v cty.Value) { out.Sensitive = v.True() })
	l.Constant(b.Body.Attributes["description"], cty.String, func(v cty.Value) { out.Description = v.AsString() })
	a := b.Body.Attributes["value"]
	if a == nil {
		l.Fail(b.DefRange(), "Missing argument", "Output %q needs value.", name)
		return
	}
	val, ok := l.Eval(a.Expr, &names.Scope{})
	if !ok {
		return
	}
	if ref.IsSecret(val) && !out.Sensitive {
		l.Fail(a.Expr.Range(), "Secret in an output", "The value holds a secret. Write sensitive = true in the output, or nonsensitive(…) around what is none.")
		return
	}
	val, _ = val.UnmarkDeep()
	if ref.HasRef(val) {
		l.Fail(a.Expr.Range(), "Reference used as a value", "An output shows values, not references. Name an attribute, such as topic.NAME.name.")
		return
	}
	if _, err := convert.Convert(val, cty.DynamicPseudoType); err == nil {
		out.Value = val
	}
	l.cfg.Outputs = append(l.cfg.Outputs, out)
}
