package disk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"collect/runtime/flow"
)

// hardUnsynced is how much may wait for the disk before writers wait too, with sync = "interval".
const hardUnsynced = 32 << 20

// Reserve waits for room.
func (c *Channel) Reserve(ctx context.Context, n flow.Size) (flow.Slot, error) {
	size := n.Bytes
	if err := c.room.Reserve(ctx, size, c.cfg.WhenFull == "reject", c.press); err != nil {
		return nil, err
	}
	return &slot{c: c, bytes: size}, nil
}

type slot struct {
	c     *Channel
	bytes int64
}

// Release gives the room back.
func (s *slot) Release() {
	if s.c != nil {
		s.c.room.Add(-s.bytes)
		s.c = nil
	}
}

// Put writes a batch. It does not wait for the disk.
func (s *slot) Put(b *flow.Batch) error {
	c := s.c
	if c == nil {
		return errEnded
	}
	c.mu.Lock()
	usable := c.opened && !c.closed
	c.mu.Unlock()
	if !usable {
		return flow.ErrClosed
	}
	b.SkipDecided(c.Decided)
	if b.Len() == 0 {
		if err := c.decide(b); err != nil {
			return err
		}
		s.Release()
		return nil
	}
	p := prepared{ack: b.AckFunc()}
	var err error
	if p.packed, err = pack(b, c.codec); err != nil {
		return err
	}
	c.turn <- struct{}{}
	err = c.write(&p)
	<-c.turn
	if err != nil {
		if p.batch != b {
			p.batch.Release()
		}
		return fmt.Errorf("write to channel: %w", err)
	}
	if p.batch != b { // the copy is what is held from here on
		b.Release()
	}
	c.room.Add(p.header.size() - s.bytes)
	s.c = nil
	if c.cfg.Sync == syncInterval && p.ack != nil {
		p.ack(flow.Durable)
	}
	c.wake()
	return nil
}

// decide notes the positions of a batch without events. It is acknowledged when all that was written before is durable: the
// batch may be without events because an earlier one has them.
func (c *Channel) decide(b *flow.Batch) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return flow.ErrClosed
	}
	for _, r := range b.Runs() {
		if pos, ok := c.decided[r.Key]; len(r.Key) <= maxKey && (!ok || r.To > pos) {
			c.decided[r.Key] = r.To
			c.markDirty(r.Key, r.To)
		}
	}
	ack := func(o flow.Outcome) { b.Ack(o); b.Release() }
	if n := len(c.tail); n > 0 && c.synced < c.tail[n-1].seq && c.cfg.Sync == syncBatch {
		c.tail[n-1].acks = append(c.tail[n-1].acks, ack)
		ack = nil
	}
	c.mu.Unlock()
	if ack != nil {
		ack(flow.Durable)
	}
	return nil
}

// prepared is a batch that is ready to be written but for its number and place.
type prepared struct {
	packed
	ack func(flow.Outcome) // may be nil
}

// write writes a frame behind the newest one. The caller has the turn.
func (c *Channel) write(p *prepared) error {
	c.mu.Lock()
	closed, failed, durable := c.closed, c.failed, c.synced
	extra := c.takeDirty()
	p.header.seq, p.header.before, p.header.epoch = c.next, c.before, c.epoch
	c.mu.Unlock()
	if closed {
		return flow.ErrClosed
	}
	if failed != nil {
		return failed
	}
	if err := c.waitUnsynced(); err != nil {
		return err
	}
	p.batch.SetID(flow.ID{Channel: c.id, Epoch: c.epoch, Seq: p.header.seq})
	p.header.seconds = uint32(time.Now().Unix())
	c.tables = p.appendTables(c.tables[:0], durable, extra)
	at, err := c.put(&p.header, p.stored)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lastErr = err
		return err
	}
	c.lastErr = nil
	c.written(p, at, extra)
	return nil
}

// takeDirty gives the positions to write along. They stay dirty until the frame is written. The caller holds the mutex.
func (c *Channel) takeDirty() []position {
	if len(c.dirty) == 0 {
		return nil
	}
	extra := make([]position, 0, len(c.dirty))
	for _, key := range slices.Sorted(maps.Keys(c.dirty)) {
		extra = append(extra, position{key, c.dirty[key]})
	}
	return extra
}

func (c *Channel) cleanDirty(extra []position) {
	for _, e := range extra {
		if c.dirty[e.key] == e.to {
			delete(c.dirty, e.key)
		}
	}
}

// waitUnsynced waits while too much is not durable, with sync = "interval": what is not durable must be in memory, so that it can be
// written again when the disk fails.
func (c *Channel) waitUnsynced() error {
	for {
		c.mu.Lock()
		if c.cfg.Sync != syncInterval || c.unsynced < hardUnsynced {
			c.mu.Unlock()
			return nil
		}
		if c.closed {
			c.mu.Unlock()
			return flow.ErrClosed
		}
		if err := c.failed; err != nil {
			c.mu.Unlock()
			return err
		}
		g := c.syncGate.Wait()
		c.mu.Unlock()
		c.wake()
		<-g
	}
}

// put writes header, stored arena and c.tables at the end of the active segment, or of a new one. The caller has the turn.
func (c *Channel) put(h *frame, stored []byte) (place, error) {
	w, err := c.active(h.size())
	if err != nil {
		return place{}, err
	}
	c.begin()
	defer c.finish()
	return w.write(h, stored, c.tables)
}

func (c *Channel) begin()  { c.since.CompareAndSwap(0, max(int64(time.Since(c.made)), 1)) }
func (c *Channel) finish() { c.since.Store(0) }

// written records a frame. The caller has the turn and holds the mutex.
func (c *Channel) written(p *prepared, at place, extra []position) {
	e := &entry{place: at, seq: p.header.seq, events: p.batch.Len(), before: p.header.before, seconds: p.header.seconds, b: p.batch, pins: p.batch.Retained(), extra: extra}
	p.batch.OnAck(nil) // from here on the channel calls it: the batch may be gone by then
	if c.cfg.Sync == syncBatch && p.ack != nil {
		e.acks = append(e.acks, p.ack)
	}
	c.tail = append(c.tail, e)
	at.seg.last, at.seg.end = e.seq, at.off+at.size
	c.next++
	c.before += uint64(e.events)
	c.unsynced += at.size
	c.lastPut = time.Now()
	c.cleanDirty(extra)
	for _, r := range p.batch.Runs() {
		if r.To > c.decided[r.Key] {
			c.decided[r.Key] = r.To
		}
		delete(c.dirty, r.Key)
	}
	if c.cfg.Sync == syncInterval {
		c.show(e.seq)
	}
}

// show lets consumers see frames. The caller holds the mutex.
func (c *Channel) show(upTo uint64) {
	if upTo <= c.visible {
		return
	}
	c.visible = upTo
	for _, k := range c.consumers {
		k.gate.Open()
	}
}
