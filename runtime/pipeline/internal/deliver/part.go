package deliver

import (
	"slices"
	"time"

	"collect/runtime/flow"
)

// Limits bound what a sink gets at once; 0 is none.
type Limits struct {
	Events int
	Bytes  int64
}

// work is one lease.
type work struct {
	seq      uint64
	lease    flow.Lease
	batch    *flow.Batch
	id       flow.ID
	events   int
	bytes    int64
	left     int // parts not settled
	settled  int // events delivered or dead-lettered
	deadKeys []string
	poison   map[int]error // events that can never be delivered, known before it was tried
	ended    bool
	returned bool // ended by going back to the channel
}

// part is what is written to a sink at once: a lease's batch, or some of its events.
type part struct {
	work   *work
	order  int
	events []int // of the work's batch; nil: all
	n      int
	bytes  int64
	batch  *flow.Batch // what the sink got; nil: not made yet
	member *Member
	result *flow.Result // nil: it was not tried, or interrupted before it was accepted
	memo   memo
}

// memo is what must not be forgotten when a lease is returned and taken again.
type memo struct {
	stick  *Member // whose answer is unknown
	until  time.Time
	poison map[int]error // events that can never be delivered
}

// split cuts a lease into parts. Events that are known to be undeliverable were taken out before.
func (r *Runner) split(w *work) []*part {
	r.mu.Lock()
	m := r.memos[w.id]
	delete(r.memos, w.id)
	r.mu.Unlock()
	if m == nil {
		m = &memo{}
	}
	w.poison = m.poison
	lim := r.limits
	if m.poison == nil && (lim.Events == 0 || w.events <= lim.Events) && (lim.Bytes == 0 || w.bytes <= lim.Bytes) {
		if w.events == 0 {
			return nil
		}
		return []*part{{work: w, n: w.events, bytes: w.bytes, memo: *m}}
	}
	return r.cut(w, m)
}

func (r *Runner) cut(w *work, m *memo) []*part {
	var parts []*part
	var dead []flow.EventResult
	p := &part{work: w, memo: memo{stick: m.stick, until: m.until}}
	for i := range w.events {
		if err := m.poison[i]; err != nil {
			dead = append(dead, flow.EventResult{Index: i, Err: err})
			continue
		}
		size := int64(w.batch.Recs()[i].BodyLen())
		if p.n > 0 && (r.limits.Events > 0 && p.n >= r.limits.Events || r.limits.Bytes > 0 && p.bytes+size > r.limits.Bytes) {
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
