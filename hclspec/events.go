package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
)

// expr reads an argument that may depend on the event: what does becomes a residual expression, what does not a constant.
func (d *decoding) expr(a *schema.Attr, e hclsyntax.Expression, path string) (any, bool) {
	if a.Name == "path" {
		d.noFlumeDates(e)
	}
	if !expr.Mentions(e) {
		return d.constant(a, e)
	}
	want := expr.TypeAny
	switch a.Type {
	case schema.Bool:
		want = expr.TypeBool
	case schema.Int, schema.Float:
		want = expr.TypeNumber
	}
	out, ok := d.residual(a.Name, e, want, a.Path)
	if !ok {
		return nil, false
	}
	return out.Encode(), true
}

// residual compiles an expression that mentions event.
func (d *decoding) residual(name string, e hclsyntax.Expression, want expr.Type, path bool) (schema.Expr, bool) {
	n := names{plain: true}
	if !d.l.gather(e, d.sc, &n, true) {
		d.broken = true
		return schema.Expr{}, false
	}
	ctx := n.context(d.l.base)
	if !d.noSecrets(e, ctx) || !d.noComponents(e) {
		d.broken = true
		return schema.Expr{}, false
	}
	for _, r := range n.refs {
		d.uses = append(d.uses, use{name, r, e.Range()})
	}
	if path && !d.confined(name, e, ctx) {
		return schema.Expr{}, false
	}
	file := d.l.cfg.Files[e.Range().Filename]
	out, diags := expr.ResidualWith(d.l.meter.Value, e, file.Bytes, ctx, want)
	d.l.add(diags)
	if diags.HasErrors() {
		d.broken = true
		return schema.Expr{}, false
	}
	d.l.checkLayouts(&n, ctx)
	return out, true
}

// noSecrets refuses secrets in an expression that goes into the agent's spec as text.
func (d *decoding) noSecrets(e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	found := false
	for _, t := range e.Variables() {
		if t.RootName() != "event" {
			v, _ := t.TraverseAbs(ctx) // what does not exist is reported by others
			found = found || isSecret(v)
		}
	}
	_ = hclsyntax.VisitAll(e, func(x hclsyntax.Node) hcl.Diagnostics {
		if call, ok := x.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "secretfile") {
			found = true
		}
		return nil
	})
	if found {
		d.l.fail(e.Range(), "Secret not allowed here", "A secret cannot be used in an expression that is evaluated for each event. If the value is none, put nonsensitive(…) of it into locals and use that.")
	}
	return !found
}

// noComponents refuses references to parts of the agent, which are nothing that an event could be compared with.
func (d *decoding) noComponents(e hclsyntax.Expression) bool {
	for _, t := range e.Variables() {
		if r := t.RootName(); r == "channel" || r == "sink" || r == "sink_group" {
			if _, shadowed := d.sc.iters[r]; !shadowed {
				d.l.fail(t.SourceRange(), "Reference used as a value", "%s is a reference; an expression that is evaluated for each event cannot use it. To choose between channels write several route blocks.", traversalText(t))
				return false
			}
		}
	}
	return true
}

// confined checks that a path that depends on the event has a constant beginning: the directory that it cannot leave.
func (d *decoding) confined(name string, e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	probe := ctx.NewChild()
	probe.Variables = map[string]cty.Value{"event": cty.UnknownVal(eventType)}
	v, _ := d.l.meter.Value(e, probe)
	v, _ = v.Unmark()
	if v.IsKnown() || v.Type() != cty.String {
		return true // the component says what is wrong
	}
	prefix := v.Range().StringPrefix()
	if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "://") {
		return true
	}
	d.broken = true
	d.l.fail(e.Range(), "Path without a fixed beginning", "%q depends on the event, so it must begin with a directory that does not: write \"${path.data}/…\", \"${path.root}/…\" or an absolute path first.", name)
	return false
}

// eventType is what an expression sees of an event.
var eventType = cty.Object(map[string]cty.Type{
	"body": cty.String, "time": cty.String, "headers": cty.Map(cty.String),
	"meta": cty.Object(map[string]cty.Type{
		"file": cty.String, "host": cty.String, "topic": cty.String, "peer": cty.String, "offset": cty.Number, "partition": cty.Number,
	}),
})

// constant reads a value that may depend on the event and does not.
func (d *decoding) constant(a *schema.Attr, e hclsyntax.Expression) (any, bool) {
	v, ok := d.l.eval(e, d.sc)
	if !ok {
		d.broken = true
		return nil, false
	}
	if isSecret(v) {
		d.broken = true
		d.l.secretHere(e.Range(), quote(a.Name))
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.unknown, d.l.cfg.Incomplete = true, true
		return nil, false
	}
	if v.IsNull() {
		return d.null(a, e.Range())
	}
	if a.Ref != "" {
		if _, isRef := refOf(v); isRef || v.Type() == cty.String {
			return d.reference(a, v, e.Range())
		}
	}
	if a.Type == schema.Bool {
		d.broken = true
		d.l.fail(e.Range(), "Condition does not depend on the event", "%q is asked for each event, and this is the same for all of them. Use event.body, event.headers, event.time or event.meta.", a.Name)
		return nil, false
	}
	return d.constantValue(a, v, e.Range())
}

func (d *decoding) constantValue(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	if r, ok := refOf(v); ok {
		d.broken = true
		d.l.fail(at, "Reference used as a value", "%q takes a value; %s is a reference.", a.Name, r.Local)
		return nil, false
	}
	switch v.Type() {
	case cty.String:
		if a.Type == schema.Int || a.Type == schema.Float {
			break
		}
		if a.Path {
			return d.l.machine.Resolve(v.AsString()), d.noShell(v.AsString(), at)
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
func (d *decoding) exprMap(a *schema.Attr, at *hclsyntax.Attribute) (any, bool) {
	obj, ok := at.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		if expr.Mentions(at.Expr) {
			d.broken = true
			d.l.fail(at.Expr.Range(), "Names depend on the event", "%q is written out, { NAME = VALUE }: its values may depend on the event, its names may not.", a.Name)
			return nil, false
		}
		return d.constantMap(a, at.Expr)
	}
	out := map[string]any{}
	for _, item := range obj.Items {
		if expr.Mentions(item.KeyExpr) {
			d.broken = true
			d.l.fail(item.KeyExpr.Range(), "Name depends on the event", "The names in %q are fixed; only the values may depend on the event.", a.Name)
			continue
		}
		k, ok := d.l.eval(item.KeyExpr, d.sc)
		if !ok {
			d.broken = true
			continue
		}
		if !k.IsKnown() {
			d.unknown, d.l.cfg.Incomplete = true, true
			continue
		}
		k, err := convert.Convert(k, cty.String)
		if err != nil || !k.IsKnown() || k.IsNull() || k.IsMarked() {
			d.broken = true
			d.l.fail(item.KeyExpr.Range(), "Wrong type", "The names in %q are texts.", a.Name)
			continue
		}
		one := *a
		one.Name, one.Type, one.Event = a.Name+"."+k.AsString(), schema.String, true
		if _, twice := out[k.AsString()]; twice {
			d.broken = true
			d.l.fail(item.KeyExpr.Range(), "Declared twice", "%q stands in %q twice.", k.AsString(), a.Name)
			continue
		}
		if v, ok := d.expr(&one, item.ValueExpr, join(d.path, one.Name)); ok {
			out[k.AsString()] = v
		}
	}
	return out, true
}

func (d *decoding) constantMap(a *schema.Attr, e hclsyntax.Expression) (any, bool) {
	v, ok := d.l.eval(e, d.sc)
	if !ok {
		d.broken = true
		return nil, false
	}
	m := *a
	m.Type = schema.StringMap
	return d.convert(&m, v, e)
}
