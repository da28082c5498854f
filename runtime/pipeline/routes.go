package pipeline

import (
	"slices"
	"sync/atomic"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/counters"
)

// router chooses the channels of each event. It belongs to one emitter, which calls it for one batch at a time.
type router struct {
	routes []route
	outs   []*outlet // ascending by channel name: the order in which room is reserved
	// plain says that every event takes the same channels, so that nothing is looked at per event.
	plain   bool
	event   flow.Event
	scratch expr.Scratch
	// eventErrors counts conditions that could not be evaluated for an event, which are false.
	eventErrors atomic.Int64
}

type route struct {
	when *expr.Program // nil: always
	outs []int         // indexes into router.outs
	drop bool
	copy bool
}

// outlet is one channel as a source sees it.
type outlet struct {
	node     *channelNode
	edge     *counters.Edge
	optional bool // never delays or fails a batch
	// of the batch at hand:
	all     bool  // every event
	events  []int // otherwise these
	batch   *flow.Batch
	slot    flow.Slot
	decided decided // positions that the channel was not told yet
}

// newRouter compiles the routes of a source.
func newRouter(source string, specs []schema.RouteSpec, host string, node func(name string) *channelNode, edges *counters.Table) (*router, error) {
	r := &router{event: flow.Event{Host: host}}
	index := r.outlets(source, specs, node, edges)
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
			if i := index[name]; !slices.Contains(rt.outs, i) {
				rt.outs = append(rt.outs, i)
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

// outlets makes one outlet for each channel. A channel that any route requires is required.
func (r *router) outlets(source string, specs []schema.RouteSpec, node func(string) *channelNode, edges *counters.Table) map[string]int {
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
		kind := "emit"
		if !required[n] {
			kind = "optional"
		}
		index[n] = i
		r.outs = append(r.outs, &outlet{
			node: node(n), optional: !required[n],
			edge: edges.Edge("source."+source, "channel."+n, kind),
		})
	}
	return index
}

// route fills the outlets' events and gives the number of events that no channel takes, dropped by a route or by nobody.
func (r *router) route(b *flow.Batch) (dropped, unrouted int) {
	for _, o := range r.outs {
		o.all, o.events = false, o.events[:0]
	}
	if b.Len() == 0 {
		return 0, 0
	}
	if r.plain {
		for _, i := range r.routes[0].outs {
			r.outs[i].all = true
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
	for _, o := range r.outs {
		o.all = len(o.events) == b.Len()
	}
	return dropped, unrouted
}

// one routes event i. The first route whose condition holds wins; a copy route adds its channels and goes on.
func (r *router) one(b *flow.Batch, i int) (taken, drop bool) {
	for k := range r.routes {
		rt := &r.routes[k]
		if rt.when != nil && !r.holds(rt.when, b, i) {
			continue
		}
		for _, o := range rt.outs {
			if out := r.outs[o]; len(out.events) == 0 || out.events[len(out.events)-1] != i {
				out.events = append(out.events, i)
			}
			taken = true
		}
		if !rt.copy {
			return taken, rt.drop
		}
	}
	return taken, false
}

func (r *router) holds(when *expr.Program, b *flow.Batch, i int) bool {
	r.event.Seek(b, i)
	r.scratch.Reset()
	ok, err := when.Bool(&r.event, &r.scratch)
	if err != nil {
		r.eventErrors.Add(1)
		return false
	}
	return ok
}

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
