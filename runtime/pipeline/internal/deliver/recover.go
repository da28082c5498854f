package deliver

import (
	"context"
	"errors"
	"slices"
	"time"

	"collect/runtime/flow"
)

// flush makes the members end what they have accepted.
func (r *Runner) flush(ctx context.Context) {
	if r.mourns() {
		r.dead.Pressure()
	}
	for _, m := range r.members {
		m.flush(ctx)
	}
}

// recover tries again what failed. First everything in flight must end, so that the order can be kept.
func (r *Runner) recover(ctx context.Context) {
	for r.busy() && ctx.Err() == nil {
		if !r.mendBroken(ctx) {
			r.flush(ctx)
			if !r.mendBroken(ctx) && r.busy() && !r.wake.Wait(ctx, time.Second) {
				return
			}
		}
	}
	r.mendBroken(ctx)
	r.mu.Lock()
	failed := r.failed
	r.failed = nil
	r.mu.Unlock()
	slices.SortFunc(failed, func(a, b *part) int {
		if a.work != b.work {
			return int(int64(a.work.seq) - int64(b.work.seq))
		}
		return a.order - b.order
	})
	var again []*part
	returned := false
	for _, p := range failed {
		if p.work.returned { // with another part of it; its memory is not ours any more
			r.setDown(p)
			continue
		}
		left := r.examine(ctx, p)
		returned = returned || p.work.returned
		for _, q := range left {
			if returned && r.follow(q) {
				continue
			}
			again = append(again, q)
		}
	}
	if r.leaving() {
		r.mu.Lock()
		r.failed = append(r.failed, again...)
		r.mu.Unlock()
		return
	}
	r.writeAll(r.newTurn(), again)
}

// follow gives a lease back because an older one went back: it must not be written before that one comes again. A lease of
// which something is delivered stays, since it would be delivered twice.
func (r *Runner) follow(p *part) bool {
	r.mu.Lock()
	whole := p.work.settled == 0 && len(p.work.deadKeys) == 0
	r.mu.Unlock()
	if !whole {
		return false
	}
	r.setDown(p)
	r.giveBack(p.work, &memo{stick: p.memo.stick, until: p.memo.until, poison: p.work.poison})
	return true
}

func (r *Runner) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.outstanding) > 0
}

// leaving says that nothing is tried again: the runner stops, and the channel keeps what is not delivered.
func (r *Runner) leaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping && r.node.Durable
}

// mendBroken makes members anew that panicked, and takes back what they had.
func (r *Runner) mendBroken(ctx context.Context) (any bool) {
	for _, m := range r.members {
		if !m.isBroken() {
			continue
		}
		any = true
		if err := m.close(ctx); err != nil {
			m.stats.Error(err)
		}
		r.mu.Lock()
		for b, p := range r.outstanding {
			if p.member == m {
				delete(r.outstanding, b)
				b.SetDone(nil)
				p.result = &flow.Result{Err: errors.New("the sink panicked"), Unknown: true}
				r.failed = append(r.failed, p)
			}
		}
		r.mu.Unlock()
		m.failed(false)
		m.start(r.context)
	}
	return any
}

// examine decides about one failed part: what is permanent goes to the dead-letter channel, the rest is given as parts to try
// again, or with its lease back to the channel when its memory is gone.
func (r *Runner) examine(ctx context.Context, p *part) []*part {
	if p.result == nil {
		return []*part{p}
	}
	res := p.result
	r.noteFailure(p, res)
	dead, again := p.sort(res)
	if len(dead) > 0 && r.dead == nil {
		r.block(p, dead[0].Err)
		dead, again = nil, p.sortAll(res)
	}
	delivered := p.n - len(dead) - len(again)
	lost := p.batch != nil && p.batch.Unloaded() && p.work.batch.Unloaded()
	if lost {
		keep := &memo{stick: p.memo.stick, until: p.memo.until, poison: map[int]error{}}
		for _, e := range dead {
			keep.poison[e.Index] = e.Err
		}
		if len(keep.poison) == 0 {
			keep.poison = nil
		}
		if delivered > 0 {
			r.node.Stats.Duplicates.Add(int64(delivered))
		}
		r.giveBack(p.work, keep)
		return nil
	}
	if delivered > 0 {
		r.delivered(p, delivered, p.bytes*int64(delivered)/int64(p.n))
	}
	r.setDown(p)
	return r.after(ctx, p, dead, again, delivered)
}

// setDown releases a view; what is left of the part is selected anew.
func (r *Runner) setDown(p *part) {
	if p.batch != nil && p.batch != p.work.batch {
		p.batch.Release()
	}
	p.batch = nil
}

// after sends the dead to their channel and gives what is to be tried again.
func (r *Runner) after(ctx context.Context, p *part, dead []flow.EventResult, again []int, delivered int) []*part {
	w := p.work
	if len(dead) > 0 {
		if err := r.deadLetter(ctx, p, dead); err != nil { // it stops: the lease goes back whole
			r.mu.Lock()
			w.settled += delivered
			r.mu.Unlock()
			return []*part{{work: w, order: p.order, events: p.events, n: p.n, bytes: p.bytes, result: p.result, memo: p.memo, member: p.member}}
		}
	}
	if len(again) == 0 {
		if p.member != nil {
			p.member.worked()
		}
		r.settle(w, delivered)
		return nil
	}
	r.mu.Lock()
	w.settled += delivered
	r.mu.Unlock()
	if len(again) == p.n {
		return []*part{{work: w, order: p.order, events: p.events, n: p.n, bytes: p.bytes, memo: p.memo}}
	}
	n := &part{work: w, order: p.order, events: again, n: len(again), memo: p.memo}
	for _, i := range again {
		n.bytes += int64(w.batch.Recs()[i].BodyLen())
	}
	return []*part{n}
}

// noteFailure counts a failure and makes the member pause.
func (r *Runner) noteFailure(p *part, res *flow.Result) {
	err := res.Err
	if err == nil && len(res.Events) > 0 {
		err = res.Events[0].Err
	}
	m := p.member
	if m == nil || err == nil {
		return
	}
	m.stats.Retries.Add(1)
	m.report(err, flow.Retrying)
	if !flow.IsPermanent(err) {
		m.failed(false)
	}
	if res.Unknown {
		n := int64(p.n)
		m.stats.Duplicates.Add(n)
		if p.memo.stick == nil {
			p.memo.stick, p.memo.until = m, time.Now().Add(r.balance.Sticky)
		}
	}
}

func (r *Runner) block(p *part, err error) {
	if p.member == nil {
		return
	}
	p.member.stats.SetHealth(flow.Blocked, "an event can never be delivered and no dead_letter channel is declared: "+err.Error())
	p.member.failed(true)
}
