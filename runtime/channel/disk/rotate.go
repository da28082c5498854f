package disk

import (
	"errors"
	"fmt"
	"hash/crc32"
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
	if need := w.seg.end + n; need > w.allocated {
		to := max(need, min(w.allocated+allocateStep, c.cfg.segmentBytes()))
		c.begin()
		err := w.file.Allocate(w.allocated, to-w.allocated)
		c.finish()
		if err != nil {
			return nil, err
		}
		w.allocated = to
	}
	return w, nil
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
	name := segmentName(h.number)
	w, err := c.create(name, h, snapshot, durable)
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

// create writes the head of a segment and a frame with all positions behind it.
func (c *Channel) create(name string, h head, snapshot []position, durable uint64) (*segFile, error) {
	tables := positionTables(nil, durable, snapshot)
	f := frame{tables: uint32(len(tables)), seq: h.base - 1, epoch: c.epoch, before: h.before, flags: flagPosition}
	f.seconds, f.bodyCRC = uint32(h.created/int64(time.Second)), crc32.Checksum(tables, castagnoli)
	buf := make([]byte, headBytes+f.size())
	h.encode(buf)
	f.encode(buf[headBytes:], h.salt, headBytes)
	copy(buf[headBytes+frameBytes:], tables)
	c.begin()
	defer c.finish()
	file, err := c.dir.Create(name, filePerm)
	if err != nil {
		return nil, fmt.Errorf("begin segment: %w", err)
	}
	size := int64(len(buf))
	if err = file.Allocate(0, size); err == nil {
		err = file.WriteVec(0, [][]byte{buf})
	}
	if err != nil {
		// An unfinished file holds nothing; what cannot be removed now is at the next opening.
		return nil, errors.Join(fmt.Errorf("begin segment: %w", err), file.Close(), c.dir.Remove(name))
	}
	seg := &segment{head: h, name: segmentName(h.number), start: size, last: h.base - 1, end: size}
	return &segFile{seg: seg, file: file, allocated: size}, nil
}
