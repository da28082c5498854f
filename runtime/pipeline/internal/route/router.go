// Package route chooses the channels of each event of a source.
package route

import (
	"slices"
	"sync/atomic"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// Router chooses the channels of each event. It is called for one batch at a time.
type Router struct {
	// Channels are those of all routes, in ascending order of their names.
	Channels []*Channel
	routes   []route
	// plain says that every event takes the same channels, so that nothing is looked at per event.
	plain   bool
	event   flow.Event
	scratch expr.Scratch
	errors  atomic.Int64
}

type route struct {
	when *expr.Program // nil: always
	to   []int         // indexes into Router.Channels
	drop bool
	copy bool
}

// Channel is a channel that routes lead to, and what it takes of the batch at hand.
type Channel struct {
	Name     string
	Optional bool  // no route requires it: it never delays or fails a batch
	All      bool  // it takes every event
	Events   []int // otherwise these
}

// Takes says whether the channel takes any event.
func (c *Channel) Takes() bool { return c.All || len(c.Events) > 0 }

// New compiles the routes of a source.
func New(specs []schema.RouteSpec, host string) (*Router, error) {
	r := &Router{event: flow.Event{Host: host}}
	index := r.channels(specs)
	for _, s := range specs {
		rt := route{drop: s.Drop, copy: s.Copy}
		if s.When != nil {
			p, err := compileWhen(s.When)
			if err != nil {
				return nil, err
			}
			rt.when = p
		}
		for _, name := range append(slices.Clone(s.Channels), s.Optional...) {
			if i := index[name]; !slices.Contains(rt.to, i) {
				rt.to = append(rt.to, i)
			}
		}
		r.routes = append(r.routes, rt)
	}
	if len(r.routes) > 0 {
		first := r.routes[0]
		r.plain = first.when == nil && !first.drop && !first.copy
	}
	return r, nil
}

// channels notes each channel once. A channel that any route requires is required.
func (r *Router) channels(specs []schema.RouteSpec) map[string]int {
	required := map[string]bool{}
	var names []string
	for _, s := range specs {
		for _, n := range s.Channels {
			required[n] = true
		}
		names = append(append(names, s.Channels...), s.Optional...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	index := map[string]int{}
	for i, n := range names {
		index[n] = i
		r.Channels = append(r.Channels, &Channel{Name: n, Optional: !required[n]})
	}
	return index
}

// Route fills in what each channel takes, and gives the number of events that no channel takes, dropped by a route or by nobody.
func (r *Router) Route(b *flow.Batch) (dropped, unrouted int) {
	for _, c := range r.Channels {
		c.All, c.Events = false, c.Events[:0]
	}
	if b.Len() == 0 {
		return 0, 0
	}
	if r.plain {
		for _, i := range r.routes[0].to {
			r.Channels[i].All = true
		}
		return 0, 0
	}
	for i := range b.Len() {
		taken, drop := r.one(b, i)
		switch {
		case taken:
		case drop:
			dropped++
		default:
			unrouted++
		}
	}
	for _, c := range r.Channels {
		c.All = len(c.Events) == b.Len()
	}
	return dropped, unrouted
}

// one routes event i. The first route whose condition holds wins; a copy route adds its channels and goes on.
func (r *Router) one(b *flow.Batch, i int) (taken, drop bool) {
	for k := range r.routes {
		rt := &r.routes[k]
		if rt.when != nil && !r.holds(rt.when, b, i) {
			continue
		}
		for _, to := range rt.to {
			if c := r.Channels[to]; len(c.Events) == 0 || c.Events[len(c.Events)-1] != i {
				c.Events = append(c.Events, i)
			}
			taken = true
		}
		if !rt.copy {
			return taken, rt.drop
		}
	}
	return taken, false
}

func (r *Router) holds(when *expr.Program, b *flow.Batch, i int) bool {
	r.event.Seek(b, i)
	r.scratch.Reset()
	ok, err := when.Bool(&r.event, &r.scratch)
	if err != nil {
		r.errors.Add(1)
		return false
	}
	return ok
}

// Errors counts the conditions that could not be evaluated for an event, which are false.
func (r *Router) Errors() int64 { return r.errors.Load() }

// compileWhen compiles the condition of a route.
func compileWhen(when any) (*expr.Program, error) {
	var c struct {
		When schema.Expr `collect:"when"`
	}
	if err := schema.Decode(schema.Config{"when": when}, nil, &c); err != nil {
		return nil, err
	}
	return expr.Compile(c.When, expr.TypeBool)
}
