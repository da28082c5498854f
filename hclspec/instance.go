package hclspec

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/schema"
)

func (inst *instance) get(l *loader) (cty.Value, bool) {
	if inst.res.kind == schema.Topic {
		return inst.topicValue(l)
	}
	src, ok := inst.sourceValues(l)
	return cty.ObjectVal(map[string]cty.Value{refAttr: inst.ref.value(), "source": src}), ok
}

// topicValue gives a topic as others see it.
func (inst *instance) topicValue(l *loader) (cty.Value, bool) {
	body := inst.res.block.Body
	name, ok := l.attrText(body.Attributes["name"], inst.sc, cty.StringVal(inst.res.name), cty.String)
	if !ok {
		return cty.DynamicVal, false
	}
	parts, ok := l.attrText(body.Attributes["partitions"], inst.sc, cty.NumberIntVal(1), cty.Number)
	if !ok {
		return cty.DynamicVal, false
	}
	inst.early = map[string]cty.Value{"name": name, "partitions": parts}
	inst.ref.Attrs = map[string]string{}
	if name.IsKnown() {
		inst.ref.Attrs["name"] = name.AsString()
	}
	if k, _ := l.chooseProvider(body.Attributes["provider"], "kafka"); k.alias != "" {
		inst.ref.Attrs["cluster"] = k.alias
	}
	return cty.ObjectVal(map[string]cty.Value{refAttr: inst.ref.value(), "name": name, "partitions": parts}), true
}

// attrText evaluates one argument that others may read.
func (l *loader) attrText(a *hclsyntax.Attribute, sc *scope, fallback cty.Value, t cty.Type) (cty.Value, bool) {
	if a == nil {
		return fallback, true
	}
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		return v, false
	}
	if isSecret(v) {
		l.secretHere(a.Expr.Range(), quote(a.Name))
		return v, false
	}
	v, _ = v.UnmarkDeep()
	out, err := convert.Convert(v, t)
	if err != nil {
		l.fail(a.Expr.Range(), "Wrong type", "%q must be %s, not %s.", a.Name, plainType(t), describe(v))
		return v, false
	}
	if out.IsNull() {
		return fallback, true
	}
	return out, true
}

func plainType(t cty.Type) string {
	switch t {
	case cty.String:
		return "text"
	case cty.Number:
		return "a number"
	case cty.Bool:
		return "true or false"
	}
	return t.FriendlyName()
}

// members gives the values of channel, sink and sink_group, and of source, as they are seen inside the agent.
func (inst *instance) members(l *loader) (map[schema.Kind]cty.Value, bool) {
	if !inst.names(l) {
		return nil, false
	}
	return inst.refs, true
}

// names expands the dynamic blocks of an agent, after which the names of its parts are known.
func (inst *instance) names(l *loader) bool {
	switch inst.state {
	case done:
		return true
	case failed:
		return false
	case running:
		l.cycle(inst.addr)
		return false
	}
	if !l.enter(inst.addr, inst.res.block.DefRange()) {
		inst.state = failed
		return false
	}
	inst.state = running
	before := len(l.diags)
	inst.cont = l.contents(inst.res.block.Body, inst.sc)
	inst.cont.at = inst.res.block.DefRange()
	l.leave()
	ok := !l.diags[before:].HasErrors()
	inst.collectComponents(l)
	inst.state = done
	if !ok {
		inst.state = failed // its blocks are still checked
	}
	return ok
}

func (inst *instance) collectComponents(l *loader) {
	byKind := map[schema.Kind]map[string]cty.Value{}
	for _, b := range inst.cont.blocks {
		c, ok := l.newComponent(inst, b)
		if !ok {
			inst.lacks = true
			continue
		}
		if old := inst.component(c.Kind, c.Name); old != nil {
			l.fail(b.at, "Declared twice", "Agent %q has a %s %q already, at %s:%d. Names are unique in an agent for each kind, whatever the type.", inst.res.name, c.Kind, c.Name, old.b.at.Filename, old.b.at.Start.Line)
			continue
		}
		inst.components = append(inst.components, c)
		if byKind[c.Kind] == nil {
			byKind[c.Kind] = map[string]cty.Value{}
		}
		byKind[c.Kind][c.Name] = c.ref.value()
	}
	sort.SliceStable(inst.components, func(i, j int) bool { return inst.components[i].Name < inst.components[j].Name })
	inst.refs = map[schema.Kind]cty.Value{}
	for kind, m := range byKind {
		inst.refs[kind] = cty.ObjectVal(m)
	}
}

func (inst *instance) component(kind schema.Kind, name string) *component {
	for _, c := range inst.components {
		if c.Kind == kind && c.Name == name {
			return c
		}
	}
	return nil
}

// sourceValues gives agent.X.source: what other agents may read of the sources.
func (inst *instance) sourceValues(l *loader) (cty.Value, bool) {
	switch inst.srcState {
	case done:
		return inst.sources, true
	case failed:
		return cty.DynamicVal, false
	case running:
		l.cycle(inst.addr + ".source")
		return cty.DynamicVal, false
	}
	if !inst.names(l) || !l.enter(inst.addr+".source", inst.res.block.DefRange()) {
		inst.srcState = failed
		return cty.DynamicVal, false
	}
	inst.srcState = running
	defer l.leave()
	m := map[string]cty.Value{}
	for _, c := range inst.components {
		if c.Kind != schema.Source {
			continue
		}
		v, ok := c.sourceValue(l)
		if !ok {
			inst.srcState = failed
			return cty.DynamicVal, false
		}
		m[c.Name] = v
	}
	inst.srcState, inst.sources = done, cty.ObjectVal(m)
	return inst.sources, true
}

func (c *component) sourceValue(l *loader) (cty.Value, bool) {
	listen := cty.NullVal(cty.String)
	c.ref.Attrs = map[string]string{}
	if c.Def != nil && c.Def.About.Listen != "" {
		v, ok := l.attrText(c.b.body.Attributes[c.Def.About.Listen], c.b.sc, listen, cty.String)
		if !ok {
			return v, false
		}
		listen, c.early = v, map[string]cty.Value{c.Def.About.Listen: v}
		if v.IsKnown() && !v.IsNull() {
			c.ref.Attrs["listen"] = v.AsString()
		}
	}
	return cty.ObjectVal(map[string]cty.Value{
		refAttr: c.ref.value(), "name": cty.StringVal(c.Name), "type": cty.StringVal(c.Type), "listen": listen,
	}), true
}

// stringList turns a list, set or tuple into texts.
func stringList(v cty.Value) ([]string, error) {
	v, _ = v.UnmarkDeep()
	t := v.Type()
	if v.IsNull() || !v.IsKnown() || !(t.IsTupleType() || t.IsListType() || t.IsSetType()) {
		return nil, fmt.Errorf("a list is needed, not %s", describe(v))
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		s, err := convert.Convert(x, cty.String)
		if err != nil || s.IsNull() || !s.IsKnown() {
			return nil, fmt.Errorf("an element is %s", describe(x))
		}
		out = append(out, s.AsString())
	}
	return out, nil
}
