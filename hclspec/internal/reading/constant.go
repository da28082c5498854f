package reading

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
)

// Constant evaluates an argument that may use no names, since it is needed before they have values.
func (rd *Reading) Constant(a *hclsyntax.Attribute, want cty.Type, use func(cty.Value)) {
	if a == nil {
		return
	}
	val, diags := rd.Meter.Value(a.Expr, &hcl.EvalContext{})
	if diags.HasErrors() {
		rd.NotConstant(a.Expr, diags, "Not a constant", diag.Quote(a.Name)+" is written out here: it cannot use names or functions.")
		return
	}
	val, err := convert.Convert(val, want)
	if err != nil || val.IsNull() {
		rd.Fail(a.Expr.Range(), "Wrong type", "%q must be %s.", a.Name, ref.PlainType(want))
		return
	}
	use(val)
}

// NotConstant reports why an expression without names and functions has no value: it has some, or it is wrong in itself.
func (rd *Reading) NotConstant(e hclsyntax.Expression, diags hcl.Diagnostics, summary, detail string) {
	calls := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		_, call := n.(*hclsyntax.FunctionCallExpr)
		calls = calls || call
		return nil
	})
	if calls || len(e.Variables()) > 0 {
		rd.Fail(e.Range(), summary, "%s", detail)
		return
	}
	rd.Add(diags)
}

// ConstantText evaluates a text that is written out.
func (rd *Reading) ConstantText(e hcl.Expression) (string, bool) {
	x, ok := e.(hclsyntax.Expression)
	if !ok {
		return "", false
	}
	v, diags := rd.Meter.Value(x, nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}
