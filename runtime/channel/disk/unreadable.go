package disk

import (
	"errors"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// A frame that the disk cannot read may be read later: the cable was loose, the controller was reset. So a consumer tries for a
// while, and sets it aside only when then the disk takes and syncs a write and still does not give the frame. Even so nothing is
// destroyed: a segment with such a frame is not removed but renamed when it is delivered, and inspect.Dump gives what can be read again.
const (
	patience     = time.Minute // at least this long
	patientReads = 10          // and this often
)

// trouble is what a consumer could not read last, guarded by its turn.
type trouble struct {
	segment uint64
	off     int64
	since   time.Time
	reads   int
}

// givesUp notes that the disk could not read what begins at a place, and says whether that counts as damaged from now on.
func (k *consumer) givesUp(at segment.Place) bool {
	p := segment.Piece{Seg: at.Seg, Off: at.Off, How: segment.Unread}
	k.c.mu.Lock()
	known := k.c.bad[p.Name()]
	k.c.mu.Unlock()
	if known {
		return true
	}
	t := &k.trouble
	if t.segment != at.Seg.Number || t.off != at.Off {
		*t = trouble{segment: at.Seg.Number, off: at.Off, since: time.Now()}
	}
	t.reads++
	return t.reads >= patientReads && time.Since(t.since) >= patience && takesWrites(k.c.dir, p.Name()+segment.NewSuffix)
}

// takesWrites says whether the disk is alive. The file becomes that with the piece.
func takesWrites(dir flow.Dir, name string) bool {
	f, err := dir.OpenWrite(name, true, segment.Perm)
	if err != nil {
		return false
	}
	_, err = f.WriteAt([]byte{0}, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close()) == nil
}

// discard removes a delivered segment, or renames it when there is something in it that could not be read.
func (c *Channel) discard(s *segment.Segment) error {
	c.mu.Lock()
	keep := c.keep[s.Number]
	c.mu.Unlock()
	if keep {
		return c.dir.Rename(s.Name, c.dir, s.Name+segment.BadSuffix)
	}
	return c.dir.Remove(s.Name)
}

// holds says whether a segment still counts.
func (c *Channel) holds(s *segment.Segment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.segs, s)
}

// missed counts what was in a segment whose file somebody removed. When it is the one being written, the next frames go to a new one.
func (k *consumer) missed(seg *segment.Segment) error {
	c := k.c
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if !c.holds(seg) {
		return nil // it was written again to another file
	}
	if w := c.current(); w != nil && w.Seg == seg {
		if _, err := c.rotate(); err != nil {
			return c.readFailed(err)
		}
	}
	c.mu.Lock()
	last := seg.Last
	c.mu.Unlock()
	if k.next > last {
		return nil
	}
	return k.lost(segment.Piece{Seg: seg, Off: k.at.Off, How: segment.Gone}, last)
}
