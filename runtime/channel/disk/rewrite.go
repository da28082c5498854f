package disk

import (
	"fmt"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
)

// rewrite answers a disk that could not make frames durable: nobody knows what it has of them, so no file concerned is touched
// any more, and all frames are written again, from memory, to a new segment. It takes their place only when it is durable.
func (c *Channel) rewrite(cause error, closing bool) ([]target, uint64, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.env.Stats.Error(cause)
	c.mu.Lock()
	upTo := c.next - 1
	entries := slices.DeleteFunc(slices.Clone(c.tail), func(e *entry) bool { return e.seq <= c.synced })
	before := c.before
	for _, e := range entries {
		before -= uint64(e.events)
	}
	h := c.newHead(c.synced+1, before)
	snapshot, durable := c.positions.All(), c.synced
	c.failed = cause
	c.mu.Unlock()

	w, places, err := c.writeAgain(h, snapshot, durable, entries)
	if err != nil {
		c.mu.Lock()
		c.failed = err
		c.pause = min(max(2*c.pause, firstPause), longPause)
		c.retryAt = time.Now().Add(c.pause)
		c.mu.Unlock()
		return nil, 0, err
	}
	c.replaced(w, entries, places, snapshot)
	return []target{{w, closing}}, upTo, nil
}

func (c *Channel) writeAgain(h segment.Head, snapshot []frame.Position, durable uint64, entries []*entry) (*segment.File, []segment.Place, error) {
	name := segment.Name(h.Number) + segment.NewSuffix
	c.begin()
	w, err := segment.Create(c.dir, name, h, c.epoch, durable, snapshot)
	c.finish()
	if err != nil {
		return nil, nil, err
	}
	var places []segment.Place
	for _, e := range entries {
		at, err := c.writeEntry(w, e, h.Before, durable)
		if err != nil {
			return nil, nil, c.giveUp(w, err)
		}
		places = append(places, at)
		h.Before += uint64(e.events)
	}
	c.begin()
	defer c.finish()
	if err := w.Publish(c.dir, name); err != nil {
		return nil, nil, c.giveUp(w, err)
	}
	return w, places, nil
}

// giveUp removes an unfinished segment, under the name that it had and the one that it was to have: all that is in it stands elsewhere.
func (c *Channel) giveUp(w *segment.File, err error) error {
	_ = w.Close()
	_ = c.dir.Remove(w.Seg.Name + segment.NewSuffix) // what stays is removed at the next opening
	_ = c.dir.Remove(w.Seg.Name)
	return fmt.Errorf("write segment again: %w", err)
}

func (c *Channel) writeEntry(w *segment.File, e *entry, before, durable uint64) (segment.Place, error) {
	p := frame.Repack(e.b, c.codec)
	p.Header.Seq, p.Header.Epoch, p.Header.Before, p.Header.Seconds = e.seq, e.b.ID().Epoch, before, e.seconds
	c.tables = p.AppendTables(c.tables[:0], durable, e.extra)
	c.begin()
	defer c.finish()
	return w.Extend(&p.Header, p.Stored, c.tables)
}

// replaced makes a segment that was written again the active one.
func (c *Channel) replaced(w *segment.File, entries []*entry, places []segment.Place, snapshot []frame.Position) {
	c.mu.Lock()
	old := c.writing
	freed := int64(0)
	moved := map[uint64]segment.Place{}
	for i, e := range entries {
		if s := e.Seg; s.End > e.Off { // the first of its segment
			freed += s.End - e.Off
			s.Last, s.End = max(c.synced, s.Base-1), e.Off
		}
		e.Place = places[i]
		moved[e.seq] = places[i]
	}
	for _, k := range c.consumers {
		k.move(moved)
	}
	var remove []string
	c.segs = slices.DeleteFunc(c.segs, func(s *segment.Segment) bool {
		whole := s.Base > c.synced && slices.ContainsFunc(old, func(f *segment.File) bool { return f.Seg == s })
		if whole {
			remove = append(remove, s.Name)
			freed += s.End
		}
		return whole
	})
	c.segs = append(c.segs, w.Seg)
	c.writing = []*segment.File{w}
	c.failed, c.pause = nil, 0
	c.positions.Written(snapshot)
	c.mu.Unlock()
	for _, f := range old {
		_ = f.Close() // its content is given up
	}
	for _, name := range remove {
		_ = c.dir.Remove(name) // its frames do not count any more, here or at the next opening
	}
	c.room.Add(w.Seg.End - freed)
}
