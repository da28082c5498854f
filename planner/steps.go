package planner

import (
	"context"
	"slices"
	"sort"

	"collect/planner/graph"
	"collect/planner/resource"
)

// steps orders the changes. What is made follows what it refers to; what goes away follows everything that used it. Agents that send
// to each other in a circle have no order among themselves: senders try again until receivers are there.
func (b *builder) steps(context.Context) {
	changes := b.plan.Changes
	at := make(map[string]int, len(changes))
	for i, c := range changes {
		at[c.Address] = i
	}
	g := graph.New(len(changes))
	for i, c := range changes {
		b.edges(g, at, i, c)
	}
	order, before := ordered(g)
	first := b.first(order, before)
	for _, i := range order {
		c := changes[i]
		s := Step{Address: c.Address, Kind: c.Kind, Action: c.Action, First: first[i]}
		for _, d := range before[i] {
			s.After = append(s.After, changes[d].Address)
		}
		sort.Strings(s.After)
		b.plan.Steps = append(b.plan.Steps, s)
		if w := b.wants[c.Address]; w != nil {
			b.plan.Objects[c.Address] = w.Object
		}
	}
	b.writers(at)
}

// writers notes, with what is lost when a topic goes, the agents that wrote to it and that the same plan stops or turns away before:
// while people read the plan, they go on.
func (b *builder) writers(at map[string]int) {
	for _, c := range b.plan.Changes { // sorted, so the writers are
		if c.Kind != KindAgent {
			continue
		}
		for _, d := range b.oldDeps(c.Address) {
			j, ok := at[d]
			if !ok || b.plan.Changes[j].Kind != KindTopic || b.plan.Changes[j].Action != resource.Delete {
				continue
			}
			for k := range b.plan.Changes[j].Loss {
				if l := &b.plan.Changes[j].Loss[k]; !slices.Contains(l.Writers, c.Address) {
					l.Writers = append(l.Writers, c.Address)
				}
			}
		}
	}
}

// edges adds what follows from one change.
func (b *builder) edges(g *graph.Graph, at map[string]int, i int, c *resource.Change) {
	if c.Action != resource.Delete {
		for _, d := range b.newDeps(c.Address) {
			if j, ok := at[d]; ok && !last(b.plan.Changes[j]) {
				g.After(i, j)
			}
		}
	}
	for _, d := range b.oldDeps(c.Address) {
		if j, ok := at[d]; ok && b.plan.Changes[j].Action == resource.Delete {
			g.After(j, i)
		}
	}
	// The broker goes after everything else, also where nobody remembers what used it.
	if j, ok := at[BrokerAddress]; ok && b.plan.Changes[j].Action == resource.Delete {
		g.After(j, i)
	}
}

func (b *builder) newDeps(a string) []string {
	if w := b.wants[a]; w != nil && !b.opt.Destroy {
		return w.DependsOn
	}
	return nil
}

// ordered gives an order and, for each node, the nodes before it, without edges inside circles and without repetition.
func ordered(g *graph.Graph) (order []int, before [][]int) {
	circle := g.Circles()
	clean := graph.New(g.Len())
	before = make([][]int, g.Len())
	for v := range g.Len() {
		seen := map[int]bool{}
		for _, d := range g.Before(v) {
			if circle[d] != circle[v] && !seen[d] {
				seen[d] = true
				clean.After(v, d)
				before[v] = append(before[v], d)
			}
		}
	}
	return clean.Order(), before
}

// first marks agents that go away and wait for nothing but other such agents: they free ports and files for those that come.
func (b *builder) first(order []int, before [][]int) []bool {
	first := make([]bool, len(order))
	for _, i := range order {
		c := b.plan.Changes[i]
		first[i] = c.Action == resource.Delete && c.Kind == KindAgent
		for _, d := range before[i] {
			first[i] = first[i] && first[d]
		}
	}
	return first
}
