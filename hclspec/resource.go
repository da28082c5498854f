package hclspec

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/schema"
)

// resource is one topic or agent block, with all its instances.
type resource struct {
	kind  schema.Kind
	name  string
	block *hclsyntax.Block

	state   state
	each    bool // for_each
	counted bool // count
	unknown bool // the instances are not known (only with Partial)
	insts   []*instance

	valueState state
	value      cty.Value
	plain      cty.Value // without references
}

// instance is one topic or agent.
type instance struct {
	res     *resource
	key     cty.Value // NilVal without count and for_each
	addr    string
	sc      *scope
	ref     *ref
	phantom bool // stands for instances that are not known: it is checked and not part of the result

	state      state // of the components' names
	cont       *contents
	components []*component
	refs       map[schema.Kind]cty.Value
	srcState   state
	sources    cty.Value
}

func (r *resource) address() string { return string(r.kind) + "." + r.name }

// expand works out count and for_each.
func (r *resource) expand(l *loader) []*instance {
	switch r.state {
	case done, failed:
		return r.insts
	case running:
		l.cycle(r.address())
		r.state = failed
		return nil
	}
	if !l.enter(r.address(), r.block.DefRange()) {
		r.state = failed
		return nil
	}
	r.state = running
	r.makeInstances(l)
	l.leave()
	if r.state == running {
		r.state = done
	}
	return r.insts
}

func (r *resource) makeInstances(l *loader) {
	count, each := r.block.Body.Attributes["count"], r.block.Body.Attributes["for_each"]
	sc := &scope{label: r.label()}
	switch {
	case count != nil && each != nil:
		l.fail(each.NameRange, "count and for_each", "A block has count or for_each, not both.")
		r.state = failed
	case count != nil:
		r.counted = true
		r.countInstances(l, count, sc)
	case each != nil:
		r.each = true
		r.eachInstances(l, each, sc)
	default:
		r.add(cty.NilVal, &scope{label: r.label()})
	}
}

func (r *resource) label() string { return string(r.kind) + " " + quote(r.name) }

func (r *resource) add(key cty.Value, sc *scope) *instance {
	inst := &instance{res: r, key: key, addr: r.address(), sc: sc}
	if key != cty.NilVal {
		inst.addr += keyText(key)
	}
	inst.ref = &ref{Kind: r.kind, Addr: inst.addr, Local: inst.addr, Range: r.block.DefRange(), topic: inst}
	if r.kind == schema.Agent {
		sc.agent = inst
	}
	r.insts = append(r.insts, inst)
	return inst
}

const maxInstances = 100000

func (r *resource) countInstances(l *loader, a *hclsyntax.Attribute, sc *scope) {
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		r.state = failed
		return
	}
	if isSecret(v) {
		l.secretHere(a.Expr.Range(), "count")
		r.state = failed
		return
	}
	v, _ = v.Unmark()
	v, err := convert.Convert(v, cty.Number)
	if err == nil && !v.IsKnown() {
		r.addUnknown(l, &scope{label: r.label(), count: cty.ObjectVal(map[string]cty.Value{"index": cty.UnknownVal(cty.Number)})})
		return
	}
	n := int64(-1)
	if err == nil && !v.IsNull() && v.AsBigFloat().IsInt() {
		n, _ = v.AsBigFloat().Int64()
	}
	if n < 0 || n > maxInstances {
		l.fail(a.Expr.Range(), "Wrong type", "count must be a whole number from 0 to %d.", maxInstances)
		r.state = failed
		return
	}
	for i := range n {
		idx := cty.NumberIntVal(i)
		r.add(idx, &scope{label: r.label(), count: cty.ObjectVal(map[string]cty.Value{"index": idx})})
	}
}

func (r *resource) addUnknown(l *loader, sc *scope) {
	l.cfg.Incomplete, r.unknown = true, true
	inst := r.add(cty.NilVal, sc)
	inst.phantom = true
}

func eachScope(label string, k, v cty.Value) *scope {
	return &scope{label: label, each: cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
}

func (r *resource) eachInstances(l *loader, a *hclsyntax.Attribute, sc *scope) {
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		r.state = failed
		return
	}
	if v.IsMarked() && isSecret(v) {
		l.secretHere(a.Expr.Range(), "for_each")
		r.state = failed
		return
	}
	v, _ = v.Unmark()
	t := v.Type()
	if !v.IsKnown() {
		r.addUnknown(l, eachScope(r.label(), cty.UnknownVal(cty.String), cty.DynamicVal))
		return
	}
	if v.IsNull() || !(t.IsMapType() || t.IsObjectType() || t.IsSetType()) {
		detail := "for_each takes a map or a set of texts, not " + describe(v) + "."
		if t.IsTupleType() || t.IsListType() {
			detail += " Write toset(…) around the list."
		}
		l.fail(a.Expr.Range(), "Wrong type", "%s", detail)
		r.state = failed
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if t.IsSetType() {
			k = x
		}
		k, _ = k.Unmark()
		if !k.IsKnown() {
			r.addUnknown(l, eachScope(r.label(), cty.UnknownVal(cty.String), cty.DynamicVal))
			continue
		}
		if k.IsNull() || k.Type() != cty.String || len(r.insts) >= maxInstances {
			l.fail(a.Expr.Range(), "Wrong type", "The keys of for_each are texts, at most %d. Numbers become texts with [for n in … : tostring(n)].", maxInstances)
			r.state = failed
			return
		}
		r.add(k, eachScope(r.label(), k, x))
	}
}

// get gives the value that topic.NAME or agent.NAME has.
func (r *resource) get(l *loader) (cty.Value, bool) {
	switch r.valueState {
	case done:
		return r.value, true
	case failed:
		return cty.DynamicVal, false
	case running:
		l.cycle(r.address())
		return cty.DynamicVal, false
	}
	insts := r.expand(l)
	if r.state == failed || !l.enter(r.address(), r.block.DefRange()) {
		r.valueState = failed
		return cty.DynamicVal, false
	}
	r.valueState = running
	v, ok := r.compose(l, insts)
	l.leave()
	r.valueState = done
	if !ok {
		r.valueState = failed
	}
	r.value = v
	return v, ok
}

func (r *resource) compose(l *loader, insts []*instance) (cty.Value, bool) {
	if r.unknown {
		return cty.DynamicVal, true
	}
	if !r.each && !r.counted {
		return insts[0].get(l)
	}
	byKey := make(map[string]cty.Value, len(insts))
	list := make([]cty.Value, 0, len(insts))
	for _, inst := range insts {
		v, ok := inst.get(l)
		if !ok {
			return cty.DynamicVal, false
		}
		list = append(list, v)
		if r.each {
			byKey[inst.key.AsString()] = v
		}
	}
	if r.each {
		return cty.ObjectVal(byKey), true
	}
	return cty.TupleVal(list), true
}

// withoutRefs gives the value for expressions that are evaluated where references mean nothing.
func (r *resource) withoutRefs(v cty.Value) cty.Value {
	if r.plain == cty.NilVal {
		r.plain = stripRefs(v)
	}
	return r.plain
}

func stripRefs(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, x cty.Value) (cty.Value, error) {
		if !x.Type().IsObjectType() || !x.IsKnown() || x.IsNull() || !x.Type().HasAttribute(refAttr) {
			return x, nil
		}
		m := x.AsValueMap()
		delete(m, refAttr)
		return cty.ObjectVal(m), nil
	})
	if err != nil {
		return cty.DynamicVal
	}
	return out
}

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
	}
	return t.FriendlyName()
}

// resolveResource finds topic.NAME or agent.NAME.
func (l *loader) resolveResource(t hcl.Traversal, all map[string]*resource, n *names) bool {
	root := t.RootName()
	name, static := "", false
	if len(t) > 1 {
		name, static = stepName(t[1])
	}
	if !static {
		return l.resolveAll(t, all, n)
	}
	r := all[name]
	if r == nil {
		l.fail(t.SourceRange(), "Undeclared "+root, "No %s block declares %q.%s", root, name, didYouMean(name, sortedKeys(all), root+".%s"))
		return false
	}
	v, ok := r.get(l)
	if !ok {
		return false
	}
	if !l.checkResourceSteps(t, r, v) {
		return false
	}
	if n.plain {
		if x, ok := follow(v, t[2:]); ok {
			n.refs = append(n.refs, x)
		}
		v = r.withoutRefs(v)
	}
	n.put(root, name, v)
	return true
}

// follow walks the steps of a reference until a reference value is met.
func follow(v cty.Value, steps []hcl.Traverser) (*ref, bool) {
	for {
		if r, ok := refOf(v); ok && (r.Kind != schema.Agent || len(steps) == 0) {
			return r, true
		}
		if len(steps) == 0 || !v.IsKnown() || v.IsNull() {
			return nil, false
		}
		next, diags := hcl.Traversal{steps[0]}.TraverseRel(v)
		if diags.HasErrors() {
			return nil, false
		}
		v, steps = next, steps[1:]
	}
}

// resolveAll gives every topic or agent, for references with a computed name.
func (l *loader) resolveAll(t hcl.Traversal, all map[string]*resource, n *names) bool {
	root := t.RootName()
	if n.plain {
		l.fail(t.SourceRange(), "Reference depends on the event", "Which %s is meant must be known before anything runs: write %s.NAME.", root, root)
		return false
	}
	memo := &l.memos.topics
	if root == "agent" {
		memo = &l.memos.agents
	}
	if *memo == cty.NilVal {
		m := make(map[string]cty.Value, len(all))
		for _, name := range sortedKeys(all) {
			v, ok := all[name].get(l)
			if !ok {
				return false
			}
			m[name] = v
		}
		*memo = cty.ObjectVal(m)
	}
	n.putWhole(root, *memo)
	return true
}

// checkResourceSteps checks the instance key and the attribute of a reference.
func (l *loader) checkResourceSteps(t hcl.Traversal, r *resource, v cty.Value) bool {
	steps := t[2:]
	if r.unknown || len(steps) == 0 {
		return true
	}
	index, isIndex := steps[0].(hcl.TraverseIndex)
	if !r.each && !r.counted {
		if isIndex {
			l.fail(steps[0].SourceRange(), "Unknown instance", "%s has neither count nor for_each: write it without %s.", r.address(), keyText(index.Key))
			return false
		}
		return l.checkSteps(r.address(), v, steps)
	}
	arg, form := "for_each", r.address()+"[\"KEY\"]"
	if r.counted {
		arg, form = "count", r.address()+"[0]"
	}
	if !isIndex {
		if _, splat := steps[0].(hcl.TraverseSplat); splat {
			return true
		}
		l.fail(steps[0].SourceRange(), "Missing instance key", "%s has %s, so one of its instances is written %s%s.", r.address(), arg, form, traversalText(steps))
		return false
	}
	if r.counted && v.HasIndex(index.Key).False() || r.each && (index.Key.Type() != cty.String || !v.Type().HasAttribute(index.Key.AsString())) {
		var keys []string
		for _, inst := range r.insts {
			keys = append(keys, keyText(inst.key))
		}
		l.fail(steps[0].SourceRange(), "Unknown instance", "%s has no instance %s.%s", r.address(), keyText(index.Key), didYouMean(keyText(index.Key), keys, r.address()+"%s"))
		return false
	}
	x, diags := hcl.Traversal{index}.TraverseRel(v)
	if diags.HasErrors() {
		return true
	}
	return l.checkSteps(r.address()+keyText(index.Key), x, steps[1:])
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
			continue
		}
		if old := inst.component(c.kind, c.name); old != nil {
			l.fail(b.at, "Declared twice", "Agent %q has a %s %q already, at %s:%d. Names are unique in an agent for each kind, whatever the type.", inst.res.name, c.kind, c.name, old.b.at.Filename, old.b.at.Start.Line)
			continue
		}
		inst.components = append(inst.components, c)
		if byKind[c.kind] == nil {
			byKind[c.kind] = map[string]cty.Value{}
		}
		byKind[c.kind][c.name] = c.ref.value()
	}
	sort.SliceStable(inst.components, func(i, j int) bool { return inst.components[i].name < inst.components[j].name })
	inst.refs = map[schema.Kind]cty.Value{}
	for kind, m := range byKind {
		inst.refs[kind] = cty.ObjectVal(m)
	}
}

func (inst *instance) component(kind schema.Kind, name string) *component {
	for _, c := range inst.components {
		if c.kind == kind && c.name == name {
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
		if c.kind != schema.Source {
			continue
		}
		v, ok := c.sourceValue(l)
		if !ok {
			inst.srcState = failed
			return cty.DynamicVal, false
		}
		m[c.name] = v
	}
	inst.srcState, inst.sources = done, cty.ObjectVal(m)
	return inst.sources, true
}

func (c *component) sourceValue(l *loader) (cty.Value, bool) {
	listen := cty.NullVal(cty.String)
	c.ref.Attrs = map[string]string{}
	if c.def != nil && c.def.About.Listen != "" {
		v, ok := l.attrText(c.b.body.Attributes[c.def.About.Listen], c.b.sc, listen, cty.String)
		if !ok {
			return v, false
		}
		listen = v
		if v.IsKnown() && !v.IsNull() {
			c.ref.Attrs["listen"] = v.AsString()
		}
	}
	return cty.ObjectVal(map[string]cty.Value{
		refAttr: c.ref.value(), "name": cty.StringVal(c.name), "type": cty.StringVal(c.typ), "listen": listen,
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
