package disk

import (
	"fmt"
	"slices"

	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
)

// copyTail writes the frames that are whole, but were perhaps never synced, to a segment of their own and syncs that: a sync of the
// file they are in would say nothing after an error that an earlier process got.
func (c *Channel) copyTail(r *recovery.State) error {
	if len(r.Copy) == 0 {
		return nil
	}
	before := r.Copy[0].Before
	c.before = r.Before
	h := c.newHead(c.synced+1, before)
	name := segment.Name(h.Number) + segment.NewSuffix
	_ = c.dir.Remove(name) // of an attempt that did not finish
	w, err := segment.Create(c.dir, name, h, c.epoch, r.Durable, c.positions.All())
	if err != nil {
		return err
	}
	err = c.copyFrames(w, r.Copy)
	if err == nil {
		err = w.Publish(c.dir, name)
	}
	if err != nil {
		return c.giveUp(w, err)
	}
	r.Remove = slices.DeleteFunc(r.Remove, func(n string) bool { return n == name })
	c.segs = append(c.segs, w.Seg)
	c.writing = []*segment.File{w}
	c.synced = r.Last
	c.next = max(c.next, r.Last+1)
	return nil
}

func (c *Channel) copyFrames(w *segment.File, frames []recovery.Found) error {
	rd := segment.Reader{Dir: c.dir}
	defer rd.Close()
	for _, f := range frames {
		in, err := rd.Open(f.At.Seg)
		if err != nil {
			return err
		}
		body, err := segment.ReadBody(in, &f.Header, f.At.Off, make([]byte, f.Body()))
		if err != nil {
			return err
		}
		if body == nil {
			return fmt.Errorf("frame %d changed while it was read", f.Seq)
		}
		if _, err := w.Extend(&f.Header, body, nil); err != nil {
			return err
		}
	}
	return nil
}
