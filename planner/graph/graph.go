// Package graph holds the two things that the planner needs of graphs, both linear in nodes and edges and without recursion,
// so that a chain of ten thousand objects is nothing special: an order that respects edges, and the sets of nodes that go
// round in circles. It also writes Mermaid.
package graph

// Graph is a directed graph over the numbers 0 … n-1. An edge from a to b says that a comes after b.
type Graph struct {
	after [][]int
}

// New makes a graph without edges.
func New(n int) *Graph { return &Graph{after: make([][]int, n)} }

// Len is the number of nodes.
func (g *Graph) Len() int { return len(g.after) }

// After says that node comes after before. An edge from a node to itself is ignored.
func (g *Graph) After(node, before int) {
	if node != before {
		g.after[node] = append(g.after[node], before)
	}
}

// Before gives the nodes that a node comes after.
func (g *Graph) Before(node int) []int { return g.after[node] }

// Order gives all nodes so that each stands behind those it comes after; among free ones the smaller number first. Nodes of
// circles, and what comes after them, are left out.
func (g *Graph) Order() []int {
	n := len(g.after)
	waiting := make([]int, n)
	next := make([][]int, n)
	for v, before := range g.after {
		waiting[v] = len(before)
		for _, b := range before {
			next[b] = append(next[b], v)
		}
	}
	order := make([]int, 0, n)
	for v := range n {
		if waiting[v] == 0 {
			order = append(order, v)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, v := range next[order[i]] {
			if waiting[v]--; waiting[v] == 0 {
				order = append(order, v)
			}
		}
	}
	return order
}

// Circles numbers the strongly connected components: two nodes have the same number when each can be reached from the
// other (Tarjan's algorithm with a stack of its own).
func (g *Graph) Circles() []int {
	n := len(g.after)
	t := &tarjan{g: g, index: make([]int, n), low: make([]int, n), on: make([]bool, n), circle: make([]int, n)}
	for v := range n {
		if t.index[v] == 0 {
			t.visit(v)
		}
	}
	return t.circle
}

type tarjan struct {
	g          *Graph
	index, low []int // index 0: not seen
	on         []bool
	circle     []int
	stack      []int
	seen, made int
}

type frame struct{ node, edge int }

func (t *tarjan) enter(v int) frame {
	t.seen++
	t.index[v], t.low[v], t.on[v] = t.seen, t.seen, true
	t.stack = append(t.stack, v)
	return frame{node: v}
}

func (t *tarjan) visit(root int) {
	work := []frame{t.enter(root)}
	for len(work) > 0 {
		f := &work[len(work)-1]
		v := f.node
		if f.edge < len(t.g.after[v]) {
			w := t.g.after[v][f.edge]
			f.edge++
			switch {
			case t.index[w] == 0:
				work = append(work, t.enter(w))
			case t.on[w]:
				t.low[v] = min(t.low[v], t.index[w])
			}
			continue
		}
		work = work[:len(work)-1]
		if len(work) > 0 {
			up := work[len(work)-1].node
			t.low[up] = min(t.low[up], t.low[v])
		}
		if t.low[v] == t.index[v] {
			t.close(v)
		}
	}
}

func (t *tarjan) close(v int) {
	for {
		w := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		t.on[w] = false
		t.circle[w] = t.made
		if w == v {
			break
		}
	}
	t.made++
}
