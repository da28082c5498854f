package emit

import (
	"context"
	"errors"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// put stores the reserved parts and gives up the caller's hold. Each part is tried again alone until it is stored: the others
// have theirs already.
func (e *Emitter) put(ctx context.Context, takers []*outlet, b *flow.Batch, j *join) error {
	retry := e.backoff()
	if err := e.putDead(ctx, j, retry); err != nil {
		return err
	}
	held := true
	for _, o := range takers {
		if o.slot == nil { // an optional channel that had no room
			if o.batch != b {
				o.batch.Release()
			}
			o.batch = nil
			continue
		}
		o.batch.OnAck(nil)
		if !o.Optional {
			j.add()
			o.batch.OnAck(j.settle)
		}
		n, bytes, whole := int64(o.batch.Len()), o.batch.Bytes(), o.batch == b
		if err := e.store(ctx, o.node, o.slot, o.batch, retry); err != nil {
			return err
		}
		o.slot, o.batch = nil, nil
		held = held && !whole
		o.edge.Events.Add(n)
		o.edge.Bytes.Add(bytes)
	}
	if held {
		b.OnAck(nil)
		b.Release()
	}
	return nil
}

func (e *Emitter) putDead(ctx context.Context, j *join, retry *wait.Backoff) error {
	if e.dying == nil {
		return nil
	}
	j.add()
	e.dying.OnAck(j.settleDead)
	n := e.dying.Len()
	if err := e.store(ctx, e.dead, e.deadOut, e.dying, retry); err != nil {
		return err
	}
	e.stats.DeadLettered.Add(int64(n))
	e.dying, e.deadOut = nil, nil
	return nil
}

func (e *Emitter) store(ctx context.Context, n *channel.Node, slot flow.Slot, b *flow.Batch, retry *wait.Backoff) error {
	events, bytes := int64(b.Len()), b.Bytes()
	for failed := false; ; failed = true {
		err := guard.Call(func() error { return slot.Put(b) })
		if err == nil {
			n.Stats.EventsIn.Add(events)
			n.Stats.BytesIn.Add(bytes)
		}
		if failed && (err == nil || ctx.Err() != nil) { // it works, or nobody tries any more
			e.stats.SetHealth(flow.OK, "")
			n.Stats.SetHealth(flow.OK, "")
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		n.Stats.Error(err)
		n.Stats.SetHealth(flow.Retrying, err.Error())
		e.stats.Retries.Add(1)
		e.stats.SetHealth(flow.Waiting, "channel "+n.Name+": "+err.Error())
		if errors.Is(err, flow.ErrClosed) {
			return err
		}
		_ = wait.Sleep(ctx, retry.Next()) // the next failure looks at ctx
	}
}
