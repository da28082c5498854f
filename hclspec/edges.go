package hclspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// reference reads an argument that takes one reference.
func (d *decoding) reference(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	r, ok := d.oneRef(a.Name, a.Ref, v, at)
	if !ok {
		return nil, false
	}
	d.uses = append(d.uses, use{a.Name, r, at})
	return r.encode(d.inside()), true
}

func (d *decoding) references(a *schema.Attr, v cty.Value, e hclsyntax.Expression) (any, bool) {
	list, ok := d.refList(a.Name, a.Ref, v, e)
	if !ok {
		return nil, false
	}
	out := []any{}
	for _, u := range list {
		d.uses = append(d.uses, u)
		out = append(out, u.ref.encode(d.inside()))
	}
	return out, true
}

// inside gives the agent that the block belongs to.
func (d *decoding) inside() *instance { return d.sc.agent }

// encode gives the form that a reference has in a Config: short inside its own agent.
func (r *ref) encode(from *instance) any {
	out := schema.Ref{Address: r.Addr, Attrs: r.Attrs}
	if from != nil && r.source == nil && r.Kind != schema.Topic {
		out.Address = r.Local
	}
	if len(out.Attrs) == 0 {
		out.Attrs = nil
	}
	return out.Encode()
}

// refList reads a list of references; a single one is not a list.
func (d *decoding) refList(name string, kind schema.Kind, v cty.Value, e hclsyntax.Expression) ([]use, bool) {
	at := e.Range()
	if isSecret(v) {
		d.broken = true
		d.l.secretHere(at, quote(name))
		return nil, false
	}
	v, _ = v.Unmark()
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		d.broken = true
		if r, ok := refOf(v); ok {
			d.l.fail(at, "Wrong type", "%q is a list: write [%s].", name, r.Local)
			return nil, false
		}
		d.l.fail(at, "Wrong type", "%q takes a list of references, such as [%s.NAME], not %s.", name, kind, describe(v))
		return nil, false
	}
	var exprs []hclsyntax.Expression
	if tup, ok := e.(*hclsyntax.TupleConsExpr); ok {
		exprs = tup.Exprs
	}
	var out []use
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
			if u.ref == r {
				d.broken = true
				d.l.fail(where, "Named twice", "%s stands in %q twice.", r.Local, name)
				return nil, false
			}
		}
		out = append(out, use{name, r, where})
	}
	return out, true
}

// oneRef reads one reference of a kind, and says what to write instead of what is not one.
func (d *decoding) oneRef(name string, kind schema.Kind, v cty.Value, at hcl.Range) (*ref, bool) {
	if isSecret(v) {
		d.broken = true
		d.l.secretHere(at, quote(name))
		return nil, false
	}
	r, ok := refOf(v)
	if ok && (kind == "" || r.Kind == kind) {
		return r, true
	}
	d.broken = true
	v, _ = v.Unmark()
	switch {
	case ok && r.Kind == schema.Agent && kind == schema.Source:
		d.l.fail(at, "Wrong reference", "%s is an agent; what takes events is one of its sources: %s.source.NAME.", r.Local, r.Local)
	case ok:
		d.l.fail(at, "Wrong reference", "%q takes a %s, and %s is a %s.", name, kind, r.Local, r.Kind)
	case v.IsKnown() && !v.IsNull() && v.Type() == cty.String:
		d.l.fail(at, "Text instead of a reference", "%q takes a reference, not text: write %s without quotes.", name, d.proposal(kind, v.AsString()))
	default:
		d.l.fail(at, "Wrong type", "%q takes a reference to a %s, not %s.", name, kind, describe(v))
	}
	return nil, false
}

// proposal gives the reference that a text probably means.
func (d *decoding) proposal(kind schema.Kind, text string) string {
	switch kind {
	case schema.Topic:
		for _, name := range sortedKeys(d.l.topics) {
			body := d.l.topics[name].block.Body
			if a := body.Attributes["name"]; a != nil {
				if v, diags := d.l.meter.Value(a.Expr, nil); !diags.HasErrors() && v.Type() == cty.String && v.AsString() == text {
					return "topic." + name
				}
			}
		}
		if n := diag.Near(text, sortedKeys(d.l.topics)); n != "" {
			return "topic." + n
		}
		return "topic.NAME, and declare that topic,"
	case schema.Source:
		return "agent.AGENT.source.NAME"
	}
	if inst := d.inside(); inst != nil {
		var names []string
		for _, c := range inst.components {
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
