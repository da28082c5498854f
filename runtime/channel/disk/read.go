package disk

import (
	"errors"
	"fmt"
	"io/fs"

	"collect/runtime/flow"
)

// again reads the batch of a returned lease.
func (k *consumer) again(l *lease) (*lease, <-chan struct{}, error) {
	c := k.c
	if l.b = c.cachedBatch(l.seq); l.b != nil {
		return l, nil, nil
	}
	c.mu.Lock()
	at := l.place
	c.mu.Unlock()
	b, err := k.readAt(at)
	p := piece{seg: at.seg, off: at.off, to: at.off + at.size}
	switch {
	case err == nil && b != nil:
		l.b = b
		return l, nil, nil
	case errors.Is(err, fs.ErrNotExist) && c.holds(at.seg):
		p.how = gone
	case err != nil && k.givesUp(at):
		p.how = unread
	case err != nil:
		l.Return()
		return nil, nil, c.readFailed(err)
	}
	if err := k.damage(p, l.seq, l.seq, uint64(l.events)); err != nil {
		l.Return()
		return nil, nil, err
	}
	c.mu.Lock()
	delete(k.open, l.seq)
	c.mu.Unlock()
	return nil, nil, nil
}

// readAt reads a frame that was read before; nil without an error means damage.
func (k *consumer) readAt(at place) (*flow.Batch, error) {
	f, err := k.r.open(at.seg)
	if err != nil {
		return nil, err
	}
	h, found, err := findFrame(f, at.seg.salt, at.off)
	if err != nil || found != at.off {
		return nil, err
	}
	return k.c.readBatch(f, &h, at.off)
}

// cachedBatch lends a batch that is still in memory.
func (c *Channel) cachedBatch(seq uint64) *flow.Batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) == 0 || seq < c.tail[0].seq || seq > c.tail[len(c.tail)-1].seq {
		return nil
	}
	if e := c.tail[seq-c.tail[0].seq]; e.b != nil {
		return e.b.Lend()
	}
	return nil
}

// readBatch reads a frame's batch; nil without an error means damage.
func (c *Channel) readBatch(f flow.File, h *frame, off int64) (*flow.Batch, error) {
	block := c.env.Pool.Block(h.body())
	body, err := readBody(f, h, off, block)
	if err != nil || body == nil {
		c.env.Pool.Recycle(block)
		return nil, err
	}
	b, err := unpack(c.codec, c.env.Pool, c.id, h, body)
	if err != nil { // the checksum is right, and still it makes no sense: as good as damaged
		c.env.Log.Error("frame is not readable", "seq", h.seq, "err", err)
		return nil, nil
	}
	return b, nil
}

func (c *Channel) readFailed(err error) error {
	c.mu.Lock()
	c.lastErr = err
	c.mu.Unlock()
	return fmt.Errorf("read channel: %w", err)
}

// fromDisk takes the next frame from its file. The caller has the turn.
func (k *consumer) fromDisk() (*lease, <-chan struct{}, error) {
	c := k.c
	seg, last, limit := k.locate()
	if seg == nil {
		return nil, nil, nil
	}
	f, err := k.r.open(seg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, k.missed(seg)
	case err != nil:
		return nil, nil, c.readFailed(err)
	}
	bad := piece{seg: seg, off: k.at.off, to: limit}
	h, found, err := findFrame(f, seg.salt, bad.off)
	if err != nil && k.givesUp(place{seg: seg, off: bad.off}) {
		bad.how = unread
		h, found, err = findFrame(tolerant{f}, seg.salt, bad.off)
	}
	if err != nil {
		return nil, nil, c.readFailed(err)
	}
	if found < 0 || h.seq > last || found >= limit { // all that is left of this segment is damaged
		return nil, nil, k.lost(bad, last)
	}
	if found > bad.off {
		bad.to = found
		if err := k.skipTo(bad, &h); err != nil {
			return nil, nil, err
		}
	}
	k.at.off = found + h.size()
	k.before, k.known = h.before+uint64(h.events), true
	if h.events == 0 || k.passedBy(h.seq) {
		return nil, nil, nil
	}
	at := place{seg, found, h.size()}
	b, err := c.readBatch(f, &h, found)
	how := wrong
	if err != nil && k.givesUp(at) {
		how, err = unread, nil
	}
	if err != nil {
		k.at.off, k.known = found, false
		return nil, nil, c.readFailed(err)
	}
	if b == nil {
		return nil, nil, k.damage(piece{seg, found, found + h.size(), how}, h.seq, h.seq, uint64(h.events))
	}
	l := &lease{k: k, place: at, seq: h.seq, events: int(h.events), after: k.before, seconds: h.seconds, b: b}
	c.mu.Lock()
	k.missing(h.seq)
	k.take(l)
	c.mu.Unlock()
	return l, nil, nil
}

// locate gives the segment that holds the next frame, its last frame and where its frames end. nil: the caller tries again.
func (k *consumer) locate() (seg *segment, last uint64, limit int64) {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := k.at.seg; s != nil && s == c.segs[0] && k.at.off == headBytes && k.next <= s.prev { // what came before is gone
		k.gap(s)
		k.missing(s.prev + 1)
		k.next = s.prev + 1
	}
	for k.at.seg == nil || k.next > k.at.seg.last || k.at.seg.number < c.segs[0].number {
		var following *segment
		for _, s := range c.segs {
			if k.at.seg == nil || s.number > k.at.seg.number {
				following = s
				break
			}
		}
		if following == nil { // what is missing at the very end is lost
			k.missing(c.visible + 1)
			k.next = c.visible + 1
			return nil, 0, 0
		}
		if k.next <= following.prev { // the segment between is gone
			k.gap(following)
			k.missing(following.prev + 1)
			k.next = following.prev + 1
		}
		k.at, k.before, k.known = place{seg: following, off: headBytes}, following.head.before, true
	}
	return k.at.seg, k.at.seg.last, k.at.seg.end
}

// gap counts the events between the next frame and a segment. The caller holds the channel's mutex.
func (k *consumer) gap(following *segment) {
	before, known := k.before, k.known
	if k.next <= k.p.frontier+1 { // a segment whose frames are all committed goes rightly
		before, known = k.p.events, true
	}
	after := max(following.head.before, before)
	events := after - before - k.p.within(k.next, following.prev, before, after)
	name := following.name + " gap"
	if !known || events == 0 || k.c.bad[name] {
		return
	}
	k.c.bad[name] = true
	k.c.damaged += int64(events)
	k.c.env.Stats.Error(fmt.Errorf("frames %d to %d are gone", k.next, following.prev))
	k.c.env.Log.Error("a segment is gone", "before", following.name, "first", k.next, "last", following.prev, "events", events)
}

// passedBy says whether a frame needs not be taken, and moves on.
func (k *consumer) passedBy(seq uint64) bool {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if seq >= k.next && !k.p.done(seq) {
		return false
	}
	k.next = max(k.next, seq+1)
	return true
}

// missing commits the numbers between the next frame and seq: no frame has them. The caller holds the channel's mutex.
func (k *consumer) missing(seq uint64) {
	first := max(k.next, k.p.frontier+1) // what lies before is committed, perhaps in an earlier run
	if len(k.p.spans) == 0 && first < seq {
		k.commit(span{lo: first, hi: seq - 1})
		return
	}
	for n := first; n < seq; n++ {
		if !k.p.done(n) {
			k.commit(span{lo: n, hi: n})
		}
	}
}

// lost counts the rest of a segment.
func (k *consumer) lost(p piece, last uint64) error {
	events := uint64(0)
	if before, ok := k.eventsBefore(); ok {
		events = max(k.eventsAfter(p.seg), before) - before
	}
	k.c.mu.Lock()
	first := k.next
	k.c.mu.Unlock()
	return k.damage(p, first, last, max(events, 1))
}

// eventsBefore gives the events of the channel before the next frame, when they are known.
func (k *consumer) eventsBefore() (n uint64, ok bool) {
	if k.known {
		return k.before, true
	}
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	return k.p.events, k.next == k.p.frontier+1
}

// eventsAfter gives the events of the channel up to the end of a segment.
func (k *consumer) eventsAfter(seg *segment) uint64 {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.segs {
		if s.number > seg.number {
			return s.head.before
		}
	}
	return c.before
}

// skipTo counts a piece that the next whole frame follows.
func (k *consumer) skipTo(p piece, h *frame) error {
	events := uint64(1)
	if before, ok := k.eventsBefore(); ok && h.before > before {
		events = h.before - before
	}
	k.c.mu.Lock()
	first, last := k.next, h.seq
	k.c.mu.Unlock()
	if h.events > 0 {
		last--
	}
	if first > last {
		first, last, events = 1, 0, 0 // a frame of positions, or one that was delivered
	}
	return k.damage(p, first, last, events)
}

// damage sets a piece of a segment aside, counts its events, and commits the frames that were in it. Frames first to last are
// gone; none when first is beyond last.
func (k *consumer) damage(p piece, first, last, events uint64) error {
	c := k.c
	name := p.name()
	c.mu.Lock()
	known := c.bad[name]
	c.mu.Unlock()
	if !known {
		if err := k.setAside(p); err != nil {
			return c.readFailed(err)
		}
		c.env.Stats.Error(errors.New(p.String()))
		c.env.Log.Error("damaged data", "what", p.String(), "bytes", p.to-p.off, "events", events)
	}
	c.mu.Lock()
	if !c.bad[name] {
		c.bad[name] = true
		c.damaged += int64(events)
	}
	if p.how == unread {
		c.keep[p.seg.number] = true
	}
	for n := first; n <= last; n++ {
		if !k.p.done(n) {
			k.commit(span{lo: n, hi: n, events: events, end: cursorPos{p.seg.number, p.to}})
			events = 0 // the range's events are counted once
		}
	}
	k.next = max(k.next, last+1)
	if k.at.seg == p.seg {
		k.at.off = max(k.at.off, p.to)
	}
	c.mu.Unlock()
	k.store()
	return nil
}

func (k *consumer) setAside(p piece) error {
	if p.how == gone {
		return nil
	}
	f, err := k.r.open(p.seg)
	if err != nil {
		return err
	}
	return setAside(k.c.dir, f, p.name(), p.off, p.to)
}
