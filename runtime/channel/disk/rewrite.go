package disk

import (
	"fmt"
	"slices"
	"time"
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
	snapshot, durable := c.snapshot(), c.synced
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

func (c *Channel) writeAgain(h head, snapshot []position, durable uint64, entries []*entry) (*segFile, []place, error) {
	name := segmentName(h.number) + newSuffix
	c.begin()
	w, err := createSegment(c.dir, name, h, c.epoch, durable, snapshot)
	c.finish()
	if err != nil {
		return nil, nil, err
	}
	var places []place
	for _, e := range entries {
		at, err := c.writeEntry(w, e, h.before, durable)
		if err != nil {
			return nil, nil, c.giveUp(w, err)
		}
		places = append(places, at)
		h.before += uint64(e.events)
	}
	c.begin()
	defer c.finish()
	if err := w.publish(c.dir, name); err != nil {
		return nil, nil, c.giveUp(w, err)
	}
	return w, places, nil
}

// giveUp removes an unfinished segment.
func (c *Channel) giveUp(w *segFile, err error) error {
	_ = w.file.Close()
	_ = c.dir.Remove(w.seg.name + newSuffix) // what stays is removed at the next opening
	return fmt.Errorf("write segment again: %w", err)
}

func (c *Channel) writeEntry(w *segFile, e *entry, before, durable uint64) (place, error) {
	p := packAgain(e.b, c.codec)
	p.header.seq, p.header.epoch, p.header.before, p.header.seconds = e.seq, e.b.ID().Epoch, before, e.seconds
	c.tables = p.appendTables(c.tables[:0], durable, e.extra)
	c.begin()
	defer c.finish()
	return w.extend(&p.header, p.stored, c.tables)
}

// replaced makes a segment that was written again the active one.
func (c *Channel) replaced(w *segFile, entries []*entry, places []place, snapshot []position) {
	c.mu.Lock()
	old := c.writing
	freed := int64(0)
	moved := map[uint64]place{}
	for i, e := range entries {
		if s := e.seg; s.end > e.off { // the first of its segment
			freed += s.end - e.off
			s.last, s.end = max(c.synced, s.base-1), e.off
		}
		e.place = places[i]
		moved[e.seq] = places[i]
	}
	for _, k := range c.consumers {
		k.move(moved)
	}
	var remove []string
	c.segs = slices.DeleteFunc(c.segs, func(s *segment) bool {
		whole := s.base > c.synced && slices.ContainsFunc(old, func(f *segFile) bool { return f.seg == s })
		if whole {
			remove = append(remove, s.name)
			freed += s.end
		}
		return whole
	})
	c.segs = append(c.segs, w.seg)
	c.writing = []*segFile{w}
	c.failed, c.pause = nil, 0
	c.cleanDirty(snapshot)
	c.mu.Unlock()
	for _, f := range old {
		_ = f.file.Close() // its content is given up
	}
	for _, name := range remove {
		_ = c.dir.Remove(name) // its frames do not count any more, here or at the next opening
	}
	c.room.Add(w.seg.end - freed)
}
