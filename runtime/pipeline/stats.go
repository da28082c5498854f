package pipeline

import (
	"sync"
	"sync/atomic"

	"collect/runtime/flow"
)

// statsTable keeps counters by component address and edge. They outlive a component that is made anew, so that figures do not
// fall back to 0 at a reload.
type statsTable struct {
	mu    sync.Mutex // guards all below
	stats map[string]*flow.Stats
	edges map[edgeName]*edge
}

type edgeName struct{ from, to, kind string }

// edge counts what goes from one component to another.
type edge struct {
	edgeName
	Events, Bytes atomic.Int64
}

func newStatsTable() *statsTable {
	return &statsTable{stats: map[string]*flow.Stats{}, edges: map[edgeName]*edge{}}
}

func (t *statsTable) of(address string) *flow.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats[address]
	if s == nil {
		s = &flow.Stats{}
		t.stats[address] = s
	}
	return s
}

func (t *statsTable) edge(from, to, kind string) *edge {
	n := edgeName{from, to, kind}
	if t == nil {
		return &edge{edgeName: n}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.edges[n]
	if e == nil {
		e = &edge{edgeName: n}
		t.edges[n] = e
	}
	return e
}

// drop forgets the counters of components that are gone; alive says which are not.
func (t *statsTable) drop(alive func(address string) bool) {
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
