package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// Stop ends the runner. It settles what it has taken until ctx ends; the rest goes back to the channel.
func (r *Runner) Stop(ctx context.Context) error {
	r.quiesce()
	over := context.AfterFunc(ctx, r.cancel)
	ended := wait.ToEnd(ctx, &r.loops)
	over()
	r.cancel()
	if !ended { // it may still write: its leases are not safe to give back
		return fmt.Errorf("%s does not stop", r.name)
	}
	closing, cancel := wait.ToClose(ctx) // closing must end even after the deadline
	defer cancel()
	var stuck error
	for _, m := range r.members {
		err := m.close(closing)
		if err == nil {
			continue
		}
		m.stats.Error(err)
		m.log.Warn("sink did not close cleanly", "sink", m.name, "err", err)
		if errors.Is(err, errStuck) {
			stuck = errors.Join(stuck, fmt.Errorf("sink.%s does not stop", m.name))
		}
	}
	if stuck != nil {
		return stuck
	}
	r.returnAll()
	r.forgetDead(0)
	return nil
}

// returnAll gives all leases back, newest last. The sinks are closed: nobody ends them any more.
func (r *Runner) returnAll() {
	r.mu.Lock()
	views := make([]*flow.Batch, 0, len(r.outstanding))
	seen := map[*part]bool{}
	for _, p := range r.outstanding {
		seen[p] = true
	}
	for _, p := range r.failed {
		seen[p] = true
	}
	for p := range seen {
		if p.batch != nil && p.batch != p.work.batch {
			views = append(views, p.batch)
		}
	}
	r.outstanding, r.failed = map[*flow.Batch]*part{}, nil
	works := inOrder(r.works)
	r.mu.Unlock()
	for _, v := range views {
		v.SetDone(nil)
		v.Release()
	}
	for _, w := range works {
		r.giveBack(w, nil)
	}
}

func inOrder(m map[*work]struct{}) []*work {
	list := make([]*work, 0, len(m))
	for w := range m {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *work) int { return int(int64(a.seq) - int64(b.seq)) })
	return list
}

// Exhaust lets a runner deliver what waits for it now, until ctx ends: nobody does it after it has left.
func (r *Runner) Exhaust(ctx context.Context) {
	waiting, begin := r.consumer.Waiting(), r.out.Load()
	pressed := time.Time{}
	for pause := time.Millisecond; r.consumer.Waiting() > 0 && r.out.Load()-begin < waiting; pause = min(2*pause, 100*time.Millisecond) {
		if time.Since(pressed) > time.Second { // what a sink holds back must come out
			r.Pressure()
			pressed = time.Now()
		}
		if wait.Sleep(ctx, pause) != nil {
			return
		}
	}
}
