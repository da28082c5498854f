// Package emit takes what sources read to channels: through interceptors and routes, within the limits of what may be in flight. The
// source hears of a batch when every channel that is required has settled its part.
//
//	Emit ─▶ window ─▶ interceptors ─▶ routes ─▶ reserve all ─▶ put ─▶ channels
//	   ◀────────── ack ◀── join of all required parts ◀───────────────────┘
package emit

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/counters"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/route"
	"collect/runtime/pipeline/internal/wait"
)

// Emitter takes what one run of a source reads to its channels. Batches pass one after the other, in the order in which they
// come.
type Emitter struct {
	name   string
	prefix string
	stats  *flow.Stats
	log    *slog.Logger
	pool   *flow.Pool
	rand   flow.Rand

	run  context.Context
	hard context.Context

	pos    *position.Tracker
	window *Window
	stages []*stage
	router *route.Router
	outs   []*outlet
	dead   *channel.Node
	gate   wait.Gate

	// of the batch at hand, under the gate:
	flights []*position.Flight
	takers  []*outlet
	puts    []func()
	dying   *flow.Batch // copies of the events for the dead-letter channel; nil: none
	deadOut flow.Slot

	mu   sync.Mutex        // guards keys
	keys map[string]string // local key -> key in channels
}

// Config is what an emitter is made of.
type Config struct {
	Source string // its name
	Prefix string // of its keys in channels
	Stats  *flow.Stats
	Log    *slog.Logger
	Pool   *flow.Pool
	Rand   flow.Rand

	Run  context.Context // ends when the source shall stop: what it still holds is taken
	Hard context.Context // ends when nothing is taken any more

	Positions    *position.Tracker
	Interceptors []Interceptor
	Router       *route.Router
	Channels     func(name string) *channel.Node
	Edges        *counters.Table
	Dead         *channel.Node // for events that an interceptor gives up; nil: none
}

// Interceptor is one interceptor of a source.
type Interceptor struct {
	flow.Interceptor
	Name  string
	Stats *flow.Stats
}

// New makes an emitter.
func New(c Config) *Emitter {
	e := &Emitter{
		name: c.Source, prefix: c.Prefix, stats: c.Stats, log: c.Log, pool: c.Pool, rand: c.Rand, run: c.Run, hard: c.Hard,
		pos: c.Positions, router: c.Router, dead: c.Dead,
		window: newWindow(), gate: wait.NewGate(), keys: map[string]string{},
	}
	for _, ic := range c.Interceptors {
		ic.Stats.SetHealth(flow.OK, "") // whatever the one of before was
		e.stages = append(e.stages, &stage{Interceptor: ic})
	}
	for _, ch := range c.Router.Channels {
		kind := "emit"
		if ch.Optional {
			kind = "optional"
		}
		edge := c.Edges.Edge("source."+c.Source, "channel."+ch.Name, kind)
		e.outs = append(e.outs, &outlet{Channel: ch, node: c.Channels(ch.Name), edge: edge})
	}
	return e
}

// outlet is one channel as a source sees it.
type outlet struct {
	*route.Channel
	node    *channel.Node
	edge    *counters.Edge
	batch   *flow.Batch // of the batch at hand
	slot    flow.Slot   // for it
	decided decided     // positions that the channel was not told yet
}

var _ flow.Emitter = (*Emitter)(nil)

// Emit takes a batch. It waits for room with the source's ctx, but once the source was told to stop, its ctx ends with it and
// what the source still holds must pass: then only the pipeline's own deadline ends the wait.
func (e *Emitter) Emit(ctx context.Context, b *flow.Batch) error {
	wait, cancel := e.context(ctx)
	defer cancel()
	err := e.gate.Lock(wait)
	if err == nil {
		err = e.emit(wait, b)
		e.gate.Unlock()
	}
	if err != nil {
		b.Ack(flow.Abandoned)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

func (e *Emitter) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx == e.run {
		return e.hard, func() {}
	}
	wait, cancel := context.WithCancel(e.hard)
	stop := context.AfterFunc(ctx, func() {
		if e.run.Err() == nil {
			cancel()
		}
	})
	return wait, func() { stop(); cancel() }
}

func (e *Emitter) emit(ctx context.Context, b *flow.Batch) error {
	if n, what := e.pool.Violations(); n > 0 {
		return e.halted(ctx, what)
	}
	j := &join{emitter: e, source: b.AckFunc(), events: b.Len(), bytes: b.Retained(), left: 1}
	if err := e.window.enter(ctx, j, e.press()); err != nil {
		return err
	}
	e.begin(b)
	j.flights = append([]*position.Flight(nil), e.flights...)
	events, bytes := int64(b.Len()), b.Bytes()
	err := guard.Call(func() error { return e.pass(ctx, b) })
	if err == nil {
		err = e.place(ctx, b, j)
	}
	if err != nil {
		b.OnAck(j.withdraw())
		return err
	}
	e.stats.EventsIn.Add(events)
	e.stats.EventsOut.Add(events)
	e.stats.BytesIn.Add(bytes)
	e.stats.BytesOut.Add(bytes)
	return nil
}

// halted takes nothing until the source stops: after a bug of this program nobody knows what else is wrong, and what is not taken is not
// acknowledged.
func (e *Emitter) halted(ctx context.Context, what string) error {
	err := fmt.Errorf("an error in this program, please report it: %s; nothing more is taken until the agent starts again", what)
	e.stats.Error(err)
	e.stats.SetHealth(flow.Blocked, err.Error())
	<-ctx.Done()
	return err
}

// press gives what makes the dead-letter channel deliver, when that is when its batches end: its sink may hold them back until a file
// is full, and nothing else would end that when few events are dead. nil: nothing to press.
func (e *Emitter) press() func() {
	if e.dead == nil || e.dead.Durable {
		return nil
	}
	return e.dead.Pressure
}

// begin gives the runs the keys they have in channels. A key names the source, what its interceptors and routes are, and the
// source's own key: under other routes the same position is another one, so that no channel skips events that were sent
// elsewhere before.
func (e *Emitter) begin(b *flow.Batch) {
	e.flights = e.flights[:0]
	runs := b.Runs()
	for i := range runs {
		run := &runs[i]
		e.flights = append(e.flights, e.pos.Begin(run.Key, run.From, run.To))
		run.Key = e.global(run.Key)
	}
}

// ended is called by a join at its end.
func (e *Emitter) ended(j *join, o flow.Outcome, source func(flow.Outcome)) {
	e.pos.Settle(j.flights, o == flow.Abandoned)
	e.window.leave(j, o == flow.Abandoned)
	if source != nil {
		source(o)
	}
}

// Limit sets how much may be in flight; 0 is no limit. Behind a volatile channel its size is the limit instead.
func (e *Emitter) Limit(batches int, bytes int64) {
	if !e.Durable() {
		batches, bytes = 0, 0
	}
	e.window.limit(batches, bytes)
}

// Durable says whether all channels that must settle a batch are durable: then it is acknowledged soon.
func (e *Emitter) Durable() bool {
	return !slices.ContainsFunc(e.outs, func(o *outlet) bool { return !o.Optional && !o.node.Durable })
}

// Window gives what is in flight.
func (e *Emitter) Window() *Window { return e.window }

// ConditionErrors counts the conditions of routes that could not be evaluated.
func (e *Emitter) ConditionErrors() int64 { return e.router.Errors() }

// Channels gives all channels that the source leads to.
func (e *Emitter) Channels() []*channel.Node {
	nodes := make([]*channel.Node, 0, len(e.outs)+1)
	for _, o := range e.outs {
		nodes = append(nodes, o.node)
	}
	if e.dead != nil && !slices.Contains(nodes, e.dead) {
		nodes = append(nodes, e.dead)
	}
	return nodes
}
