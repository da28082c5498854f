package deliver

import (
	"context"
	"time"
)

// Balance says how a runner chooses among its members.
type Balance struct {
	Strategy string // "" or failover: the first that is usable; load_balance
	Random   bool
	Sticky   time.Duration // how long a batch of unknown outcome waits for the same member
}

type balance struct {
	Balance
	turn int // of the member whose turn it was
}

// choose waits for a member that may take the part.
func (r *Runner) choose(ctx context.Context, p *part) (*Member, error) {
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
func (r *Runner) pick(p *part, now time.Time) (*Member, time.Duration) {
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

func (r *Runner) usable(now time.Time) (*Member, time.Duration) {
	var soonest time.Duration
	var free []*Member
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
	if r.balance.Strategy != "load_balance" || len(free) == 1 {
		return free[0], 0
	}
	if r.balance.Random {
		return free[r.rand.Uint64()%uint64(len(free))], 0
	}
	r.balance.turn++
	return r.nextOf(free), 0
}

// nextOf takes the members in turn.
func (r *Runner) nextOf(free []*Member) *Member {
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
