package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/deadletter"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// deadChunk bounds a batch of dead letters: each event is a run of its own.
const deadChunk = 256

// deadHeaders is room for the headers of a dead letter. Without it the batch would grow into a large block, for few events.
const deadHeaders = 1 << 10

// deadLetter copies events of a failed part into the dead-letter channel. The lease is committed only when that channel has
// acknowledged them; until then it has one more part.
func (r *Runner) deadLetter(ctx context.Context, p *part, dead []flow.EventResult) error {
	w := p.work
	for chunk := range slices.Chunk(dead, deadChunk) {
		size := 0
		for _, e := range chunk {
			size += len(w.batch.Body(e.Index)) + deadHeaders
		}
		d := deadletter.NewBatch(r.pool, size)
		var keys []string
		for _, e := range chunk {
			key := deadletter.Key(w.id, e.Index)
			keys = append(keys, key)
			d.Add(w.batch, e.Index, deadletter.Event{
				Key: key, From: 0, After: 1, Reason: e.Err.Error(), Component: r.component(p), At: time.Now(),
			})
		}
		if err := r.putDead(ctx, p, d.Done(), keys); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) component(p *part) string {
	if p.member != nil {
		return "sink." + p.member.name
	}
	return r.name
}

func (r *Runner) putDead(ctx context.Context, p *part, b *flow.Batch, keys []string) error {
	w, n := p.work, b.Len()
	var slot flow.Slot
	err := r.insist(ctx, func() (err error) {
		slot, err = r.dead.Reserve(ctx, b.Size())
		return err
	})
	if err != nil {
		b.Release()
		return err
	}
	r.mu.Lock()
	w.left++
	if len(w.deadKeys) == 0 {
		r.dying++
	}
	w.deadKeys = append(w.deadKeys, keys...)
	r.mu.Unlock()
	once := sync.OnceFunc(func() { r.settle(w, n) })
	b.OnAck(func(o flow.Outcome) {
		if o != flow.Abandoned {
			once()
		}
	})
	events, bytes := int64(n), b.Bytes()
	if err := r.insist(ctx, func() error { return guard.Call(func() error { return slot.Put(b) }) }); err != nil {
		slot.Release()
		b.OnAck(nil)
		b.Release()
		r.mu.Lock()
		w.left--
		r.mu.Unlock()
		return err
	}
	r.dead.Stats.EventsIn.Add(events)
	r.dead.Stats.BytesIn.Add(bytes)
	for _, s := range r.statsOf(p) {
		s.DeadLettered.Add(events)
		s.EventsIn.Add(events)
	}
	if p.member != nil && p.member.dead != nil {
		p.member.dead.Events.Add(events)
		p.member.dead.Bytes.Add(bytes)
	}
	return nil
}

func (r *Runner) statsOf(p *part) []*flow.Stats {
	var all []*flow.Stats
	if p.member != nil {
		all = append(all, p.member.stats)
	}
	if r.group != nil {
		all = append(all, r.group)
	}
	return all
}

// insist tries until it works or ctx ends. A dead-letter channel that refuses blocks the sink, loudly.
func (r *Runner) insist(ctx context.Context, f func() error) error {
	retry := &wait.Backoff{Initial: 50 * time.Millisecond, Max: 5 * time.Second, Rand: r.rand}
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.dead.Stats.Error(err)
		r.dead.Stats.SetHealth(flow.Retrying, err.Error())
		err = wait.Sleep(ctx, retry.Next())
		r.dead.Stats.SetHealth(flow.OK, "") // it works, fails again, or nobody tries any more
		if err != nil {
			return err
		}
	}
}

// mourns says whether leases wait for events in a volatile dead-letter channel, which end only when they are delivered from there. Its
// sink may hold them back until a file is full.
func (r *Runner) mourns() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dying > 0 && !r.dead.Durable
}

// pressAgain is how often the dead-letter channel is asked to let go what it holds back.
const pressAgain = time.Second

// patience is how long the loop may wait, 0 for ever. While leases wait for dead letters, and others for those leases, it asks again
// and again that the dead be delivered.
func (r *Runner) patience() time.Duration {
	if !r.mourns() {
		return 0
	}
	r.mu.Lock()
	stopping := r.stopping
	r.mu.Unlock()
	if stopping || r.node.Channel.Stats().Full {
		r.dead.Pressure()
	}
	return pressAgain
}

// take takes a lease, and gives up for a look around when the patience is over.
func (r *Runner) take(turn context.Context) (flow.Lease, error) {
	if d := r.patience(); d > 0 {
		short, cancel := context.WithTimeout(turn, d)
		defer cancel()
		return r.consumer.Take(short)
	}
	return r.consumer.Take(turn)
}
