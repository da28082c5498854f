package disk

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"collect/runtime/flow"
)

// A frame that the disk cannot read may be read later: the cable was loose, the controller was reset. So a consumer tries for a
// while, and sets it aside only when then the disk takes and syncs a write and still does not give the frame. Even so nothing is
// destroyed: a segment with such a frame is not removed but renamed when it is delivered, and Dump gives what can be read again.
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
func (k *consumer) givesUp(at place) bool {
	p := piece{seg: at.seg, off: at.off, how: unread}
	k.c.mu.Lock()
	known := k.c.bad[p.name()]
	k.c.mu.Unlock()
	if known {
		return true
	}
	t := &k.trouble
	if t.segment != at.seg.number || t.off != at.off {
		*t = trouble{segment: at.seg.number, off: at.off, since: time.Now()}
	}
	t.reads++
	return t.reads >= patientReads && time.Since(t.since) >= patience && takesWrites(k.c.dir, p.name()+newSuffix)
}

// takesWrites says whether the disk is alive. The file becomes that with the piece.
func takesWrites(dir flow.Dir, name string) bool {
	f, err := dir.OpenWrite(name, true, filePerm)
	if err != nil {
		return false
	}
	_, err = f.WriteAt([]byte{0}, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close()) == nil
}

// how a piece of a segment is damaged.
type how byte

const (
	wrong  how = iota // it is not what was written
	unread            // the disk cannot read it
	gone              // its file is not there any more
)

// piece is a damaged part of a segment.
type piece struct {
	seg     *segment
	off, to int64
	how     how
}

const unreadSuffix = ".unread" + badSuffix

// name gives the file for the piece. That of a piece that is gone is never made: it only says that it was counted.
func (p piece) name() string {
	name := badName(p.seg.number, p.off)
	switch p.how {
	case unread:
		return strings.TrimSuffix(name, badSuffix) + unreadSuffix
	case gone:
		return name + " gone"
	}
	return name
}

func (p piece) String() string {
	if p.how == gone {
		return fmt.Sprintf("segment %s is gone", p.seg.name)
	}
	return "damaged data was set aside in " + p.name()
}

// keepsSegment gives the number of the segment that must be kept because of a file with a piece that could not be read.
func keepsSegment(name string) (number uint64, ok bool) {
	digits, _, _ := strings.Cut(name, "-")
	if !strings.HasSuffix(name, unreadSuffix) {
		return 0, false
	}
	return segmentNumber(digits + segmentSuffix)
}

// discard removes a delivered segment, or renames it when there is something in it that could not be read.
func (c *Channel) discard(s *segment) error {
	c.mu.Lock()
	keep := c.keep[s.number]
	c.mu.Unlock()
	if keep {
		return c.dir.Rename(s.name, c.dir, s.name+badSuffix)
	}
	return c.dir.Remove(s.name)
}

// unreadable is how much is skipped when the disk cannot read: the size of its blocks.
const unreadable = 4096

// tolerant gives zeros for what the disk cannot read.
type tolerant struct{ flow.File }

func (t tolerant) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.File.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	for n = 0; n < len(p); {
		block := p[n:min(int64(len(p)), int64(n)+unreadable-(off+int64(n))%unreadable)]
		k, err := t.File.ReadAt(block, off+int64(n))
		if errors.Is(err, io.EOF) {
			return n + k, err
		}
		if err != nil {
			clear(block)
		}
		n += len(block)
	}
	return n, nil
}

// holds says whether a segment still counts.
func (c *Channel) holds(s *segment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.segs, s)
}

// missed counts what was in a segment whose file somebody removed. When it is the one being written, the next frames go to a new one.
func (k *consumer) missed(seg *segment) error {
	c := k.c
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if !c.holds(seg) {
		return nil // it was written again to another file
	}
	if w := c.current(); w != nil && w.seg == seg {
		if _, err := c.rotate(); err != nil {
			return c.readFailed(err)
		}
	}
	c.mu.Lock()
	last := seg.last
	c.mu.Unlock()
	if k.next > last {
		return nil
	}
	return k.lost(piece{seg: seg, off: k.at.off, how: gone}, last)
}

// outOfReach is why a channel does not open on a disk that cannot read what it must know. It may be able to tomorrow, so only people
// can decide to go on without.
type outOfReach struct{ error }

func (o outOfReach) Error() string {
	return o.error.Error() + "; when the disk never reads it again, move that file away: the rest is delivered and the gap counted"
}

func (o outOfReach) Unwrap() error { return o.error }

// dumpKept gives what can be read again in segments that were kept for it.
func dumpKept(dir flow.Dir, infos []flow.Info, w walker) error {
	pieces := map[uint64][]piece{}
	for _, info := range infos {
		number, ok := keepsSegment(info.Name)
		_, digits, _ := strings.Cut(strings.TrimSuffix(info.Name, unreadSuffix), "-")
		if off, err := strconv.ParseInt(digits, 10, 64); ok && err == nil {
			pieces[number] = append(pieces[number], piece{off: off, to: off + info.Size})
		}
	}
	for _, info := range infos {
		number, ok := segmentNumber(strings.TrimSuffix(info.Name, badSuffix))
		if !ok || !strings.HasSuffix(info.Name, badSuffix) || pieces[number] == nil {
			continue
		}
		h, err := readHeadOf(dir, info.Name)
		if err != nil {
			continue // it was set aside for its head
		}
		w.seg, w.only = &segment{head: h, name: info.Name, last: math.MaxUint64}, pieces[number]
		if _, err := w.run(&Report{}); err != nil || w.stopped {
			return err
		}
	}
	return nil
}

func readHeadOf(dir flow.Dir, name string) (head, error) {
	f, err := dir.Open(name)
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	return readHead(f)
}

// wants says whether the frame at an offset is to be yielded.
func (w *walker) wants(at int64) bool {
	return w.only == nil || slices.ContainsFunc(w.only, func(p piece) bool { return p.off <= at && at < p.to })
}
