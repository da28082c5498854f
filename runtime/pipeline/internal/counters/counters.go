// Package counters keeps what is counted of components, and of the edges between them.
package counters

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"collect/runtime/flow"
	"collect/runtime/supervisor/api"
)

// Table keeps counters by component address and edge. They outlive a component that is made anew, so that figures do not
// fall back to 0 at a reload.
type Table struct {
	mu    sync.Mutex // guards all below
	stats map[string]*flow.Stats
	edges map[edgeName]*Edge
}

type edgeName struct{ from, to, kind string }

// Edge counts what goes from one component to another.
type Edge struct {
	edgeName
	Events, Bytes atomic.Int64
}

// New makes an empty table.
func New() *Table {
	return &Table{stats: map[string]*flow.Stats{}, edges: map[edgeName]*Edge{}}
}

// Of gives the counters of a component.
func (t *Table) Of(address string) *flow.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats[address]
	if s == nil {
		s = &flow.Stats{}
		t.stats[address] = s
	}
	return s
}

// Edge gives the counters of an edge.
func (t *Table) Edge(from, to, kind string) *Edge {
	n := edgeName{from, to, kind}
	if t == nil {
		return &Edge{edgeName: n}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.edges[n]
	if e == nil {
		e = &Edge{edgeName: n}
		t.edges[n] = e
	}
	return e
}

// Drop forgets the counters of components that are gone; alive says which are not.
func (t *Table) Drop(alive func(address string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for a := range t.stats {
		if !alive(a) {
			delete(t.stats, a)
		}
	}
	for n := range t.edges {
		if !alive(n.from) || !alive(n.to) {
			delete(t.edges, n)
		}
	}
}

// Edges gives the edges, sorted.
func (t *Table) Edges() []api.Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	byName := map[string]*Edge{}
	for n, e := range t.edges {
		byName[n.from+"\x00"+n.to+"\x00"+n.kind] = e
	}
	list := make([]api.Edge, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		e := byName[name]
		list = append(list, api.Edge{From: e.from, To: e.to, Kind: e.kind, Events: e.Events.Load(), Bytes: e.Bytes.Load()})
	}
	return list
}
