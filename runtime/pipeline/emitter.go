package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/wait"
)

// emitter takes what one run of a source reads to its channels. Batches pass one after the other, in the order in which they
// come.
type emitter struct {
	name   string // of the source
	prefix string // of its keys in channels: source uuid and hash of interceptors and routes
	stats  *flow.Stats
	log    *slog.Logger
	pool   *flow.Pool
	rand   flow.Rand

	run  context.Context // ends when the source shall stop: what it still holds is taken
	hard context.Context // ends when nothing is taken any more

	pos    *position.Tracker
	window *window
	stages []*stage
	router *router
	dead   *channelNode // for events that an interceptor gives up; nil: none
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

var _ flow.Emitter = (*emitter)(nil)

// Emit takes a batch. It waits for room with the source's ctx, but once the source was told to stop, its ctx ends with it and
// what the source still holds must pass: then only the pipeline's own deadline ends the wait.
func (e *emitter) Emit(ctx context.Context, b *flow.Batch) error {
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

func (e *emitter) context(ctx context.Context) (context.Context, context.CancelFunc) {
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

func (e *emitter) emit(ctx context.Context, b *flow.Batch) error {
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
		b.OnAck(j.source) // Emit tells the source
		j.source = nil
		j.abandon()
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
func (e *emitter) halted(ctx context.Context, what string) error {
	err := fmt.Errorf("an error in this program, please report it: %s; nothing more is taken until the agent starts again", what)
	e.stats.Error(err)
	e.stats.SetHealth(flow.Blocked, err.Error())
	<-ctx.Done()
	return err
}

// press gives what makes the dead-letter channel deliver, when that is when its batches end: its sink may hold them back until a file
// is full, and nothing else would end that when few events are dead. nil: nothing to press.
func (e *emitter) press() func() {
	if e.dead == nil || e.dead.durable {
		return nil
	}
	return e.dead.pressure
}

// begin gives the runs the keys they have in channels. A key names the source, what its interceptors and routes are, and the
// source's own key: under other routes the same position is another one, so that no channel skips events that were sent
// elsewhere before.
func (e *emitter) begin(b *flow.Batch) {
	e.flights = e.flights[:0]
	runs := b.Runs()
	for i := range runs {
		run := &runs[i]
		e.flights = append(e.flights, e.pos.Begin(run.Key, run.From, run.To))
		run.Key = e.global(run.Key)
	}
}

func (e *emitter) global(local string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, ok := e.keys[local]
	if !ok {
		key = e.prefix + local
		e.keys[local] = key
	}
	return key
}

// forget drops keys that are gone.
func (e *emitter) forget(locals []string) {
	e.mu.Lock()
	for _, l := range locals {
		delete(e.keys, l)
	}
	e.mu.Unlock()
}

// ended is called by a join at its end.
func (e *emitter) ended(j *join, o flow.Outcome) {
	e.pos.Settle(j.flights, o == flow.Abandoned)
	e.window.leave(j, o == flow.Abandoned)
	if j.source != nil {
		j.source(o)
	}
}
