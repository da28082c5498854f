package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"collect/runtime/flow"
)

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

// unreadPiece reads the name of a file with a piece that could not be read: the segment's number, which must be kept for it, and the
// piece's offset.
func unreadPiece(name string) (number uint64, off int64, ok bool) {
	digits, ok := strings.CutSuffix(name, unreadSuffix)
	if !ok {
		return 0, 0, false
	}
	seg, at, _ := strings.Cut(digits, "-")
	number, ok = segmentNumber(seg + segmentSuffix)
	off, err := strconv.ParseInt(at, 10, 64)
	return number, off, ok && err == nil
}

// setAside copies a damaged piece of a segment into a file of its own, at most maxBody of it; what cannot be read is zero there.
func setAside(dir flow.Dir, f flow.File, name string, from, to int64) error {
	out, err := dir.Create(name+newSuffix, filePerm)
	if errors.Is(err, fs.ErrExist) {
		out, err = dir.OpenWrite(name+newSuffix, true, filePerm)
	}
	if err != nil {
		return fmt.Errorf("set damaged data aside: %w", err)
	}
	err = copyRange(out, tolerant{f}, from, min(to, from+maxBody))
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Rename(name+newSuffix, dir, name)
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
		p, err := readFull(in, block[:min(int64(len(block)), to-at)], at)
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
