package disk

import (
	"context"
	"fmt"
	"time"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
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
	if p.Packed, err = frame.Pack(b, c.codec); err != nil {
		return err
	}
	c.turn <- struct{}{}
	err = c.write(&p)
	<-c.turn
	if err != nil {
		if p.Batch != b {
			p.Batch.Release()
		}
		return fmt.Errorf("write to channel: %w", err)
	}
	if p.Batch != b { // the copy is what is held from here on
		b.Release()
	}
	c.room.Add(p.Header.Size() - s.bytes)
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
		if len(r.Key) <= frame.MaxKey && c.positions.Note(r.Key, r.To) {
			c.wake() // it is written after a while
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
	frame.Packed
	ack func(flow.Outcome) // may be nil
}

// write writes a frame behind the newest one. The caller has the turn.
func (c *Channel) write(p *prepared) error {
	c.mu.Lock()
	closed, failed, durable := c.closed, c.failed, c.synced
	extra := c.positions.Unwritten()
	p.Header.Seq, p.Header.Before, p.Header.Epoch = c.next, c.before, c.epoch
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
	p.Batch.SetID(flow.ID{Channel: c.id, Epoch: c.epoch, Seq: p.Header.Seq})
	p.Header.Seconds = uint32(time.Now().Unix())
	c.tables = p.AppendTables(c.tables[:0], durable, extra)
	at, err := c.put(&p.Header, p.Stored)
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
func (c *Channel) put(h *frame.Header, stored []byte) (segment.Place, error) {
	w, err := c.active(h.Size())
	if err != nil {
		return segment.Place{}, err
	}
	c.begin()
	defer c.finish()
	return w.WriteFrame(h, stored, c.tables)
}

func (c *Channel) begin()  { c.since.CompareAndSwap(0, max(int64(time.Since(c.made)), 1)) }
func (c *Channel) finish() { c.since.Store(0) }

// written records a frame. The caller has the turn and holds the mutex.
func (c *Channel) written(p *prepared, at segment.Place, extra []frame.Position) {
	e := &entry{Place: at, seq: p.Header.Seq, events: p.Batch.Len(), before: p.Header.Before, seconds: p.Header.Seconds, b: p.Batch, pins: p.Batch.Retained(), extra: extra}
	p.Batch.OnAck(nil) // from here on the channel calls it: the batch may be gone by then
	if c.cfg.Sync == syncBatch && p.ack != nil {
		e.acks = append(e.acks, p.ack)
	}
	c.tail = append(c.tail, e)
	at.Seg.Last, at.Seg.End = e.seq, at.Off+at.Size
	c.next++
	c.before += uint64(e.events)
	c.unsynced += at.Size
	c.lastPut = time.Now()
	c.positions.Written(extra)
	for _, r := range p.Batch.Runs() {
		c.positions.Put(r.Key, r.To)
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
