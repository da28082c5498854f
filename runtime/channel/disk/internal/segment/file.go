package segment

import (
	"errors"
	"fmt"
	"time"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/flow"
)

// allocateStep is how much disk space is taken ahead of what is written: little for a channel that holds nothing.
const allocateStep = 4 << 20

// File is a segment that is open for writing.
type File struct {
	flow.File
	Seg       *Segment
	allocated int64
	Named     bool // its name is durable
	Sealed    bool // nothing is written to it any more

	header [frame.HeaderBytes]byte
	pad    [8]byte
	vec    [4][]byte
}

// Create makes a file of that name for a segment, with its head and a frame with positions behind it.
func Create(dir flow.Dir, name string, h Head, epoch, durable uint64, positions []frame.Position) (*File, error) {
	f, tables := frame.Positions(nil, durable, positions)
	f.Seq, f.Epoch, f.Before, f.Seconds = h.Base-1, epoch, h.Before, uint32(h.Created/int64(time.Second))
	buf := make([]byte, HeadBytes+f.Size())
	h.Encode(buf)
	f.Encode(buf[HeadBytes:], h.Salt, HeadBytes)
	copy(buf[HeadBytes+frame.HeaderBytes:], tables)
	file, err := dir.Create(name, Perm)
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
	seg := &Segment{Head: h, Name: Name(h.Number), Start: size, Last: h.Base - 1, End: size}
	return &File{File: file, Seg: seg, allocated: size}, nil
}

// Fits says whether there is disk space for n bytes more.
func (w *File) Fits(n int64) bool { return w.Seg.End+n <= w.allocated }

// Grow takes disk space for n bytes more, and some ahead, up to limit.
func (w *File) Grow(n, limit int64) error {
	need := w.Seg.End + n
	to := max(need, min(w.allocated+allocateStep, limit))
	if err := w.Allocate(w.allocated, to-w.allocated); err != nil {
		return err
	}
	w.allocated = to
	return nil
}

// WriteFrame writes a frame at the end of the segment: header, and the body in two parts. The end stays where it is, for the caller to move.
func (w *File) WriteFrame(h *frame.Header, arena, tables []byte) (Place, error) {
	at := Place{w.Seg, w.Seg.End, h.Size()}
	h.Encode(w.header[:], w.Seg.Salt, at.Off)
	w.vec = [4][]byte{w.header[:], arena, tables, w.pad[:h.Size()-frame.HeaderBytes-int64(h.Body())]}
	err := w.WriteVec(at.Off, w.vec[:])
	w.vec = [4][]byte{}
	return at, err
}

// Extend is WriteFrame for a segment that nobody else sees yet: it also moves the end.
func (w *File) Extend(h *frame.Header, arena, tables []byte) (Place, error) {
	at, err := w.WriteFrame(h, arena, tables)
	w.Seg.End, w.Seg.Last = at.Off+at.Size, h.Seq
	w.allocated = w.Seg.End
	return at, err
}

// Publish makes a segment durable that was written under another name, and gives it its own.
func (w *File) Publish(dir flow.Dir, name string) error {
	err := w.Sync()
	if err == nil {
		err = dir.Rename(name, dir, w.Seg.Name)
	}
	if err == nil {
		err = dir.Sync()
	}
	w.Named = err == nil
	return err
}
