package disk

import (
	"errors"
	"fmt"
	"time"

	"collect/runtime/flow"
)

// allocateStep is how much disk space is taken ahead of what is written: little for a channel that holds nothing.
const allocateStep = 4 << 20

// segFile is a segment that is open for writing.
type segFile struct {
	seg       *segment
	file      flow.File
	allocated int64
	named     bool // its name is durable
	sealed    bool // nothing is written to it any more

	header [frameBytes]byte
	pad    [8]byte
	vec    [4][]byte
}

// createSegment makes a file of that name for a segment, with its head and a frame with positions behind it.
func createSegment(dir flow.Dir, name string, h head, epoch, durable uint64, positions []position) (*segFile, error) {
	f, tables := positionFrame(nil, durable, positions)
	f.seq, f.epoch, f.before, f.seconds = h.base-1, epoch, h.before, uint32(h.created/int64(time.Second))
	buf := make([]byte, headBytes+f.size())
	h.encode(buf)
	f.encode(buf[headBytes:], h.salt, headBytes)
	copy(buf[headBytes+frameBytes:], tables)
	file, err := dir.Create(name, filePerm)
	if err != nil {
		return nil, fmt.Errorf("begin segment: %w", err)
	}
	size := int64(len(buf))
	if err = file.Allocate(0, size); err == nil {
		err = file.WriteVec(0, [][]byte{buf})
	}
	if err != nil {
		// An unfinished file holds nothing; what cannot be removed now is at the next opening.
		return nil, errors.Join(fmt.Errorf("begin segment: %w", err), file.Close(), dir.Remove(name))
	}
	seg := &segment{head: h, name: segmentName(h.number), start: size, last: h.base - 1, end: size}
	return &segFile{seg: seg, file: file, allocated: size}, nil
}

// fits says whether there is disk space for n bytes more.
func (w *segFile) fits(n int64) bool { return w.seg.end+n <= w.allocated }

// allocate takes disk space for n bytes more, and some ahead, up to limit.
func (w *segFile) allocate(n, limit int64) error {
	need := w.seg.end + n
	to := max(need, min(w.allocated+allocateStep, limit))
	if err := w.file.Allocate(w.allocated, to-w.allocated); err != nil {
		return err
	}
	w.allocated = to
	return nil
}

// write writes a frame at the end of the segment: header, and the body in two parts. The end stays where it is, for the caller to move.
func (w *segFile) write(h *frame, arena, tables []byte) (place, error) {
	at := place{w.seg, w.seg.end, h.size()}
	h.encode(w.header[:], w.seg.salt, at.off)
	w.vec = [4][]byte{w.header[:], arena, tables, w.pad[:h.size()-frameBytes-int64(h.body())]}
	err := w.file.WriteVec(at.off, w.vec[:])
	w.vec = [4][]byte{}
	return at, err
}

// extend is write for a segment that nobody else sees yet: it also moves the end.
func (w *segFile) extend(h *frame, arena, tables []byte) (place, error) {
	at, err := w.write(h, arena, tables)
	w.seg.end, w.seg.last = at.off+at.size, h.seq
	w.allocated = w.seg.end
	return at, err
}

// publish makes a segment durable that was written under another name, and gives it its own.
func (w *segFile) publish(dir flow.Dir, name string) error {
	err := w.file.Sync()
	if err == nil {
		err = dir.Rename(name, dir, w.seg.name)
	}
	if err == nil {
		err = dir.Sync()
	}
	w.named = err == nil
	return err
}
