package emit

import (
	"context"
	"slices"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/guard"
)

// tellInterval is how long a durable channel may not know of positions that hold nothing for it.
const tellInterval = time.Second

// decided gathers positions in which a durable channel had no part, to tell it at most once a second.
type decided struct {
	runs []flow.Run
	last time.Time
}

func (d *decided) add(run flow.Run) {
	if i := slices.IndexFunc(d.runs, func(r flow.Run) bool { return r.Key == run.Key }); i >= 0 {
		d.runs[i].To = max(d.runs[i].To, run.To)
		return
	}
	d.runs = append(d.runs, flow.Run{Key: run.Key, From: run.From, To: run.To})
}

// drop forgets a key whose position the channel learns with its events.
func (d *decided) drop(key string) {
	d.runs = slices.DeleteFunc(d.runs, func(r flow.Run) bool { return r.Key == key })
}

// notTaken notes the positions of the batch for the durable channels that take none of its events.
func (e *Emitter) notTaken(b *flow.Batch) {
	for _, o := range e.outs {
		if !o.node.Durable {
			continue
		}
		for _, run := range b.Runs() {
			if o.batch != nil {
				if len(o.decided.runs) > 0 {
					o.decided.drop(run.Key)
				}
				continue
			}
			o.decided.add(run)
		}
	}
}

// tell gives durable channels the positions that hold nothing for them. Nobody waits for it: what is not told before a crash is
// decided again, the same way.
func (e *Emitter) tell(ctx context.Context) {
	for _, o := range e.outs {
		if len(o.decided.runs) == 0 || time.Since(o.decided.last) < tellInterval {
			continue
		}
		o.decided.last = time.Now()
		e.tellOne(ctx, o)
	}
}

func (e *Emitter) tellOne(ctx context.Context, o *outlet) {
	b := e.pool.GetSized(0)
	for _, run := range o.decided.runs {
		b.Begin(run.Key, run.From, nil)
		b.Decide(run.To)
	}
	slot, ok := tryReserve(ctx, o.node, b.Size())
	if !ok {
		b.Release()
		return
	}
	if guard.Call(func() error { return slot.Put(b) }) != nil {
		slot.Release()
		b.Release()
		return
	}
	o.decided.runs = o.decided.runs[:0]
}
