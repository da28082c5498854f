package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/flow"
)

// How a piece of a segment is damaged.
type How byte

const (
	Wrong  How = iota // it is not what was written
	Unread            // the disk cannot read it
	Gone              // its file is not there any more
)

// Piece is a damaged part of a segment.
type Piece struct {
	Seg     *Segment
	Off, To int64
	How     How
}

const unreadSuffix = ".unread" + BadSuffix

// Name gives the file for the piece. That of a piece that is gone is never made: it only says that it was counted.
func (p Piece) Name() string {
	name := BadName(p.Seg.Number, p.Off)
	switch p.How {
	case Unread:
		return strings.TrimSuffix(name, BadSuffix) + unreadSuffix
	case Gone:
		return name + " gone"
	}
	return name
}

func (p Piece) String() string {
	if p.How == Gone {
		return fmt.Sprintf("segment %s is gone", p.Seg.Name)
	}
	return "damaged data was set aside in " + p.Name()
}

// UnreadPiece reads the name of a file with a piece that could not be read: the segment's number, which must be kept for it, and the
// piece's offset.
func UnreadPiece(name string) (number uint64, off int64, ok bool) {
	digits, ok := strings.CutSuffix(name, unreadSuffix)
	if !ok {
		return 0, 0, false
	}
	seg, at, _ := strings.Cut(digits, "-")
	number, ok = Number(seg + suffix)
	off, err := strconv.ParseInt(at, 10, 64)
	return number, off, ok && err == nil
}

// SetAside copies a damaged piece of a segment into a file of its own, at most frame.MaxBody of it; what cannot be read is zero there.
func SetAside(dir flow.Dir, f flow.File, name string, from, to int64) error {
	out, err := dir.Create(name+NewSuffix, Perm)
	if errors.Is(err, fs.ErrExist) {
		out, err = dir.OpenWrite(name+NewSuffix, true, Perm)
	}
	if err != nil {
		return fmt.Errorf("set damaged data aside: %w", err)
	}
	err = copyRange(out, Tolerant{f}, from, min(to, from+frame.MaxBody))
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Rename(name+NewSuffix, dir, name)
	}
	if err == nil {
		err = dir.Sync()
	}
	if err != nil {
		return fmt.Errorf("set damaged data aside: %w", err)
	}
	return nil
}

func copyRange(out, in flow.File, from, to int64) error {
	block := make([]byte, scanBlock)
	for at := from; at < to; {
		p, err := ReadFull(in, block[:min(int64(len(block)), to-at)], at)
		if err != nil {
			return err
		}
		if len(p) == 0 {
			return nil
		}
		if _, err := out.WriteAt(p, at-from); err != nil {
			return err
		}
		at += int64(len(p))
	}
	return nil
}

// DiskBlock is how much is skipped when the disk cannot read: the size of its blocks.
const DiskBlock = 4096

// Tolerant gives zeros for what the disk cannot read, up to the end of the file.
type Tolerant struct{ flow.File }

// ReadAt reads, and skips the blocks that cannot be read.
func (t Tolerant) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.File.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	info, serr := t.Stat() // a disk that is away tells nobody where the file ends by reading
	if serr != nil {
		return 0, err
	}
	short := info.Size-off < int64(len(p))
	if short {
		p = p[:max(info.Size-off, 0)]
	}
	for n = 0; n < len(p); {
		block := p[n:min(int64(len(p)), int64(n)+DiskBlock-(off+int64(n))%DiskBlock)]
		k, err := t.File.ReadAt(block, off+int64(n))
		if errors.Is(err, io.EOF) {
			return n + k, err
		}
		if err != nil {
			clear(block)
		}
		n += len(block)
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}
