package emit

import (
	"context"
	"errors"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// optionalWait is how long an optional channel may think about a reservation. Room that is free is given at once.
const optionalWait = time.Millisecond

// place stores the batch in the channels that take its events. Room is taken in all of them before any is written.
func (e *Emitter) place(ctx context.Context, b *flow.Batch, j *join) error {
	var dropped, unrouted int
	e.takers = e.takers[:0]
	err := guard.Call(func() error {
		dropped, unrouted = e.router.Route(b)
		e.views(b)
		e.notTaken(b)
		if err := e.reserve(ctx, e.takers); err != nil {
			return err
		}
		return e.put(ctx, e.takers, b, j)
	})
	if err != nil {
		e.logPanic("route", err)
		e.undo(e.takers, b)
		return err
	}
	e.count(dropped, unrouted)
	for _, f := range e.puts { // the batch is stored, whatever they do
		e.logPanic("on put", guard.Call(func() error { f(); return nil }))
	}
	e.pos.Stored(e.flights)
	e.tell(ctx)
	j.settle(flow.Dropped) // the emitter's own part: what no channel took was dropped
	return nil
}

func (e *Emitter) count(dropped, unrouted int) {
	if dropped > 0 {
		e.stats.Drop("route", dropped)
	}
	if unrouted > 0 {
		e.stats.Drop("no_route", unrouted)
	}
	for _, st := range e.stages {
		st.count()
	}
}

// views gives each taking channel its part of the batch: the batch itself when one channel takes it all and no other takes any.
func (e *Emitter) views(b *flow.Batch) {
	takers := e.takers[:0]
	for _, o := range e.outs {
		o.batch, o.slot = nil, nil
		if o.Takes() {
			takers = append(takers, o)
		}
	}
	e.takers = takers
	if len(takers) == 1 && takers[0].All {
		takers[0].batch = b
		return
	}
	for _, o := range takers {
		if o.All {
			o.batch = b.Share()
		} else {
			o.batch = b.Select(o.Events)
		}
	}
}

// undo releases what was prepared for channels that have not taken it. The batch itself stays the caller's.
func (e *Emitter) undo(takers []*outlet, b *flow.Batch) {
	for _, o := range takers {
		if o.slot != nil {
			o.slot.Release()
		}
		if o.batch != nil && o.batch != b {
			o.batch.OnAck(nil)
			o.batch.Release()
		}
		o.slot, o.batch = nil, nil
	}
	if e.deadOut != nil {
		e.deadOut.Release()
	}
	if e.dying != nil {
		e.dying.OnAck(nil)
		e.dying.Release()
	}
	e.dying, e.deadOut = nil, nil
}

// reserve takes room in all channels that take events, in ascending order of their names, so that two sources never wait for
// each other. Optional channels come last and are left out when they are full.
func (e *Emitter) reserve(ctx context.Context, takers []*outlet) error {
	retry := e.backoff()
	dead := e.dying != nil
	for _, o := range takers {
		if o.Optional {
			continue
		}
		if dead && e.dead.Name < o.node.Name {
			if err := e.reserveDead(ctx, retry); err != nil {
				return err
			}
			dead = false
		}
		slot, err := e.room(ctx, o.node, o.batch.Size(), retry)
		if err != nil {
			return err
		}
		o.slot = slot
	}
	if dead {
		if err := e.reserveDead(ctx, retry); err != nil {
			return err
		}
	}
	for _, o := range takers {
		if o.Optional {
			e.reserveOptional(ctx, o)
		}
	}
	return nil
}

func (e *Emitter) backoff() *wait.Backoff {
	return &wait.Backoff{Initial: 50 * time.Millisecond, Max: 5 * time.Second, Rand: e.rand}
}

// room reserves in one channel and tries for ever. A channel that refuses, such as one on a full disk, makes the source wait.
func (e *Emitter) room(ctx context.Context, n *channel.Node, size flow.Size, retry *wait.Backoff) (flow.Slot, error) {
	waited := false
	for {
		slot, err := n.Reserve(ctx, size)
		if waited && (err == nil || ctx.Err() != nil) { // there is room, or nobody waits for it any more
			e.stats.SetHealth(flow.OK, "")
		}
		if err == nil {
			return slot, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, flow.ErrClosed) || errors.Is(err, flow.ErrFull) {
			return nil, err // full: the channel refuses instead of waiting, and the source answers so
		}
		health, pause, until := flow.Retrying, retry.Next(), ctx
		if errors.Is(err, flow.ErrTooLarge) { // no room will ever be enough: a stop need not wait
			health, pause, until = flow.Blocked, retry.Slowest(), e.run
		}
		waited = true
		n.Stats.Error(err)
		e.stats.Retries.Add(1)
		e.stats.SetHealth(health, "channel "+n.Name+": "+err.Error())
		if wait.Sleep(until, pause) != nil && until == e.run {
			return nil, until.Err()
		}
	}
}

func (e *Emitter) reserveDead(ctx context.Context, retry *wait.Backoff) error {
	slot, err := e.room(ctx, e.dead, e.dying.Size(), retry)
	e.deadOut = slot
	return err
}

func (e *Emitter) reserveOptional(ctx context.Context, o *outlet) {
	if slot, ok := tryReserve(ctx, o.node, o.batch.Size()); ok {
		o.slot = slot
		return
	}
	e.stats.Drop("optional_full", o.batch.Len())
}

// tryReserve reserves without waiting for others to make room.
func tryReserve(ctx context.Context, n *channel.Node, size flow.Size) (flow.Slot, bool) {
	if n.Channel.Stats().Full {
		return nil, false
	}
	short, cancel := context.WithTimeout(ctx, optionalWait)
	defer cancel()
	slot, err := n.Reserve(short, size)
	return slot, err == nil
}
