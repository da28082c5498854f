package hclspec

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// topology is the graph of everything that events pass, over all agents.
type topology struct {
	edges     []Edge
	places    []hcl.Range
	topics    []*Topic
	depends   []Edge // by depends_on alone
	dependsAt []hcl.Range
	listeners []listener
	files     []watched
}

func newTopology() *topology { return &topology{} }

func (t *topology) add(e Edge, at hcl.Range) {
	t.edges = append(t.edges, e)
	t.places = append(t.places, at)
}

// checkTopology looks for mistakes that no agent shows by itself.
func (l *loader) checkTopology() {
	l.checkTopicNames()
	l.checkListeners()
	l.checkFiles()
	l.checkCycles()
	l.checkDependencies()
}

// checkDependencies finds agents and topics that wait for each other by what depends_on says. Agents that send to each other
// are no circle: an agent may be there before its receiver is.
func (l *loader) checkDependencies() {
	edges, places := l.graph.depends, l.graph.dependsAt
	said := map[hcl.Range]bool{}
	for _, walk := range newDigraph(edges).cycles() {
		at := places[walk[0]]
		if said[at] {
			continue // another instance of the same blocks
		}
		said[at] = true
		var b strings.Builder
		for _, i := range walk {
			fmt.Fprintf(&b, "\n  %s depends on %s (%s:%d)", edges[i].From, edges[i].To, places[i].Filename, places[i].Start.Line)
		}
		l.fail(at, "Dependencies go in a circle", "None of these could be the first:%s", b.String())
	}
}

// dependencies notes what depends_on of a block says.
func (l *loader) dependencies(from string, a *hclsyntax.Attribute) []string {
	list := l.dependsOn(a)
	for _, to := range list {
		l.graph.depends = append(l.graph.depends, Edge{From: from, To: to, Kind: "depends_on"})
		l.graph.dependsAt = append(l.graph.dependsAt, a.Range())
	}
	return list
}

func (l *loader) checkTopicNames() {
	seen := map[[2]string]*Topic{}
	for _, t := range l.graph.topics {
		name, ok := t.Config["name"].(string)
		if !ok {
			continue
		}
		k := [2]string{t.Cluster, name}
		if old := seen[k]; old != nil {
			at := t.Range
			if r, ok := t.Ranges["name"]; ok {
				at = r
			}
			l.fail(at, "One topic declared twice", "%s and %s (%s:%d) are the same topic %q on one cluster.", t.Address, old.Address, old.Range.Filename, old.Range.Start.Line, name)
			continue
		}
		seen[k] = t
	}
}

// checkCycles finds closed walks of events. Each strongly connected part of the graph is reported once, by one of its cycles.
func (l *loader) checkCycles() {
	g := newDigraph(l.graph.edges)
	reported := map[hcl.Range]bool{} // one of all instances of a block is enough
	for _, walk := range g.cycles() {
		if at := l.graph.places[walk[0]]; reported[at] {
			continue
		} else {
			reported[at] = true
		}
		var b strings.Builder
		for _, i := range walk {
			e, at := l.graph.edges[i], l.graph.places[i]
			fmt.Fprintf(&b, "\n  %s -> %s (%s:%d)", e.From, e.To, at.Filename, at.Start.Line)
		}
		summary := "Events go in a circle"
		text := "Every event that comes here would come back for ever:"
		for _, i := range walk {
			if l.graph.edges[i].Kind == "dead_letter" {
				summary, text = "Dead letters go in a circle", "An event that can never be delivered would go round for ever:"
			}
		}
		l.fail(l.graph.places[walk[0]], summary, "%s", text+b.String())
	}
}

// digraph is the graph in a form that can be walked: nodes are numbers.
type digraph struct {
	edges []Edge
	ids   map[string]int
	out   [][]int // edges that leave a node, by number
}

func newDigraph(edges []Edge) *digraph {
	g := &digraph{edges: edges, ids: map[string]int{}}
	id := func(s string) int {
		n, ok := g.ids[s]
		if !ok {
			n = len(g.out)
			g.ids[s] = n
			g.out = append(g.out, nil)
		}
		return n
	}
	for i, e := range edges {
		from := id(e.From)
		id(e.To)
		g.out[from] = append(g.out[from], i)
	}
	return g
}

// cycles walks the graph in depth, without recursion, and gives for each edge that closes a circle of nodes not reported
// yet the edges of that circle.
func (g *digraph) cycles() [][]int {
	var found [][]int
	const (
		white = iota
		grey
		black
	)
	colour := make([]byte, len(g.out))
	reported := make([]bool, len(g.out))
	type frame struct{ node, next int }
	var path []int // edges from the first node of the stack
	for start := range g.out {
		if colour[start] != white {
			continue
		}
		stack := []frame{{node: start}}
		colour[start] = grey
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(g.out[f.node]) {
				colour[f.node] = black
				stack = stack[:len(stack)-1]
				if len(path) > 0 {
					path = path[:len(path)-1]
				}
				continue
			}
			e := g.out[f.node][f.next]
			f.next++
			to := g.ids[g.edges[e].To]
			switch colour[to] {
			case white:
				colour[to] = grey
				path = append(path, e)
				stack = append(stack, frame{node: to})
			case grey:
				if walk := g.walk(path, e, to, reported); walk != nil {
					found = append(found, walk)
				}
			}
		}
	}
	return found
}

// walk gives the edges of the circle that edge e closes, unless it is part of one that is reported.
func (g *digraph) walk(path []int, e, to int, reported []bool) []int {
	i := len(path)
	for i > 0 && g.ids[g.edges[path[i-1]].From] != to {
		i--
	}
	var walk []int
	if g.ids[g.edges[e].From] != to {
		walk = append(walk, path[i-1:]...)
	}
	walk = append(walk, e)
	seen := false
	for _, x := range walk {
		n := g.ids[g.edges[x].From]
		seen = seen || reported[n]
		reported[n] = true
	}
	if seen {
		return nil
	}
	return walk
}

func sortedEdges(edges []Edge) []Edge {
	sort.SliceStable(edges, func(i, j int) bool {
		a, b := edges[i], edges[j]
		if a.From != b.From {
			return a.From < b.From
		}
		if a.To != b.To {
			return a.To < b.To
		}
		if a.Kind != b.Kind {
			return a.Kind < b.Kind
		}
		return a.Label < b.Label
	})
	return edges
}
