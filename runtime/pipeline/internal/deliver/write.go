package deliver

import (
	"context"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/guard"
)

// writeGrace is how long a write may go on when there is something else to do. What is cut short is sent again, so a write that is
// only slow should end; one that hangs must not hold up a stop or what failed before it.
const writeGrace = 5 * time.Second

// writing is the write in progress. The runner's mutex guards it.
type writing struct {
	context context.Context // used for many writes, until one is cut short
	cancel  context.CancelFunc
	number  uint64
	busy    bool
	cut     *time.Timer // ends it; nil: nobody waits for its end
}

// beginWrite notes that the part is at the sink, unless there is something else to do. The part's batch is made.
func (r *Runner) beginWrite(turn context.Context, p *part) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if turn.Err() != nil {
		return nil
	}
	w := &r.inWrite
	if w.context == nil || w.context.Err() != nil {
		w.context, w.cancel = context.WithCancel(r.context)
	}
	w.number++
	w.busy = true
	p.batch.SetDone(r.done)
	r.outstanding[p.batch] = p
	return w.context
}

// endWrite notes that the sink has accepted the part, or has not.
func (r *Runner) endWrite(b *flow.Batch, accepted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inWrite.busy = false
	if r.inWrite.cut != nil {
		r.inWrite.cut.Stop()
		r.inWrite.cut = nil
	}
	if !accepted {
		delete(r.outstanding, b)
		b.SetDone(nil)
	}
}

// hurry ends the write in progress, if it does not end by itself. The caller holds the mutex.
func (r *Runner) hurry() {
	w := &r.inWrite
	if !w.busy || w.cut != nil {
		return
	}
	number := w.number
	w.cut = time.AfterFunc(writeGrace, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if w.busy && w.number == number {
			w.cancel()
		}
	})
}

// writeAll writes parts in order. When it is interrupted, the rest is put where what failed is tried again, in order.
func (r *Runner) writeAll(turn context.Context, parts []*part) {
	for i, p := range parts {
		if p.result == nil && turn.Err() == nil && r.write(turn, p) {
			continue
		}
		r.interrupt(func() { r.failed = append(r.failed, parts[i:]...) })
		return
	}
}

// write hands one part to a member; false: it was not accepted.
func (r *Runner) write(turn context.Context, p *part) bool {
	m, err := r.choose(turn, p)
	if err != nil {
		p.result = nil
		return false
	}
	if p.batch == nil {
		p.batch = p.work.batch
		if p.events != nil {
			p.batch = p.work.batch.Select(p.events)
		}
	}
	p.member, p.result = m, nil
	b := p.batch
	ctx := r.beginWrite(turn, p)
	if ctx == nil {
		return false
	}
	err = m.write(ctx, b)
	r.endWrite(b, err == nil)
	if err == nil {
		return true
	}
	if ctx.Err() == nil || guard.IsPanic(err) {
		p.result = &flow.Result{Err: err}
	}
	return false
}
