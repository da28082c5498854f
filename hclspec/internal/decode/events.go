package decode

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/expr"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/schema"
)

// expr reads an argument that may depend on the event: what does becomes a residual expression, what does not a constant.
func (d *Decoding) expr(a *schema.Attr, e hclsyntax.Expression, path string) (any, bool) {
	if a.Name == "path" {
		d.noFlumeDates(e)
	}
	if !expr.Mentions(e) {
		return d.Constant(a, e)
	}
	want := expr.TypeAny
	switch a.Type {
	case schema.Bool:
		want = expr.TypeBool
	case schema.Int, schema.Float:
		want = expr.TypeNumber
	}
	out, ok := d.Residual(a.Name, e, want, a.Path)
	if !ok {
		return nil, false
	}
	return out.Encode(), true
}

// Residual compiles an expression that mentions event.
func (d *Decoding) Residual(name string, e hclsyntax.Expression, want expr.Type, path bool) (schema.Expr, bool) {
	n := names.Inputs{Plain: true}
	if !d.Gather(e, d.Scope, &n, true) {
		d.Broken = true
		return schema.Expr{}, false
	}
	ctx := n.Context(d.Base)
	if !d.noSecrets(e, ctx) || !d.noComponents(e) {
		d.Broken = true
		return schema.Expr{}, false
	}
	for _, r := range n.Refs {
		d.Uses = append(d.Uses, ref.Use{Attr: name, Ref: r, At: e.Range()})
	}
	if path && !d.confined(name, e, ctx) {
		return schema.Expr{}, false
	}
	file := d.Files[e.Range().Filename]
	out, diags := expr.ResidualWith(d.Meter.Value, e, file.Bytes, ctx, want)
	d.Add(diags)
	if diags.HasErrors() {
		d.Broken = true
		return schema.Expr{}, false
	}
	d.CheckLayouts(&n, ctx)
	return out, true
}

// noSecrets refuses secrets in an expression that goes into the agent's spec as text.
func (d *Decoding) noSecrets(e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	found := false
	for _, t := range e.Variables() {
		if t.RootName() != "event" {
			v, _ := t.TraverseAbs(ctx) // what does not exist is reported by others
			found = found || ref.IsSecret(v)
		}
	}
	_ = hclsyntax.VisitAll(e, func(x hclsyntax.Node) hcl.Diagnostics {
		if call, ok := x.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "secretfile") {
			found = true
		}
		return nil
	})
	if found {
		d.Fail(e.Range(), "Secret not allowed here", "A secret cannot be used in an expression that is evaluated for each event. If the value is none, put nonsensitive(…) of it into locals and use that.")
	}
	return !found
}

// noComponents refuses references to parts of the agent, which are nothing that an event could be compared with.
func (d *Decoding) noComponents(e hclsyntax.Expression) bool {
	for _, t := range e.Variables() {
		if r := t.RootName(); r == "channel" || r == "sink" || r == "sink_group" {
			if !d.Scope.Shadows(r) {
				d.Fail(t.SourceRange(), "Reference used as a value", "%s is a reference; an expression that is evaluated for each event cannot use it. To choose between channels write several route blocks.", ref.TraversalText(t))
				return false
			}
		}
	}
	return true
}

// confined checks that a path that depends on the event has a constant beginning: the directory that it cannot leave.
func (d *Decoding) confined(name string, e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	probe := ctx.NewChild()
	probe.Variables = map[string]cty.Value{"event": cty.UnknownVal(eventType)}
	v, _ := d.Meter.Value(e, probe)
	v, _ = v.Unmark()
	if v.IsKnown() || v.Type() != cty.String {
		return true // the component says what is wrong
	}
	prefix := v.Range().StringPrefix()
	if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "://") {
		return true
	}
	d.Broken = true
	d.Fail(e.Range(), "Path without a fixed beginning", "%q depends on the event, so it must begin with a directory that does not: write \"${path.data}/…\", \"${path.root}/…\" or an absolute path first.", name)
	return false
}

// eventType is what an expression sees of an event.
var eventType = cty.Object(map[string]cty.Type{
	"body": cty.String, "time": cty.String, "headers": cty.Map(cty.String),
	"meta": cty.Object(map[string]cty.Type{
		"file": cty.String, "host": cty.String, "topic": cty.String, "peer": cty.String, "offset": cty.Number, "partition": cty.Number,
	}),
})

// Constant reads a value that may depend on the event and does not.
func (d *Decoding) Constant(a *schema.Attr, e hclsyntax.Expression) (any, bool) {
	v, ok := d.Eval(e, d.Scope)
	if !ok {
		d.Broken = true
		return nil, false
	}
	if ref.IsSecret(v) {
		d.Broken = true
		d.SecretHere(e.Range(), diag.Quote(a.Name))
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.Unknown, d.Incomplete = true, true
		return nil, false
	}
	if v.IsNull() {
		return d.null(a, e.Range())
	}
	if a.Ref != "" {
		if _, isRef := ref.Of(v); isRef || v.Type() == cty.String {
			return d.reference(a, v, e.Range())
		}
	}
	if a.Type == schema.Bool {
		d.Broken = true
		d.Fail(e.Range(), "Condition does not depend on the event", "%q is asked for each event, and this is the same for all of them. Use event.body, event.headers, event.time or event.meta.", a.Name)
		return nil, false
	}
	return d.constantValue(a, v, e.Range())
}

func (d *Decoding) constantValue(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	if r, ok := ref.Of(v); ok {
		d.Broken = true
		d.Fail(at, "Reference used as a value", "%q takes a value; %s is a reference.", a.Name, r.Local)
		return nil, false
	}
	switch v.Type() {
	case cty.String:
		if a.Type == schema.Int || a.Type == schema.Float {
			break
		}
		if a.Path {
			return d.Machine.Resolve(v.AsString()), d.noShell(v.AsString(), at)
		}
		return v.AsString(), true
	case cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, true
	case cty.Bool:
		return v.True(), true
	}
	if a.Type == schema.Int || a.Type == schema.Float {
		if n, err := convert.Convert(v, cty.Number); err == nil {
			f, _ := n.AsBigFloat().Float64()
			return f, true
		}
		return d.wrong(a, at, "a number", v)
	}
	return d.wrong(a, at, "a text, a number or a condition", v)
}

// exprMap reads a map whose values may depend on the event; its keys may not.
func (d *Decoding) exprMap(a *schema.Attr, at *hclsyntax.Attribute) (any, bool) {
	obj, ok := at.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		if expr.Mentions(at.Expr) {
			d.Broken = true
			d.Fail(at.Expr.Range(), "Names depend on the event", "%q is written out, { NAME = VALUE }: its values may depend on the event, its names may not.", a.Name)
			return nil, false
		}
		return d.constantMap(a, at.Expr)
	}
	out := map[string]any{}
	for _, item := range obj.Items {
		if expr.Mentions(item.KeyExpr) {
			d.Broken = true
			d.Fail(item.KeyExpr.Range(), "Name depends on the event", "The names in %q are fixed; only the values may depend on the event.", a.Name)
			continue
		}
		k, ok := d.Eval(item.KeyExpr, d.Scope)
		if !ok {
			d.Broken = true
			continue
		}
		if !k.IsKnown() {
			d.Unknown, d.Incomplete = true, true
			continue
		}
		k, err := convert.Convert(k, cty.String)
		if err != nil || !k.IsKnown() || k.IsNull() || k.IsMarked() {
			d.Broken = true
			d.Fail(item.KeyExpr.Range(), "Wrong type", "The names in %q are texts.", a.Name)
			continue
		}
		one := *a
		one.Name, one.Type, one.Event = a.Name+"."+k.AsString(), schema.String, true
		if _, twice := out[k.AsString()]; twice {
			d.Broken = true
			d.Fail(item.KeyExpr.Range(), "Declared twice", "%q stands in %q twice.", k.AsString(), a.Name)
			continue
		}
		if v, ok := d.expr(&one, item.ValueExpr, join(d.Path, one.Name)); ok {
			out[k.AsString()] = v
		}
	}
	return out, true
}

func (d *Decoding) constantMap(a *schema.Attr, e hclsyntax.Expression) (any, bool) {
	v, ok := d.Eval(e, d.Scope)
	if !ok {
		d.Broken = true
		return nil, false
	}
	m := *a
	m.Type = schema.StringMap
	return d.convert(&m, v, e)
}
