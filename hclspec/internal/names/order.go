package names

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

// node is a value that others may read.
type node struct{ root, name string }

// InOrder works out every local value, and the topics and agents that others read, each after what it reads itself. Without
// it a long chain of references would need as deep a stack.
func (ns *Names) InOrder() {
	var starts []node
	for _, name := range sorted.Keys(ns.locals) {
		starts = append(starts, node{"local", name})
	}
	for _, name := range sorted.Keys(ns.Topics) {
		starts = append(starts, node{"topic", name})
	}
	for _, name := range sorted.Keys(ns.Agents) {
		starts = append(starts, node{"agent", name})
	}
	seen := make(map[node]bool, len(starts))
	for _, start := range starts {
		if !seen[start] {
			seen[start] = true
			ns.walk(start, seen)
		}
	}
}

// walk visits what a node reads, in depth and without recursion, and then the node.
func (ns *Names) walk(start node, seen map[node]bool) {
	type frame struct {
		node
		reads []node
	}
	stack := []frame{{start, ns.reading(start)}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.reads) == 0 {
			ns.visit(top.node, len(stack) > 1)
			stack = stack[:len(stack)-1]
			continue
		}
		next := top.reads[0]
		top.reads = top.reads[1:]
		if !seen[next] {
			seen[next] = true
			stack = append(stack, frame{next, ns.reading(next)})
		}
	}
}

func (ns *Names) visit(n node, isRead bool) {
	switch {
	case n.root == "local":
		ns.locals[n.name].get(ns)
	case n.root == "topic":
		ns.Topics[n.name].get(ns)
	case isRead:
		ns.Agents[n.name].get(ns)
	}
}

// reading gives what a node reads by a fixed name. That it may be too much, or lack what is read in other ways, changes
// nothing but the depth of the stack.
func (ns *Names) reading(n node) []node {
	var out []node
	add := func(e hclsyntax.Expression) {
		for _, t := range e.Variables() {
			if len(t) < 2 {
				continue
			}
			name, ok := ref.StepName(t[1])
			x := node{t.RootName(), name}
			if ok && (x.root == "local" && ns.locals[name] != nil || x.root == "topic" && ns.Topics[name] != nil || x.root == "agent" && ns.Agents[name] != nil) {
				out = append(out, x)
			}
		}
	}
	attrs := func(b *hclsyntax.Body, names ...string) {
		for _, name := range names {
			if a := b.Attributes[name]; a != nil {
				add(a.Expr)
			}
		}
	}
	switch n.root {
	case "local":
		add(ns.locals[n.name].attr.Expr)
	case "topic":
		attrs(ns.Topics[n.name].Block.Body, "for_each", "count", "name", "partitions")
	case "agent":
		body := ns.Agents[n.name].Block.Body
		attrs(body, "for_each", "count")
		for _, b := range body.Blocks {
			if b.Type == "source" {
				attrs(b.Body, "listen")
			}
		}
	}
	return out
}
