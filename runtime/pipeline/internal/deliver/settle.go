package deliver

import (
	"fmt"
	"time"

	"collect/runtime/pipeline/internal/guard"
)

// settle notes that a part is delivered or dead-lettered, and commits the lease after its last one.
func (r *Runner) settle(w *work, n int) {
	r.mu.Lock()
	w.left--
	w.settled += n
	end := w.left == 0 && !w.ended
	w.ended = w.ended || end
	r.mu.Unlock()
	if !end {
		return
	}
	err := guard.Call(w.lease.Commit)
	if err != nil { // the batch is delivered; after a restart it may be once more
		r.node.Stats.Error(fmt.Errorf("commit: %w", err))
		r.node.Stats.Duplicates.Add(int64(w.events))
	}
	r.out.Add(int64(w.events))
	if r.counts.Load() {
		r.node.Stats.EventsOut.Add(int64(w.events))
		r.node.Stats.BytesOut.Add(w.bytes)
	}
	if err == nil && len(w.deadKeys) > 0 { // a copy after a crash is no danger any more
		r.mu.Lock()
		r.forget = append(r.forget, buried{time.Now(), w.deadKeys})
		r.mu.Unlock()
	}
	r.end(w)
}

// end forgets a lease that is committed or returned.
func (r *Runner) end(w *work) {
	r.mu.Lock()
	delete(r.works, w)
	if len(w.deadKeys) > 0 {
		r.dying--
	}
	r.inFlight -= int64(w.events)
	r.inBytes -= w.bytes
	stop := r.stopping && r.endTurn != nil
	if stop {
		r.endTurn()
	}
	r.mu.Unlock()
	w.batch.Release()
	r.wake.Set()
}

// buried are the keys of dead letters whose origin was committed at a time.
type buried struct {
	at   time.Time
	keys []string
}

// mourning is how long the dead-letter channel knows an event after its origin is committed. The commit is safe from a kill at once and
// from a power cut within a second; before, the origin may come again.
const mourning = 3 * time.Second

// forgetDead tells the dead-letter channel that the origins of these keys are committed for good.
func (r *Runner) forgetDead(least time.Duration) {
	var keys []string
	r.mu.Lock()
	for len(r.forget) > 0 && time.Since(r.forget[0].at) >= least {
		keys = append(keys, r.forget[0].keys...)
		r.forget = r.forget[1:]
	}
	r.mu.Unlock()
	for _, k := range keys {
		r.dead.Channel.Forget(k)
	}
}

// giveBack returns a lease to the channel, to be taken again.
func (r *Runner) giveBack(w *work, keep *memo) {
	r.mu.Lock()
	over, settled := w.ended, w.settled
	w.ended, w.returned = true, true
	if keep != nil && !over {
		r.memos[w.id] = keep
	}
	r.mu.Unlock()
	if over {
		return
	}
	r.node.Stats.Duplicates.Add(int64(settled))                   // they come again
	_ = guard.Call(func() error { w.lease.Return(); return nil }) // a channel that panics here has the lease still
	r.end(w)
}
