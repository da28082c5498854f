package hclspec

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
)

// local is one value of a locals block.
type local struct {
	name  string
	attr  *hclsyntax.Attribute
	state state
	value cty.Value
}

func (l *loader) declareLocals(b *hclsyntax.Block) {
	for _, inner := range b.Body.Blocks {
		l.fail(inner.TypeRange, "Block in locals", "locals holds values: %s = { … }.", inner.Type)
	}
	for _, name := range sortedKeys(b.Body.Attributes) {
		a := b.Body.Attributes[name]
		if old := l.locals[name]; old != nil {
			r := old.attr.NameRange
			l.fail(a.NameRange, "Declared twice", "The local value %q is already declared at %s:%d.", name, r.Filename, r.Start.Line)
			continue
		}
		l.locals[name] = &local{name: name, attr: a}
	}
}

// get works out a local value.
func (v *local) get(l *loader) (cty.Value, bool) {
	switch v.state {
	case done:
		return v.value, true
	case failed:
		return cty.DynamicVal, false
	case running:
		l.cycle("local." + v.name)
		return cty.DynamicVal, false
	}
	if !l.enter("local."+v.name, v.attr.Range()) {
		v.state = failed
		return cty.DynamicVal, false
	}
	v.state = running
	val, ok := l.eval(v.attr.Expr, &scope{label: "locals"})
	l.leave()
	if !ok {
		v.state = failed
		return cty.DynamicVal, false
	}
	v.state, v.value = done, val
	return val, true
}

var outputArgs = []string{"value", "description", "sensitive"}

func (l *loader) evaluateOutputs() {
	byName := map[string]*hclsyntax.Block{}
	for _, b := range l.outputs {
		byName[b.Labels[0]] = b
	}
	for _, name := range sortedKeys(byName) {
		l.output(name, byName[name])
	}
}

func (l *loader) output(name string, b *hclsyntax.Block) {
	out := Output{Name: name}
	for _, n := range sortedKeys(b.Body.Attributes) {
		if !contains(outputArgs, n) {
			l.fail(b.Body.Attributes[n].NameRange, "Unknown argument", "An output has no argument %q.%s", n, diag.DidYouMean(n, outputArgs, "%q"))
		}
	}
	for _, inner := range b.Body.Blocks {
		l.fail(inner.TypeRange, "Unknown block", "An output has no %q blocks.", inner.Type)
	}
	l.constant(b.Body.Attributes["sensitive"], cty.Bool, func(v cty.Value) { out.Sensitive = v.True() })
	l.constant(b.Body.Attributes["description"], cty.String, func(v cty.Value) { out.Description = v.AsString() })
	a := b.Body.Attributes["value"]
	if a == nil {
		l.fail(b.DefRange(), "Missing argument", "Output %q needs value.", name)
		return
	}
	val, ok := l.eval(a.Expr, &scope{label: "output " + quote(name)})
	if !ok {
		return
	}
	if isSecret(val) && !out.Sensitive {
		l.fail(a.Expr.Range(), "Secret in an output", "The value holds a secret. Write sensitive = true in the output, or nonsensitive(…) around what is none.")
		return
	}
	val, _ = val.UnmarkDeep()
	if hasRef(val) {
		l.fail(a.Expr.Range(), "Reference used as a value", "An output shows values, not references. Name an attribute, such as topic.NAME.name.")
		return
	}
	if _, err := convert.Convert(val, cty.DynamicPseudoType); err == nil {
		out.Value = val
	}
	l.cfg.Outputs = append(l.cfg.Outputs, out)
}

// hasRef says whether a reference is anywhere in a value.
func hasRef(v cty.Value) bool {
	found := false
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.Type().Equals(refType) {
			found = true
		}
		return !found, nil
	})
	return found
}
