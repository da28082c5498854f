package names

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// resolve finds the value that a reference begins with.
func (ns *Names) resolve(t hcl.Traversal, sc *Scope, n *Inputs) bool {
	root := t.RootName()
	if it, ok := sc.iters[root]; ok {
		return ns.resolveIterator(t, it, n)
	}
	switch root {
	case "var", "local":
		return ns.resolveValue(t, n)
	case "path":
		path := ns.path()
		if path == cty.NilVal {
			ns.Fail(t.SourceRange(), "Value depends on itself", "path.data depends on the collect block, so that block cannot use path.")
			return false
		}
		n.putWhole(root, path)
		return ns.checkSteps("path", path, t[1:])
	case "each":
		return ns.resolveInstance(t, sc.each, n, "for_each")
	case "count":
		return ns.resolveInstance(t, sc.count, n, "count")
	case "topic":
		return ns.resolveResource(t, ns.Topics, n)
	case "agent":
		return ns.resolveResource(t, ns.Agents, n)
	case "source", "channel", "sink", "sink_group":
		return ns.resolveComponent(t, sc, n)
	case "event":
		ns.Fail(t.SourceRange(), "No event here", "event exists only in arguments that are evaluated for each event, such as when, keep, key or the path of a sink. What is written here is evaluated once, before anything runs.")
		return false
	}
	ns.unknownRoot(t, sc)
	return false
}

func (ns *Names) resolveIterator(t hcl.Traversal, it iterator, n *Inputs) bool {
	root := t.RootName()
	if len(t) > 1 && it.implicit && isAgentName(root) {
		if a, ok := t[1].(hcl.TraverseAttr); ok && a.Name != "key" && a.Name != "value" {
			ns.Fail(t.SourceRange(), "Iterator hides a name", "Inside this dynamic block %q is its iterator, with key and value. Write iterator = it in the dynamic block, then it.value; %s.%s is the %s again.", root, root, a.Name, root)
			return false
		}
	}
	n.putWhole(root, it.value)
	return true
}

func isAgentName(s string) bool {
	return s == "source" || s == "channel" || s == "sink" || s == "sink_group" || s == "agent"
}

func (ns *Names) resolveValue(t hcl.Traversal, n *Inputs) bool {
	root := t.RootName()
	name, ok := "", false
	if len(t) > 1 {
		name, ok = ref.StepName(t[1])
	}
	if !ok {
		ns.Fail(t.SourceRange(), "Incomplete reference", "%s is not a value by itself: write %s.NAME.", root, root)
		return false
	}
	if root == "var" {
		v := ns.Variables.ByName[name]
		if v == nil {
			ns.Fail(t.SourceRange(), "Undeclared variable", "No variable block declares %q.%s", name, ns.suggestValue(name, "var"))
			return false
		}
		val, ok := v.Get(ns.Variables)
		n.put(root, name, val)
		return ok
	}
	v := ns.locals[name]
	if v == nil {
		ns.Fail(t.SourceRange(), "Undeclared local value", "No locals block declares %q.%s", name, ns.suggestValue(name, "local"))
		return false
	}
	val, ok := v.get(ns)
	n.put(root, name, val)
	return ok
}

// suggestValue looks for a name among variables and locals, first where it was looked for.
func (ns *Names) suggestValue(name, root string) string {
	other := "local"
	if root == "local" {
		other = "var"
	}
	all := map[string][]string{"var": sorted.Keys(ns.Variables.ByName), "local": sorted.Keys(ns.locals)}
	if slices.Contains(all[other], name) {
		return fmt.Sprintf(" Did you mean %s.%s?", other, name)
	}
	if s := diag.DidYouMean(name, all[root], root+".%s"); s != "" {
		return s
	}
	return diag.NearOnly(name, all[other], other+".%s")
}

func (ns *Names) resolveInstance(t hcl.Traversal, v cty.Value, n *Inputs, arg string) bool {
	root := t.RootName()
	if v == cty.NilVal {
		ns.Fail(t.SourceRange(), "No "+root+" here", "%s exists only in blocks with %s.", root, arg)
		return false
	}
	n.putWhole(root, v)
	if len(t) == 1 {
		return true
	}
	return ns.checkSteps(root, v, t[1:2])
}

func (ns *Names) unknownRoot(t hcl.Traversal, sc *Scope) {
	root, at := t.RootName(), t.SourceRange()
	if ns.ProviderTypes[root] {
		ns.Fail(at, "Provider used as a value", "%s is a provider: only the argument provider takes it, as provider = %s.", root, strings.TrimSpace(ref.TraversalText(t)))
		return
	}
	switch {
	case root == "data" || root == "module" || root == "terraform" || root == "self":
		ns.Fail(at, "Unknown name", "collect has no %q: this looks like Terraform. Values come from var, local, path, each, count, topic and agent.", root)
		return
	case ns.Variables.ByName[root] != nil:
		ns.Fail(at, "Unknown name", "There is nothing called %q. Did you mean var.%s?", root, root)
		return
	case ns.locals[root] != nil:
		ns.Fail(at, "Unknown name", "There is nothing called %q. Did you mean local.%s?", root, root)
		return
	}
	roots := []string{"var", "local", "path", "each", "count", "topic", "agent"}
	if sc.Agent != nil {
		roots = append(roots, "channel", "sink", "sink_group", "source")
	}
	if n := diag.Near(root, append([]string{"event"}, roots...)); n != "" {
		ns.Fail(at, "Unknown name", "There is nothing called %q. Did you mean %q?", root, n)
		return
	}
	if len(t) == 1 {
		ns.Fail(at, "Unknown name", "There is nothing called %q. Text stands in quotes: \"%s\".", root, root)
		return
	}
	ns.Fail(at, "Unknown name", "There is nothing called %q. Values come from %s.", root, strings.Join(roots, ", "))
}

// checkSteps follows the steps of a reference through a value whose attributes are fixed, to say what is there instead.
func (ns *Names) checkSteps(path string, v cty.Value, steps []hcl.Traverser) bool {
	for _, s := range steps {
		t := v.Type()
		if !v.IsKnown() || v.IsNull() || v.IsMarked() {
			return true
		}
		name, ok := ref.StepName(s)
		switch {
		case t.IsObjectType() && ok:
			if !t.HasAttribute(name) {
				ns.Fail(s.SourceRange(), "Unknown attribute", "%s has no attribute %q.%s", path, name, diag.DidYouMean(name, ref.VisibleAttrs(t), "%s"))
				return false
			}
			v, path = v.GetAttr(name), path+"."+name
		case t.IsPrimitiveType() && ok:
			ns.Fail(s.SourceRange(), "Unknown attribute", "%s is a %s: it has no attributes.", path, t.FriendlyName())
			return false
		case t.Equals(ref.Type):
			ns.Fail(s.SourceRange(), "Unknown attribute", "%s is a reference: it has no attributes.", path)
			return false
		default:
			return true
		}
	}
	return true
}

// resolveComponent finds channel.x and the like of the agent around it.
func (ns *Names) resolveComponent(t hcl.Traversal, sc *Scope, n *Inputs) bool {
	root := t.RootName()
	if sc.Agent == nil {
		ns.Fail(t.SourceRange(), "Not inside an agent", "%s.NAME exists only inside its own agent. From outside, a source is agent.AGENT.source.NAME; other parts cannot be reached.", root)
		return false
	}
	members, ok := sc.Agent.members(ns)
	if !ok {
		return false
	}
	kind := schema.Kind(root)
	v, exists := members[kind]
	if exists && kind == schema.Source {
		if v, ok = sc.Agent.sourceValues(ns); !ok {
			return false
		}
	}
	if sc.Agent.Contents.Open {
		n.putWhole(root, cty.DynamicVal)
		return true
	}
	if len(t) > 1 {
		if name, static := ref.StepName(t[1]); static && !(exists && v.Type().HasAttribute(name)) {
			ns.unknownComponent(t, kind, name, sc.Agent)
			return false
		}
	}
	if !exists {
		v = cty.EmptyObjectVal
	}
	n.putWhole(root, v)
	if len(t) > 2 {
		return ns.checkSteps(root, v, t[1:])
	}
	return true
}

func (ns *Names) unknownComponent(t hcl.Traversal, kind schema.Kind, name string, inst *Instance) {
	what := strings.ReplaceAll(string(kind), "_", " ")
	for _, other := range inst.Components {
		if other.Name == name && other.Kind != kind {
			ns.Fail(t.SourceRange(), "Unknown "+what, "Agent %q declares no %s %q. Did you mean %s.%s?", inst.Resource.Name, kind, name, other.Kind, name)
			return
		}
	}
	var known []string
	for _, c := range inst.Components {
		if c.Kind == kind {
			known = append(known, c.Name)
		}
	}
	ns.Fail(t.SourceRange(), "Unknown "+what, "Agent %q declares no %s %q.%s", inst.Resource.Name, kind, name, diag.DidYouMean(name, known, string(kind)+".%s"))
}
