package hclspec

import "github.com/hashicorp/hcl/v2/hclsyntax"

// node is a value that others may read.
type node struct{ root, name string }

// inOrder works out every local value, and the topics and agents that others read, each after what it reads itself. Without
// it a long chain of references would need as deep a stack.
func (l *loader) inOrder() {
	var starts []node
	for _, name := range sortedKeys(l.locals) {
		starts = append(starts, node{"local", name})
	}
	for _, name := range sortedKeys(l.topics) {
		starts = append(starts, node{"topic", name})
	}
	for _, name := range sortedKeys(l.agents) {
		starts = append(starts, node{"agent", name})
	}
	seen := make(map[node]bool, len(starts))
	for _, start := range starts {
		if !seen[start] {
			seen[start] = true
			l.walk(start, seen)
		}
	}
}

// walk visits what a node reads, in depth and without recursion, and then the node.
func (l *loader) walk(start node, seen map[node]bool) {
	type frame struct {
		node
		reads []node
	}
	stack := []frame{{start, l.reading(start)}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.reads) == 0 {
			l.visit(top.node, len(stack) > 1)
			stack = stack[:len(stack)-1]
			continue
		}
		next := top.reads[0]
		top.reads = top.reads[1:]
		if !seen[next] {
			seen[next] = true
			stack = append(stack, frame{next, l.reading(next)})
		}
	}
}

func (l *loader) visit(n node, isRead bool) {
	switch {
	case n.root == "local":
		l.locals[n.name].get(l)
	case n.root == "topic":
		l.topics[n.name].get(l)
	case isRead:
		l.agents[n.name].get(l)
	}
}

// reading gives what a node reads by a fixed name. That it may be too much, or lack what is read in other ways, changes
// nothing but the depth of the stack.
func (l *loader) reading(n node) []node {
	var out []node
	add := func(e hclsyntax.Expression) {
		for _, t := range e.Variables() {
			if len(t) < 2 {
				continue
			}
			name, ok := stepName(t[1])
			x := node{t.RootName(), name}
			if ok && (x.root == "local" && l.locals[name] != nil || x.root == "topic" && l.topics[name] != nil || x.root == "agent" && l.agents[name] != nil) {
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
		add(l.locals[n.name].attr.Expr)
	case "topic":
		attrs(l.topics[n.name].block.Body, "for_each", "count", "name", "partitions")
	case "agent":
		body := l.agents[n.name].block.Body
		attrs(body, "for_each", "count")
		for _, b := range body.Blocks {
			if b.Type == "source" {
				attrs(b.Body, "listen")
			}
		}
	}
	return out
}
