package names

import (
	"sort"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/ref"
	"collect/hclspec/schema"
)

// get gives the value of one topic or agent.
func (inst *Instance) get(ns *Names) (cty.Value, bool) {
	if inst.Resource.Kind == schema.Topic {
		return inst.topicValue(ns)
	}
	src, ok := inst.sourceValues(ns)
	return cty.ObjectVal(map[string]cty.Value{ref.Attr: inst.ref.Value(), "source": src}), ok
}

// topicValue gives a topic as others see it.
func (inst *Instance) topicValue(ns *Names) (cty.Value, bool) {
	body := inst.Resource.Block.Body
	name, ok := ns.attrText(body.Attributes["name"], inst.Scope, cty.StringVal(inst.Resource.Name), cty.String)
	if !ok {
		return cty.DynamicVal, false
	}
	parts, ok := ns.attrText(body.Attributes["partitions"], inst.Scope, cty.NumberIntVal(1), cty.Number)
	if !ok {
		return cty.DynamicVal, false
	}
	inst.Early = map[string]cty.Value{"name": name, "partitions": parts}
	inst.ref.Attrs = map[string]string{}
	if name.IsKnown() {
		inst.ref.Attrs["name"] = name.AsString()
	}
	if k, _ := ns.ChooseProvider(body.Attributes["provider"], "kafka"); k.Alias != "" {
		inst.ref.Attrs["cluster"] = k.Alias
	}
	return cty.ObjectVal(map[string]cty.Value{ref.Attr: inst.ref.Value(), "name": name, "partitions": parts}), true
}

// attrText evaluates one argument that others may read.
func (ns *Names) attrText(a *hclsyntax.Attribute, sc *Scope, fallback cty.Value, t cty.Type) (cty.Value, bool) {
	if a == nil {
		return fallback, true
	}
	v, ok := ns.Eval(a.Expr, sc)
	if !ok {
		return v, false
	}
	if ref.IsSecret(v) {
		ns.SecretHere(a.Expr.Range(), diag.Quote(a.Name))
		return v, false
	}
	v, _ = v.UnmarkDeep()
	out, err := convert.Convert(v, t)
	if err != nil {
		ns.Fail(a.Expr.Range(), "Wrong type", "%q must be %s, not %s.", a.Name, ref.PlainType(t), ref.Describe(v))
		return v, false
	}
	if out.IsNull() {
		return fallback, true
	}
	return out, true
}

// members gives the values of channel, sink and sink_group, and of source, as they are seen inside the agent.
func (inst *Instance) members(ns *Names) (map[schema.Kind]cty.Value, bool) {
	if !inst.ExpandParts(ns) {
		return nil, false
	}
	return inst.refs, true
}

// ExpandParts expands the dynamic blocks of an agent, after which the names of its parts are known.
func (inst *Instance) ExpandParts(ns *Names) bool {
	switch inst.State {
	case reading.Done:
		return true
	case reading.Failed:
		return false
	case reading.Running:
		ns.Cycle(inst.Addr)
		return false
	}
	if !ns.Enter(inst.Addr, inst.Resource.Block.DefRange()) {
		inst.State = reading.Failed
		return false
	}
	inst.State = reading.Running
	before := len(ns.Diags)
	inst.Contents = ns.Contents(inst.Resource.Block.Body, inst.Scope)
	inst.Contents.At = inst.Resource.Block.DefRange()
	ns.Leave()
	ok := !ns.Diags[before:].HasErrors()
	inst.collectComponents(ns)
	inst.State = reading.Done
	if !ok {
		inst.State = reading.Failed // its blocks are still checked
	}
	return ok
}

func (inst *Instance) collectComponents(ns *Names) {
	byKind := map[schema.Kind]map[string]cty.Value{}
	for _, b := range inst.Contents.Blocks {
		c, ok := ns.newComponent(inst, b)
		if !ok {
			inst.Lacks = true
			continue
		}
		if old := inst.Component(c.Kind, c.Name); old != nil {
			ns.Fail(b.At, "Declared twice", "Agent %q has a %s %q already, at %s:%d. Names are unique in an agent for each kind, whatever the type.", inst.Resource.Name, c.Kind, c.Name, old.Block.At.Filename, old.Block.At.Start.Line)
			continue
		}
		inst.Components = append(inst.Components, c)
		if byKind[c.Kind] == nil {
			byKind[c.Kind] = map[string]cty.Value{}
		}
		byKind[c.Kind][c.Name] = c.ref.Value()
	}
	sort.SliceStable(inst.Components, func(i, j int) bool { return inst.Components[i].Name < inst.Components[j].Name })
	inst.refs = map[schema.Kind]cty.Value{}
	for kind, m := range byKind {
		inst.refs[kind] = cty.ObjectVal(m)
	}
}

// Component finds a part of the agent; nil: there is none.
func (inst *Instance) Component(kind schema.Kind, name string) *Component {
	for _, c := range inst.Components {
		if c.Kind == kind && c.Name == name {
			return c
		}
	}
	return nil
}

// sourceValues gives agent.X.source: what other agents may read of the sources.
func (inst *Instance) sourceValues(ns *Names) (cty.Value, bool) {
	switch inst.srcState {
	case reading.Done:
		return inst.sources, true
	case reading.Failed:
		return cty.DynamicVal, false
	case reading.Running:
		ns.Cycle(inst.Addr + ".source")
		return cty.DynamicVal, false
	}
	if !inst.ExpandParts(ns) || !ns.Enter(inst.Addr+".source", inst.Resource.Block.DefRange()) {
		inst.srcState = reading.Failed
		return cty.DynamicVal, false
	}
	inst.srcState = reading.Running
	defer ns.Leave()
	m := map[string]cty.Value{}
	for _, c := range inst.Components {
		if c.Kind != schema.Source {
			continue
		}
		v, ok := c.sourceValue(ns)
		if !ok {
			inst.srcState = reading.Failed
			return cty.DynamicVal, false
		}
		m[c.Name] = v
	}
	inst.srcState, inst.sources = reading.Done, cty.ObjectVal(m)
	return inst.sources, true
}

func (c *Component) sourceValue(ns *Names) (cty.Value, bool) {
	listen := cty.NullVal(cty.String)
	c.ref.Attrs = map[string]string{}
	if c.Def != nil && c.Def.About.Listen != "" {
		v, ok := ns.attrText(c.Block.Body.Attributes[c.Def.About.Listen], c.Block.Scope, listen, cty.String)
		if !ok {
			return v, false
		}
		listen, c.Early = v, map[string]cty.Value{c.Def.About.Listen: v}
		if v.IsKnown() && !v.IsNull() {
			c.ref.Attrs["listen"] = v.AsString()
		}
	}
	return cty.ObjectVal(map[string]cty.Value{
		ref.Attr: c.ref.Value(), "name": cty.StringVal(c.Name), "type": cty.StringVal(c.Type), "listen": listen,
	}), true
}
