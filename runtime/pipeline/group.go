package pipeline

import (
	"context"
	"fmt"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// balance says how a runner chooses among its members.
type balance struct {
	strategy string // "" or failover: the first that is usable; load_balance
	random   bool
	sticky   time.Duration // how long a batch of unknown outcome waits for the same member
	turn     int
}

// choose waits for a member that may take the part.
func (r *runner) choose(ctx context.Context, p *part) (*member, error) {
	for {
		m, wait := r.pick(p, time.Now())
		if m != nil {
			return m, nil
		}
		if !r.wake.Wait(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// pick gives a usable member, or how long to wait for one (0: until something changes).
func (r *runner) pick(p *part, now time.Time) (*member, time.Duration) {
	if s := p.memo.stick; s != nil && len(r.members) > 1 {
		left := p.memo.until.Sub(now)
		if left > 0 {
			ok, wait := s.ready(now)
			if ok {
				return s, 0
			}
			if wait == 0 || wait > left {
				wait = left
			}
			return nil, wait
		}
		p.memo.stick = nil
		if r.group != nil {
			r.group.Duplicates.Add(int64(p.n)) // it may be delivered by two members now
		}
	}
	return r.usable(now)
}

func (r *runner) usable(now time.Time) (*member, time.Duration) {
	var soonest time.Duration
	var free []*member
	for _, m := range r.members {
		ok, wait := m.ready(now)
		if ok {
			free = append(free, m)
		} else if wait > 0 && (soonest == 0 || wait < soonest) {
			soonest = wait
		}
	}
	if len(free) == 0 {
		return nil, soonest
	}
	if r.balance.strategy != "load_balance" || len(free) == 1 {
		return free[0], 0
	}
	if r.balance.random {
		return free[r.rand.Uint64()%uint64(len(free))], 0
	}
	r.balance.turn++
	return r.nextOf(free), 0
}

// nextOf takes the members in turn.
func (r *runner) nextOf(free []*member) *member {
	n := len(r.members)
	for i := range n {
		m := r.members[(r.balance.turn+i)%n]
		for _, f := range free {
			if f == m {
				r.balance.turn = (r.balance.turn + i) % n
				return m
			}
		}
	}
	return free[0]
}

// stop ends the runner. It settles what it has taken until ctx ends; the rest goes back to the channel.
func (r *runner) stop(ctx context.Context) error {
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
	for _, m := range r.members {
		if err := m.close(closing); err != nil {
			m.stats.Error(err)
			m.log.Warn("sink did not close cleanly", "sink", m.name, "err", err)
		}
	}
	r.returnAll()
	r.forgetDead(0)
	return nil
}

// returnAll gives all leases back, newest last. The sinks are closed: nobody ends them any more.
func (r *runner) returnAll() {
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
	works := sortedWorks(r.works)
	r.mu.Unlock()
	for _, v := range views {
		v.SetDone(nil)
		v.Release()
	}
	for _, w := range works {
		r.giveBack(w, nil)
	}
}
