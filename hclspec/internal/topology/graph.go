// Package topology is what events pass, over all agents: their components, the edges between them, and the checks that find mistakes in
// how they are put together. It looks at what is evaluated already and evaluates nothing.
package topology

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/digraph"
	"collect/hclspec/schema"
)

// Edge is one arrow, between addresses such as agent.a.source.log and agent.a.channel.c, or agent.a.sink.k and topic.t.
type Edge struct {
	From, To string
	Kind     string // route, optional, take, wire, topic, dead_letter
	Label    string // the condition of a route
}

// Topic is a topic whose name is known.
type Topic struct {
	Addr, Name string
	Cluster    string // alias of the provider
	At, NameAt hcl.Range
}

// Graph collects what is declared, in the order in which it is evaluated.
type Graph struct {
	settings  func(schema.Kind) *schema.Block
	edges     []Edge
	places    []hcl.Range
	topics    []Topic
	depends   []Edge // by depends_on alone
	dependsAt []hcl.Range
	listeners []listener
	files     []watched
	diags     hcl.Diagnostics
}

// New makes an empty graph. settings gives the arguments that all components of a kind have.
func New(settings func(schema.Kind) *schema.Block) *Graph { return &Graph{settings: settings} }

// Add adds an edge.
func (g *Graph) Add(e Edge, at hcl.Range) {
	g.edges = append(g.edges, e)
	g.places = append(g.places, at)
}

// AddTopic adds a topic.
func (g *Graph) AddTopic(t Topic) { g.topics = append(g.topics, t) }

// Depend notes what depends_on of a block says.
func (g *Graph) Depend(from, to string, at hcl.Range) {
	g.depends = append(g.depends, Edge{From: from, To: to, Kind: "depends_on"})
	g.dependsAt = append(g.dependsAt, at)
}

func (g *Graph) fail(at hcl.Range, summary, detail string, args ...any) {
	g.diags = append(g.diags, diag.Error(at, summary, detail, args...))
}

func (g *Graph) warn(at hcl.Range, summary, detail string, args ...any) {
	g.diags = append(g.diags, diag.Warning(at, summary, detail, args...))
}

// said gives what was found since the last time.
func (g *Graph) said() hcl.Diagnostics {
	diags := g.diags
	g.diags = nil
	return diags
}

// Check looks for mistakes that no agent shows by itself.
func (g *Graph) Check() hcl.Diagnostics {
	g.checkTopicNames()
	g.checkListeners()
	g.checkFiles()
	g.checkCycles()
	g.checkDependencies()
	return g.said()
}

// checkDependencies finds agents and topics that wait for each other by what depends_on says. Agents that send to each other
// are no circle: an agent may be there before its receiver is.
func (g *Graph) checkDependencies() {
	edges, places := g.depends, g.dependsAt
	said := map[hcl.Range]bool{}
	for _, walk := range digraph.Cycles(pairs(edges)) {
		at := places[walk[0]]
		if said[at] {
			continue // another instance of the same blocks
		}
		said[at] = true
		var b strings.Builder
		for _, i := range walk {
			fmt.Fprintf(&b, "\n  %s depends on %s (%s:%d)", edges[i].From, edges[i].To, places[i].Filename, places[i].Start.Line)
		}
		g.fail(at, "Dependencies go in a circle", "None of these could be the first:%s", b.String())
	}
}

func (g *Graph) checkTopicNames() {
	seen := map[[2]string]Topic{}
	for _, t := range g.topics {
		k := [2]string{t.Cluster, t.Name}
		if old, twice := seen[k]; twice {
			g.fail(t.NameAt, "One topic declared twice", "%s and %s (%s:%d) are the same topic %q on one cluster.", t.Addr, old.Addr, old.At.Filename, old.At.Start.Line, t.Name)
			continue
		}
		seen[k] = t
	}
}

// checkCycles finds closed walks of events. Each strongly connected part of the graph is reported once, by one of its cycles.
func (g *Graph) checkCycles() {
	reported := map[hcl.Range]bool{} // one of all instances of a block is enough
	for _, walk := range digraph.Cycles(pairs(g.edges)) {
		if at := g.places[walk[0]]; reported[at] {
			continue
		} else {
			reported[at] = true
		}
		var b strings.Builder
		for _, i := range walk {
			e, at := g.edges[i], g.places[i]
			fmt.Fprintf(&b, "\n  %s -> %s (%s:%d)", e.From, e.To, at.Filename, at.Start.Line)
		}
		summary := "Events go in a circle"
		text := "Every event that comes here would come back for ever:"
		for _, i := range walk {
			if g.edges[i].Kind == "dead_letter" {
				summary, text = "Dead letters go in a circle", "An event that can never be delivered would go round for ever:"
			}
		}
		g.fail(g.places[walk[0]], summary, "%s", text+b.String())
	}
}

func pairs(edges []Edge) [][2]string {
	out := make([][2]string, len(edges))
	for i, e := range edges {
		out[i] = [2]string{e.From, e.To}
	}
	return out
}

// Edges gives all edges in order.
func (g *Graph) Edges() []Edge {
	edges := slices.Clone(g.edges)
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
