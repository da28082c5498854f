package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/guard"
)

// partLimits bound what a sink gets at once; 0 is none.
type partLimits struct {
	events int
	bytes  int64
}

// split cuts a lease into parts. Events that are known to be undeliverable were taken out before.
func (r *runner) split(w *work) []*part {
	r.mu.Lock()
	m := r.memos[w.id]
	delete(r.memos, w.id)
	r.mu.Unlock()
	if m == nil {
		m = &memo{}
	}
	lim := r.limits
	if m.poison == nil && (lim.events == 0 || w.events <= lim.events) && (lim.bytes == 0 || w.bytes <= lim.bytes) {
		if w.events == 0 {
			return nil
		}
		return []*part{{work: w, n: w.events, bytes: w.bytes, memo: *m}}
	}
	return r.cut(w, m)
}

func (r *runner) cut(w *work, m *memo) []*part {
	var parts []*part
	var dead []flow.EventResult
	p := &part{work: w, memo: memo{stick: m.stick, until: m.until}}
	for i := range w.events {
		if err := m.poison[i]; err != nil {
			dead = append(dead, flow.EventResult{Index: i, Err: err})
			continue
		}
		size := int64(w.batch.Recs()[i].BodyLen())
		if p.n > 0 && (r.limits.events > 0 && p.n >= r.limits.events || r.limits.bytes > 0 && p.bytes+size > r.limits.bytes) {
			parts = append(parts, p)
			p = &part{work: w, order: len(parts), memo: p.memo}
		}
		p.events = append(p.events, i)
		p.n++
		p.bytes += size
	}
	if p.n > 0 {
		parts = append(parts, p)
	}
	if len(dead) > 0 { // tried again as what failed, which finds the dead-letter channel
		d := &part{work: w, order: len(parts), n: len(dead), result: &flow.Result{}}
		for k, e := range dead {
			d.events = append(d.events, e.Index)
			d.result.Events = append(d.result.Events, flow.EventResult{Index: k, Err: e.Err})
		}
		parts = append(parts, d)
	}
	return parts
}

// settle notes that a part is delivered or dead-lettered, and commits the lease after its last one.
func (r *runner) settle(w *work, n int) {
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
		r.node.stats.Error(fmt.Errorf("commit: %w", err))
		r.node.stats.Duplicates.Add(int64(w.events))
	}
	r.out.Add(int64(w.events))
	if r.counts.Load() {
		r.node.stats.EventsOut.Add(int64(w.events))
		r.node.stats.BytesOut.Add(w.bytes)
	}
	if err == nil && len(w.deadKeys) > 0 { // a copy after a crash is no danger any more
		r.mu.Lock()
		r.forget = append(r.forget, buried{time.Now(), w.deadKeys})
		r.mu.Unlock()
	}
	r.end(w)
}

// end forgets a lease that is committed or returned.
func (r *runner) end(w *work) {
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
func (r *runner) forgetDead(least time.Duration) {
	var keys []string
	r.mu.Lock()
	for len(r.forget) > 0 && time.Since(r.forget[0].at) >= least {
		keys = append(keys, r.forget[0].keys...)
		r.forget = r.forget[1:]
	}
	r.mu.Unlock()
	for _, k := range keys {
		r.dead.ch.Forget(k)
	}
}

// giveBack returns a lease to the channel, to be taken again.
func (r *runner) giveBack(w *work, keep *memo) {
	r.mu.Lock()
	over := w.ended
	w.ended, w.returned = true, true
	if keep != nil && !over {
		r.memos[w.id] = keep
	}
	r.mu.Unlock()
	if over {
		return
	}
	if w.settled > 0 {
		r.node.stats.Duplicates.Add(int64(w.settled))
	}
	_ = guard.Call(func() error { w.lease.Return(); return nil }) // a channel that panics here has the lease still
	r.end(w)
}

// flush makes the members end what they have accepted.
func (r *runner) flush(ctx context.Context) {
	if r.mourns() {
		r.dead.pressure()
	}
	for _, m := range r.members {
		m.flush(ctx)
	}
}

// recover tries again what failed. First everything in flight must end, so that the order can be kept.
func (r *runner) recover(ctx context.Context) {
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
func (r *runner) follow(p *part) bool {
	r.mu.Lock()
	whole := p.work.settled == 0 && len(p.work.deadKeys) == 0
	r.mu.Unlock()
	if !whole {
		return false
	}
	r.setDown(p)
	r.giveBack(p.work, &memo{stick: p.memo.stick, until: p.memo.until})
	return true
}

func (r *runner) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.outstanding) > 0
}

// leaving says that nothing is tried again: the runner stops, and the channel keeps what is not delivered.
func (r *runner) leaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping && r.node.durable
}

// mendBroken makes members anew that panicked, and takes back what they had.
func (r *runner) mendBroken(ctx context.Context) (any bool) {
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
func (r *runner) examine(ctx context.Context, p *part) []*part {
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
			r.node.stats.Duplicates.Add(int64(delivered))
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
func (r *runner) setDown(p *part) {
	if p.batch != nil && p.batch != p.work.batch {
		p.batch.Release()
	}
	p.batch = nil
}

// after sends the dead to their channel and gives what is to be tried again.
func (r *runner) after(ctx context.Context, p *part, dead []flow.EventResult, again []int, delivered int) []*part {
	w := p.work
	if len(dead) > 0 {
		if err := r.deadLetter(ctx, p, dead); err != nil { // it stops: the lease goes back whole
			return []*part{{work: w, order: p.order, events: p.events, n: p.n, bytes: p.bytes, result: p.result, memo: p.memo, member: p.member}}
		}
	}
	if len(again) == 0 {
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
func (r *runner) noteFailure(p *part, res *flow.Result) {
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
			p.memo.stick, p.memo.until = m, time.Now().Add(r.balance.sticky)
		}
	}
}

func (r *runner) block(p *part, err error) {
	if p.member == nil {
		return
	}
	p.member.stats.SetHealth(flow.Blocked, "an event can never be delivered and no dead_letter channel is declared: "+err.Error())
	p.member.failed(true)
}

// sort gives the events of a failed part that can never be delivered, and those to try again, by their index in the lease.
func (p *part) sort(res *flow.Result) (dead []flow.EventResult, again []int) {
	if res.Err != nil {
		if !flow.IsPermanent(res.Err) {
			return nil, p.sortAll(res)
		}
		for _, i := range p.sortAll(res) {
			dead = append(dead, flow.EventResult{Index: i, Err: res.Err})
		}
		return dead, nil
	}
	for _, e := range res.Events {
		if flow.IsPermanent(e.Err) {
			dead = append(dead, flow.EventResult{Index: p.index(e.Index), Err: e.Err})
		} else {
			again = append(again, p.index(e.Index))
		}
	}
	slices.Sort(again)
	return dead, again
}

// sortAll gives all events that failed.
func (p *part) sortAll(res *flow.Result) []int {
	var all []int
	if res.Err == nil {
		for _, e := range res.Events {
			all = append(all, p.index(e.Index))
		}
		slices.Sort(all)
		return all
	}
	for i := range p.n {
		all = append(all, p.index(i))
	}
	return all
}

func (p *part) index(i int) int {
	if p.events == nil {
		return i
	}
	return p.events[i]
}
