package disk

import (
	"errors"
	"fmt"
	"io/fs"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// again reads the batch of a returned lease.
func (k *consumer) again(l *lease) (*lease, <-chan struct{}, error) {
	c := k.c
	if l.b = c.cachedBatch(l.seq); l.b != nil {
		return l, nil, nil
	}
	c.mu.Lock()
	at := l.Place
	c.mu.Unlock()
	b, err := k.readAt(at)
	p := segment.Piece{Seg: at.Seg, Off: at.Off, To: at.Off + at.Size}
	switch {
	case err == nil && b != nil:
		l.b = b
		return l, nil, nil
	case errors.Is(err, fs.ErrNotExist) && c.holds(at.Seg):
		p.How = segment.Gone
	case err != nil && k.givesUp(at):
		p.How = segment.Unread
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
func (k *consumer) readAt(at segment.Place) (*flow.Batch, error) {
	f, err := k.r.Open(at.Seg)
	if err != nil {
		return nil, err
	}
	h, found, err := segment.Find(f, at.Seg.Salt, at.Off)
	if err != nil || found != at.Off {
		return nil, err
	}
	return k.c.readBatch(f, &h, at.Off)
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
func (c *Channel) readBatch(f flow.File, h *frame.Header, off int64) (*flow.Batch, error) {
	block := c.env.Pool.Block(h.Body())
	body, err := segment.ReadBody(f, h, off, block)
	if err != nil || body == nil {
		c.env.Pool.Recycle(block)
		return nil, err
	}
	b, err := frame.Unpack(c.codec, c.env.Pool, c.id, h, body)
	if err != nil { // the checksum is right, and still it makes no sense: as good as damaged
		c.env.Log.Error("frame is not readable", "seq", h.Seq, "err", err)
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
	f, err := k.r.Open(seg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, k.missed(seg)
	case err != nil:
		return nil, nil, c.readFailed(err)
	}
	bad := segment.Piece{Seg: seg, Off: k.at.Off, To: limit}
	h, found, err := segment.Find(f, seg.Salt, bad.Off)
	if err != nil && k.givesUp(segment.Place{Seg: seg, Off: bad.Off}) {
		bad.How = segment.Unread
		h, found, err = segment.Find(segment.Tolerant{File: f}, seg.Salt, bad.Off)
	}
	if err != nil {
		return nil, nil, c.readFailed(err)
	}
	if found < 0 || h.Seq > last || found >= limit { // all that is left of this segment is damaged
		return nil, nil, k.lost(bad, last)
	}
	if found > bad.Off {
		bad.To = found
		if err := k.skipTo(bad, &h); err != nil {
			return nil, nil, err
		}
	}
	k.at.Off = found + h.Size()
	k.before, k.known = h.Before+uint64(h.Events), true
	if h.Events == 0 || k.passedBy(h.Seq) {
		return nil, nil, nil
	}
	at := segment.Place{Seg: seg, Off: found, Size: h.Size()}
	b, err := c.readBatch(f, &h, found)
	how := segment.Wrong
	if err != nil && k.givesUp(at) {
		how, err = segment.Unread, nil
	}
	if err != nil {
		k.at.Off, k.known = found, false
		return nil, nil, c.readFailed(err)
	}
	if b == nil {
		return nil, nil, k.damage(segment.Piece{Seg: seg, Off: found, To: found + h.Size(), How: how}, h.Seq, h.Seq, uint64(h.Events))
	}
	l := &lease{k: k, Place: at, seq: h.Seq, events: int(h.Events), after: k.before, seconds: h.Seconds, b: b}
	c.mu.Lock()
	k.missing(h.Seq)
	k.take(l)
	c.mu.Unlock()
	return l, nil, nil
}

// locate gives the segment that holds the next frame, its last frame and where its frames end. nil: the caller tries again.
func (k *consumer) locate() (seg *segment.Segment, last uint64, limit int64) {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := k.at.Seg; s != nil && s == c.segs[0] && k.at.Off == segment.HeadBytes && k.next <= s.Prev { // what came before is gone
		k.gap(s)
		k.missing(s.Prev + 1)
		k.next = s.Prev + 1
	}
	for k.at.Seg == nil || k.next > k.at.Seg.Last || k.at.Seg.Number < c.segs[0].Number {
		var following *segment.Segment
		for _, s := range c.segs {
			if k.at.Seg == nil || s.Number > k.at.Seg.Number {
				following = s
				break
			}
		}
		if following == nil { // what is missing at the very end is lost
			k.missing(c.visible + 1)
			k.next = c.visible + 1
			return nil, 0, 0
		}
		if k.next <= following.Prev { // the segment between is gone
			k.gap(following)
			k.missing(following.Prev + 1)
			k.next = following.Prev + 1
		}
		k.at, k.before, k.known = segment.Place{Seg: following, Off: segment.HeadBytes}, following.Head.Before, true
	}
	return k.at.Seg, k.at.Seg.Last, k.at.Seg.End
}

// gap counts the events between the next frame and a segment. The caller holds the channel's mutex.
func (k *consumer) gap(following *segment.Segment) {
	before, known := k.before, k.known
	if k.next <= k.p.Frontier+1 { // a segment whose frames are all committed goes rightly
		before, known = k.p.Events, true
	}
	after := max(following.Head.Before, before)
	events := after - before - k.p.Within(k.next, following.Prev, before, after)
	name := following.Name + " gap"
	if !known || events == 0 || k.c.bad[name] {
		return
	}
	k.c.bad[name] = true
	k.c.damaged += int64(events)
	k.c.env.Stats.Error(fmt.Errorf("frames %d to %d are gone", k.next, following.Prev))
	k.c.env.Log.Error("a segment is gone", "before", following.Name, "first", k.next, "last", following.Prev, "events", events)
}

// passedBy says whether a frame needs not be taken, and moves on.
func (k *consumer) passedBy(seq uint64) bool {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if seq >= k.next && !k.p.Done(seq) {
		return false
	}
	k.next = max(k.next, seq+1)
	return true
}

// missing commits the numbers between the next frame and seq: no frame has them. The caller holds the channel's mutex.
func (k *consumer) missing(seq uint64) {
	first := max(k.next, k.p.Frontier+1) // what lies before is committed, perhaps in an earlier run
	if len(k.p.Spans) == 0 && first < seq {
		k.commit(cursor.Span{Lo: first, Hi: seq - 1})
		return
	}
	for n := first; n < seq; n++ {
		if !k.p.Done(n) {
			k.commit(cursor.Span{Lo: n, Hi: n})
		}
	}
}

// lost counts the rest of a segment.
func (k *consumer) lost(p segment.Piece, last uint64) error {
	events := uint64(0)
	if before, ok := k.eventsBefore(); ok {
		events = max(k.eventsAfter(p.Seg), before) - before
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
	return k.p.Events, k.next == k.p.Frontier+1
}

// eventsAfter gives the events of the channel up to the end of a segment.
func (k *consumer) eventsAfter(seg *segment.Segment) uint64 {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.segs {
		if s.Number > seg.Number {
			return s.Head.Before
		}
	}
	return c.before
}

// skipTo counts a piece that the next whole frame follows.
func (k *consumer) skipTo(p segment.Piece, h *frame.Header) error {
	events := uint64(1)
	if before, ok := k.eventsBefore(); ok && h.Before > before {
		events = h.Before - before
	}
	k.c.mu.Lock()
	first, last := k.next, h.Seq
	k.c.mu.Unlock()
	if h.Events > 0 {
		last--
	}
	if first > last {
		first, last, events = 1, 0, 0 // a frame of positions, or one that was delivered
	}
	return k.damage(p, first, last, events)
}

// damage sets a piece of a segment aside, counts its events, and commits the frames that were in it. Frames first to last are
// gone; none when first is beyond last.
func (k *consumer) damage(p segment.Piece, first, last, events uint64) error {
	c := k.c
	name := p.Name()
	c.mu.Lock()
	known := c.bad[name]
	c.mu.Unlock()
	if !known {
		if err := k.setAside(p); err != nil {
			return c.readFailed(err)
		}
		c.env.Stats.Error(errors.New(p.String()))
		c.env.Log.Error("damaged data", "what", p.String(), "bytes", p.To-p.Off, "events", events)
	}
	c.mu.Lock()
	if !c.bad[name] {
		c.bad[name] = true
		c.damaged += int64(events)
	}
	if p.How == segment.Unread {
		c.keep[p.Seg.Number] = true
	}
	for n := first; n <= last; n++ {
		if !k.p.Done(n) {
			k.commit(cursor.Span{Lo: n, Hi: n, Events: events, End: cursor.Pos{Segment: p.Seg.Number, Off: p.To}})
			events = 0 // the range's events are counted once
		}
	}
	k.next = max(k.next, last+1)
	if k.at.Seg == p.Seg {
		k.at.Off = max(k.at.Off, p.To)
	}
	c.mu.Unlock()
	k.store()
	return nil
}

func (k *consumer) setAside(p segment.Piece) error {
	if p.How == segment.Gone {
		return nil
	}
	f, err := k.r.Open(p.Seg)
	if err != nil {
		return err
	}
	return segment.SetAside(k.c.dir, f, p.Name(), p.Off, p.To)
}
