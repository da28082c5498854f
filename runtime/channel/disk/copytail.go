package disk

import (
	"fmt"
	"maps"
	"slices"
)

// copyTail writes the frames that are whole, but were perhaps never synced, to a segment of their own and syncs that: a sync of the
// file they are in would say nothing after an error that an earlier process got.
func (c *Channel) copyTail(r *recovery) error {
	if len(r.copy) == 0 {
		return nil
	}
	before := r.copy[0].before
	c.before = r.before
	h := c.newHead(c.synced+1, before)
	name := segmentName(h.number) + newSuffix
	_ = c.dir.Remove(name) // of an attempt that did not finish
	w, err := createSegment(c.dir, name, h, c.epoch, r.durable, c.positionsNow())
	if err != nil {
		return err
	}
	err = c.copyFrames(w, r.copy)
	if err == nil {
		err = w.publish(c.dir, name)
	}
	if err != nil {
		return c.giveUp(w, err)
	}
	r.remove = slices.DeleteFunc(r.remove, func(n string) bool { return n == name })
	c.segs = append(c.segs, w.seg)
	c.writing = []*segFile{w}
	c.synced = r.last
	c.next = max(c.next, r.last+1)
	return nil
}

func (c *Channel) positionsNow() []position {
	out := make([]position, 0, len(c.decided))
	for _, key := range slices.Sorted(maps.Keys(c.decided)) {
		out = append(out, position{key, c.decided[key]})
	}
	return out
}

func (c *Channel) copyFrames(w *segFile, frames []found) error {
	rd := reader{dir: c.dir}
	defer rd.close()
	for _, f := range frames {
		in, err := rd.open(f.at.seg)
		if err != nil {
			return err
		}
		body, err := readBody(in, &f.frame, f.at.off, make([]byte, f.body()))
		if err != nil {
			return err
		}
		if body == nil {
			return fmt.Errorf("frame %d changed while it was read", f.seq)
		}
		if _, err := w.extend(&f.frame, body, nil); err != nil {
			return err
		}
	}
	return nil
}
