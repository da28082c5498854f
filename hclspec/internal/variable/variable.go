package variable

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/sorted"
)

// Variable is one variable block with the value it was given.
type Variable struct {
	name      string
	block     *hclsyntax.Block
	typ       cty.Type
	defaults  *typeexpr.Defaults
	given     *givenValue
	fallback  cty.Value // the default; NilVal: required
	sensitive bool
	nullable  bool

	state reading.State
	value cty.Value
}

var variableArgs = []string{"type", "default", "description", "sensitive", "nullable"}

// Declare takes in a variable block.
func (vs *Set) Declare(b *hclsyntax.Block) {
	v := &Variable{name: b.Labels[0], block: b, typ: cty.DynamicPseudoType, nullable: true}
	if old := vs.ByName[v.name]; old != nil {
		vs.Duplicate(b, "variable "+diag.Quote(v.name), old.block.DefRange())
		return
	}
	vs.ByName[v.name] = v
	for _, name := range sorted.Keys(b.Body.Attributes) {
		if !slices.Contains(variableArgs, name) {
			vs.Fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A variable has no argument %q.%s", name, diag.DidYouMean(name, variableArgs, "%q"))
		}
	}
	for _, inner := range b.Body.Blocks {
		if inner.Type != "validation" {
			vs.Fail(inner.TypeRange, "Unknown block", "A variable has no %q blocks.%s", inner.Type, diag.DidYouMean(inner.Type, []string{"validation"}, "%q"))
		}
	}
	if a := b.Body.Attributes["type"]; a != nil {
		t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		vs.Add(diags)
		if diags.HasErrors() {
			v.state = reading.Failed
			return
		}
		v.typ, v.defaults = t, defaults
	}
	vs.variableFlags(v)
}

func (vs *Set) variableFlags(v *Variable) {
	body := v.block.Body
	vs.Constant(body.Attributes["sensitive"], cty.Bool, func(x cty.Value) { v.sensitive = x.True() })
	vs.Constant(body.Attributes["nullable"], cty.Bool, func(x cty.Value) { v.nullable = x.True() })
	vs.Constant(body.Attributes["description"], cty.String, func(cty.Value) {})
	a := body.Attributes["default"]
	if a == nil {
		return
	}
	val, diags := vs.Meter.Value(a.Expr, &hcl.EvalContext{})
	if diags.HasErrors() {
		vs.NotConstant(a.Expr, diags, "Default is not a constant", "The default of a variable is written out: it cannot use other names or functions. A value that is computed belongs into locals.")
		v.state = reading.Failed
		return
	}
	if !vs.Convertible(val, a.Expr.Range()) {
		v.state = reading.Failed
		return
	}
	val, err := v.convert(val)
	if err != nil {
		vs.Fail(a.Expr.Range(), "Wrong type", "The default of variable %q does not fit its type %s: %s.", v.name, typeexpr.TypeString(v.typ), diag.Sentence(err))
		v.state = reading.Failed
		return
	}
	v.fallback = val
}

func (v *Variable) convert(val cty.Value) (cty.Value, error) {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	return convert.Convert(val, v.typ)
}

// Get gives the variable's value; a failed one was reported.
func (v *Variable) Get(vs *Set) (cty.Value, bool) {
	switch v.state {
	case reading.Done:
		return v.value, true
	case reading.Failed:
		return cty.DynamicVal, false
	}
	v.state = reading.Done
	val, ok := v.evaluate(vs)
	if !ok {
		v.state = reading.Failed
		return cty.DynamicVal, false
	}
	if v.sensitive {
		val = val.Mark(functions.Sensitive)
	}
	v.value = val
	if !v.validate(vs) {
		v.state = reading.Failed
	}
	return v.value, v.state == reading.Done
}
