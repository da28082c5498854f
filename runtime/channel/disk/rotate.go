package disk

import (
	"time"

	"collect/runtime/channel/disk/internal/segment"
)

// active gives the segment that has room for n bytes more. The caller has the turn.
func (c *Channel) active(n int64) (*segment.File, error) {
	w := c.current()
	if w == nil || w.Seg.End > segment.HeadBytes && w.Seg.End+n > c.cfg.segmentBytes() && w.Seg.Last >= w.Seg.Base {
		var err error
		if w, err = c.rotate(); err != nil {
			return nil, err
		}
	}
	if w.Fits(n) {
		return w, nil
	}
	c.begin()
	defer c.finish()
	return w, w.Grow(n, c.cfg.segmentBytes())
}

// current gives the segment that is being written, or nil.
func (c *Channel) current() *segment.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.writing); n > 0 && !c.writing[n-1].Sealed {
		return c.writing[n-1]
	}
	return nil
}

// rotate begins a new segment with all positions. The caller has the turn.
func (c *Channel) rotate() (*segment.File, error) {
	c.mu.Lock()
	h := c.newHead(c.next, c.before)
	snapshot := c.positions.All()
	durable := c.synced
	c.mu.Unlock()
	c.begin()
	w, err := segment.Create(c.dir, segment.Name(h.Number), h, c.epoch, durable, snapshot)
	c.finish()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if n := len(c.writing); n > 0 {
		c.writing[n-1].Sealed = true
	}
	c.segs = append(c.segs, w.Seg)
	c.writing = append(c.writing, w)
	c.positions.Written(snapshot)
	c.mu.Unlock()
	c.room.Add(w.Seg.End)
	return w, nil
}

// newHead makes the head of the next segment. The caller holds the mutex.
func (c *Channel) newHead(base, before uint64) segment.Head {
	c.number++
	prev := base - 1
	if base == c.gap[1] {
		prev = c.gap[0]
	}
	return segment.Head{
		Channel: c.id, Number: c.number, Base: base, Prev: prev, Before: before,
		Salt: c.env.Rand.Uint64(), Created: time.Now().UnixNano(),
	}
}
