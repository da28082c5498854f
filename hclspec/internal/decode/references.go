package decode

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// reference reads an argument that takes one reference.
func (d *Decoding) reference(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	r, ok := d.oneRef(a.Name, a.Ref, v, at)
	if !ok {
		return nil, false
	}
	d.Uses = append(d.Uses, ref.Use{Attr: a.Name, Ref: r, At: at})
	return encode(r, d.inside()), true
}

func (d *Decoding) references(a *schema.Attr, v cty.Value, e hclsyntax.Expression) (any, bool) {
	list, ok := d.refList(a.Name, a.Ref, v, e)
	if !ok {
		return nil, false
	}
	out := []any{}
	for _, u := range list {
		d.Uses = append(d.Uses, u)
		out = append(out, encode(u.Ref, d.inside()))
	}
	return out, true
}

// inside gives the agent that the block belongs to.
func (d *Decoding) inside() *names.Instance { return d.Scope.Agent }

// encode gives the form that a reference has in a Config: short inside its own agent.
func encode(r *ref.Ref, from *names.Instance) any {
	out := schema.Ref{Address: r.Addr, Attrs: r.Attrs}
	if from != nil && r.Kind != schema.Source && r.Kind != schema.Topic {
		out.Address = r.Local
	}
	if len(out.Attrs) == 0 {
		out.Attrs = nil
	}
	return out.Encode()
}

// refList reads a list of references; a single one is not a list.
func (d *Decoding) refList(name string, kind schema.Kind, v cty.Value, e hclsyntax.Expression) ([]ref.Use, bool) {
	at := e.Range()
	if ref.IsSecret(v) {
		d.Broken = true
		d.SecretHere(at, diag.Quote(name))
		return nil, false
	}
	v, _ = v.Unmark()
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		d.Broken = true
		if r, ok := ref.Of(v); ok {
			d.Fail(at, "Wrong type", "%q is a list: write [%s].", name, r.Local)
			return nil, false
		}
		d.Fail(at, "Wrong type", "%q takes a list of references, such as [%s.NAME], not %s.", name, kind, ref.Describe(v))
		return nil, false
	}
	var exprs []hclsyntax.Expression
	if tup, ok := e.(*hclsyntax.TupleConsExpr); ok {
		exprs = tup.Exprs
	}
	var out []ref.Use
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		where := at
		if len(exprs) == v.LengthInt() {
			where = exprs[len(out)].Range()
		}
		r, ok := d.oneRef(name, kind, x, where)
		if !ok {
			return nil, false
		}
		for _, u := range out {
			if u.Ref == r {
				d.Broken = true
				d.Fail(where, "Named twice", "%s stands in %q twice.", r.Local, name)
				return nil, false
			}
		}
		out = append(out, ref.Use{Attr: name, Ref: r, At: where})
	}
	return out, true
}

// oneRef reads one reference of a kind, and says what to write instead of what is not one.
func (d *Decoding) oneRef(name string, kind schema.Kind, v cty.Value, at hcl.Range) (*ref.Ref, bool) {
	if ref.IsSecret(v) {
		d.Broken = true
		d.SecretHere(at, diag.Quote(name))
		return nil, false
	}
	r, ok := ref.Of(v)
	if ok && (kind == "" || r.Kind == kind) {
		return r, true
	}
	d.Broken = true
	v, _ = v.Unmark()
	switch {
	case ok && r.Kind == schema.Agent && kind == schema.Source:
		d.Fail(at, "Wrong reference", "%s is an agent; what takes events is one of its sources: %s.source.NAME.", r.Local, r.Local)
	case ok:
		d.Fail(at, "Wrong reference", "%q takes a %s, and %s is a %s.", name, kind, r.Local, r.Kind)
	case v.IsKnown() && !v.IsNull() && v.Type() == cty.String:
		d.Fail(at, "Text instead of a reference", "%q takes a reference, not text: write %s without quotes.", name, d.proposal(kind, v.AsString()))
	default:
		d.Fail(at, "Wrong type", "%q takes a reference to a %s, not %s.", name, kind, ref.Describe(v))
	}
	return nil, false
}

// proposal gives the reference that a text probably means.
func (d *Decoding) proposal(kind schema.Kind, text string) string {
	switch kind {
	case schema.Topic:
		for _, name := range sorted.Keys(d.Topics) {
			body := d.Topics[name].Block.Body
			if a := body.Attributes["name"]; a != nil {
				if v, diags := d.Meter.Value(a.Expr, nil); !diags.HasErrors() && v.Type() == cty.String && v.AsString() == text {
					return "topic." + name
				}
			}
		}
		if n := diag.Near(text, sorted.Keys(d.Topics)); n != "" {
			return "topic." + n
		}
		return "topic.NAME, and declare that topic,"
	case schema.Source:
		return "agent.AGENT.source.NAME"
	}
	if inst := d.inside(); inst != nil {
		var names []string
		for _, c := range inst.Components {
			if c.Kind == kind {
				names = append(names, c.Name)
			}
		}
		if n := diag.Near(text, names); n != "" {
			return fmt.Sprintf("%s.%s", kind, n)
		}
	}
	return string(kind) + ".NAME"
}

// OneReference reads an argument of a component that the language itself gives a meaning, such as a sink's channel.
func (d *Decoding) OneReference(cont *names.Contents, name string, kind schema.Kind) (ref.Use, bool) {
	a := cont.Attrs[name]
	if a == nil {
		return ref.Use{}, false
	}
	d.Mark(name, a.Range())
	v, ok := d.Eval(a.Expr, d.Scope)
	if !ok {
		d.Broken = true
		return ref.Use{}, false
	}
	if !v.IsKnown() {
		d.Unknown, d.Incomplete = true, true
		return ref.Use{}, false
	}
	if v.IsNull() {
		return ref.Use{}, false
	}
	r, ok := d.oneRef(name, kind, v, a.Expr.Range())
	return ref.Use{Attr: name, Ref: r, At: a.Expr.Range()}, ok
}

// ManyReferences reads a list as OneReference reads one.
func (d *Decoding) ManyReferences(cont *names.Contents, name string, kind schema.Kind) ([]ref.Use, bool) {
	a := cont.Attrs[name]
	if a == nil {
		return nil, true
	}
	d.Mark(name, a.Range())
	v, ok := d.Eval(a.Expr, d.Scope)
	if !ok {
		d.Broken = true
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.Unknown, d.Incomplete = true, true
		return nil, false
	}
	if v.IsNull() {
		return nil, true
	}
	return d.refList(name, kind, v, a.Expr)
}

// literalBool reads an argument that is true or false.
func (d *Decoding) Boolean(cont *names.Contents, name string) bool {
	a := cont.Attrs[name]
	if a == nil {
		return false
	}
	v, ok := d.attr(&schema.Attr{Name: name, Type: schema.Bool}, a)
	b, _ := v.(bool)
	return ok && b
}
