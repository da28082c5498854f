package disk

import (
	"maps"
	"slices"
	"time"
)

// active gives the segment that has room for n bytes more. The caller has the turn.
func (c *Channel) active(n int64) (*segFile, error) {
	w := c.current()
	if w == nil || w.seg.end > headBytes && w.seg.end+n > c.cfg.segmentBytes() && w.seg.last >= w.seg.base {
		var err error
		if w, err = c.rotate(); err != nil {
			return nil, err
		}
	}
	if w.fits(n) {
		return w, nil
	}
	c.begin()
	defer c.finish()
	return w, w.allocate(n, c.cfg.segmentBytes())
}

// current gives the segment that is being written, or nil.
func (c *Channel) current() *segFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.writing); n > 0 && !c.writing[n-1].sealed {
		return c.writing[n-1]
	}
	return nil
}

// rotate begins a new segment with all positions. The caller has the turn.
func (c *Channel) rotate() (*segFile, error) {
	c.mu.Lock()
	h := c.newHead(c.next, c.before)
	snapshot := c.snapshot()
	durable := c.synced
	c.mu.Unlock()
	c.begin()
	w, err := createSegment(c.dir, segmentName(h.number), h, c.epoch, durable, snapshot)
	c.finish()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if n := len(c.writing); n > 0 {
		c.writing[n-1].sealed = true
	}
	c.segs = append(c.segs, w.seg)
	c.writing = append(c.writing, w)
	c.cleanDirty(snapshot)
	c.mu.Unlock()
	c.room.Add(w.seg.end)
	return w, nil
}

// newHead makes the head of the next segment. The caller holds the mutex.
func (c *Channel) newHead(base, before uint64) head {
	c.number++
	prev := base - 1
	if base == c.gap[1] {
		prev = c.gap[0]
	}
	return head{
		channel: c.id, number: c.number, base: base, prev: prev, before: before,
		salt: c.env.Rand.Uint64(), created: time.Now().UnixNano(),
	}
}

// snapshot gives all positions, sorted, and which keys are forgotten. The caller holds the mutex.
func (c *Channel) snapshot() []position {
	out := make([]position, 0, len(c.decided))
	for _, key := range slices.Sorted(maps.Keys(c.decided)) {
		out = append(out, position{key, c.decided[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(c.dirty)) {
		if c.dirty[key] == forgotten {
			out = append(out, position{key, forgotten})
		}
	}
	return out
}
