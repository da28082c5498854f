package hclspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// resolve finds the value that a reference begins with.
func (l *loader) resolve(t hcl.Traversal, sc *scope, n *names) bool {
	root := t.RootName()
	if it, ok := sc.iters[root]; ok {
		return l.resolveIterator(t, it, n)
	}
	switch root {
	case "var", "local":
		return l.resolveValue(t, n)
	case "path":
		l.installation()
		if l.path == cty.NilVal {
			l.fail(t.SourceRange(), "Value depends on itself", "path.data depends on the collect block, so that block cannot use path.")
			return false
		}
		n.putWhole(root, l.path)
		return l.checkSteps("path", l.path, t[1:])
	case "each":
		return l.resolveInstance(t, sc.each, n, "for_each")
	case "count":
		return l.resolveInstance(t, sc.count, n, "count")
	case "topic":
		return l.resolveResource(t, l.topics, n)
	case "agent":
		return l.resolveResource(t, l.agents, n)
	case "source", "channel", "sink", "sink_group":
		return l.resolveComponent(t, sc, n)
	case "event":
		l.fail(t.SourceRange(), "No event here", "event exists only in arguments that are evaluated for each event, such as when, keep, key or the path of a sink. What is written here is evaluated once, before anything runs.")
		return false
	}
	l.unknownRoot(t, sc)
	return false
}

func (l *loader) resolveIterator(t hcl.Traversal, it iterator, n *names) bool {
	root := t.RootName()
	if len(t) > 1 && it.implicit && isAgentName(root) {
		if a, ok := t[1].(hcl.TraverseAttr); ok && a.Name != "key" && a.Name != "value" {
			l.fail(t.SourceRange(), "Iterator hides a name", "Inside this dynamic block %q is its iterator, with key and value. Write iterator = it in the dynamic block, then it.value; %s.%s is the %s again.", root, root, a.Name, root)
			return false
		}
	}
	n.putWhole(root, it.value)
	return true
}

func isAgentName(s string) bool {
	return s == "source" || s == "channel" || s == "sink" || s == "sink_group" || s == "agent"
}

// stepName gives the name in a step such as .x or ["x"].
func stepName(t hcl.Traverser) (string, bool) {
	switch s := t.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

func (l *loader) resolveValue(t hcl.Traversal, n *names) bool {
	root := t.RootName()
	name, ok := "", false
	if len(t) > 1 {
		name, ok = stepName(t[1])
	}
	if !ok {
		l.fail(t.SourceRange(), "Incomplete reference", "%s is not a value by itself: write %s.NAME.", root, root)
		return false
	}
	if root == "var" {
		v := l.vars[name]
		if v == nil {
			l.fail(t.SourceRange(), "Undeclared variable", "No variable block declares %q.%s", name, l.suggestValue(name, "var"))
			return false
		}
		val, ok := v.get(l)
		n.put(root, name, val)
		return ok
	}
	v := l.locals[name]
	if v == nil {
		l.fail(t.SourceRange(), "Undeclared local value", "No locals block declares %q.%s", name, l.suggestValue(name, "local"))
		return false
	}
	val, ok := v.get(l)
	n.put(root, name, val)
	return ok
}

// suggestValue looks for a name among variables and locals, first where it was looked for.
func (l *loader) suggestValue(name, root string) string {
	other := "local"
	if root == "local" {
		other = "var"
	}
	all := map[string][]string{"var": sortedKeys(l.vars), "local": sortedKeys(l.locals)}
	if contains(all[other], name) {
		return fmt.Sprintf(" Did you mean %s.%s?", other, name)
	}
	if s := diag.DidYouMean(name, all[root], root+".%s"); s != "" {
		return s
	}
	return diag.NearOnly(name, all[other], other+".%s")
}

func (l *loader) resolveInstance(t hcl.Traversal, v cty.Value, n *names, arg string) bool {
	root := t.RootName()
	if v == cty.NilVal {
		l.fail(t.SourceRange(), "No "+root+" here", "%s exists only in blocks with %s.", root, arg)
		return false
	}
	n.putWhole(root, v)
	if len(t) == 1 {
		return true
	}
	return l.checkSteps(root, v, t[1:2])
}

func (l *loader) unknownRoot(t hcl.Traversal, sc *scope) {
	root, at := t.RootName(), t.SourceRange()
	for k := range l.providers {
		if k.typ == root {
			l.fail(at, "Provider used as a value", "%s is a provider: only the argument provider takes it, as provider = %s.", root, strings.TrimSpace(traversalText(t)))
			return
		}
	}
	switch {
	case root == "data" || root == "module" || root == "terraform" || root == "self":
		l.fail(at, "Unknown name", "collect has no %q: this looks like Terraform. Values come from var, local, path, each, count, topic and agent.", root)
		return
	case l.vars[root] != nil:
		l.fail(at, "Unknown name", "There is nothing called %q. Did you mean var.%s?", root, root)
		return
	case l.locals[root] != nil:
		l.fail(at, "Unknown name", "There is nothing called %q. Did you mean local.%s?", root, root)
		return
	}
	roots := []string{"var", "local", "path", "each", "count", "topic", "agent"}
	if sc.agent != nil {
		roots = append(roots, "channel", "sink", "sink_group", "source")
	}
	if n := diag.Near(root, append([]string{"event"}, roots...)); n != "" {
		l.fail(at, "Unknown name", "There is nothing called %q. Did you mean %q?", root, n)
		return
	}
	if len(t) == 1 {
		l.fail(at, "Unknown name", "There is nothing called %q. Text stands in quotes: \"%s\".", root, root)
		return
	}
	l.fail(at, "Unknown name", "There is nothing called %q. Values come from %s.", root, strings.Join(roots, ", "))
}

// checkSteps follows the steps of a reference through a value whose attributes are fixed, to say what is there instead.
func (l *loader) checkSteps(path string, v cty.Value, steps []hcl.Traverser) bool {
	for _, s := range steps {
		t := v.Type()
		if !v.IsKnown() || v.IsNull() || v.IsMarked() {
			return true
		}
		name, ok := stepName(s)
		switch {
		case t.IsObjectType() && ok:
			if !t.HasAttribute(name) {
				l.fail(s.SourceRange(), "Unknown attribute", "%s has no attribute %q.%s", path, name, diag.DidYouMean(name, visibleAttrs(t), "%s"))
				return false
			}
			v, path = v.GetAttr(name), path+"."+name
		case t.IsPrimitiveType() && ok:
			l.fail(s.SourceRange(), "Unknown attribute", "%s is a %s: it has no attributes.", path, t.FriendlyName())
			return false
		case t.Equals(refType):
			l.fail(s.SourceRange(), "Unknown attribute", "%s is a reference: it has no attributes.", path)
			return false
		default:
			return true
		}
	}
	return true
}

func visibleAttrs(t cty.Type) []string {
	var out []string
	for name := range t.AttributeTypes() {
		if name != refAttr {
			out = append(out, name)
		}
	}
	return out
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteString(keyText(s.Key))
		}
	}
	return b.String()
}

// keyText gives an instance key as it stands in an address.
func keyText(k cty.Value) string {
	if k.Type() == cty.String && k.IsKnown() && !k.IsNull() {
		return fmt.Sprintf("[%q]", k.AsString())
	}
	if k.Type() == cty.Number && k.IsKnown() && !k.IsNull() {
		return "[" + k.AsBigFloat().Text('f', -1) + "]"
	}
	return "[…]"
}

// resolveComponent finds channel.x and the like of the agent around it.
func (l *loader) resolveComponent(t hcl.Traversal, sc *scope, n *names) bool {
	root := t.RootName()
	if sc.agent == nil {
		l.fail(t.SourceRange(), "Not inside an agent", "%s.NAME exists only inside its own agent. From outside, a source is agent.AGENT.source.NAME; other parts cannot be reached.", root)
		return false
	}
	members, ok := sc.agent.members(l)
	if !ok {
		return false
	}
	kind := schema.Kind(root)
	v, exists := members[kind]
	if exists && kind == schema.Source {
		if v, ok = sc.agent.sourceValues(l); !ok {
			return false
		}
	}
	if sc.agent.cont.open {
		n.putWhole(root, cty.DynamicVal)
		return true
	}
	if len(t) > 1 {
		if name, static := stepName(t[1]); static && !(exists && v.Type().HasAttribute(name)) {
			l.unknownComponent(t, kind, name, sc.agent)
			return false
		}
	}
	if !exists {
		v = cty.EmptyObjectVal
	}
	n.putWhole(root, v)
	if len(t) > 2 {
		return l.checkSteps(root, v, t[1:])
	}
	return true
}

func (l *loader) unknownComponent(t hcl.Traversal, kind schema.Kind, name string, inst *instance) {
	what := strings.ReplaceAll(string(kind), "_", " ")
	for _, other := range inst.components {
		if other.Name == name && other.Kind != kind {
			l.fail(t.SourceRange(), "Unknown "+what, "Agent %q declares no %s %q. Did you mean %s.%s?", inst.res.name, kind, name, other.Kind, name)
			return
		}
	}
	var known []string
	for _, c := range inst.components {
		if c.Kind == kind {
			known = append(known, c.Name)
		}
	}
	l.fail(t.SourceRange(), "Unknown "+what, "Agent %q declares no %s %q.%s", inst.res.name, kind, name, diag.DidYouMean(name, known, string(kind)+".%s"))
}
