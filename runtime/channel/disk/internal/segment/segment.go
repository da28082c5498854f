// Package segment reads and writes the files that hold a channel's frames: their names, their heads, what is damaged in them.
package segment

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/flow"
)

const (
	suffix    = ".seg"
	NewSuffix = ".new" // of what is not finished
	BadSuffix = ".bad" // of what was set aside
	Perm      = 0o600  // of all files
)

// Segment is one file of frames. Head and Name never change; the channel's mutex guards the rest.
type Segment struct {
	Head
	Name  string
	Start int64  // offset behind the positions at its begin
	Last  uint64 // number of its last frame that counts; Base-1: none
	End   int64  // offset behind its last frame
}

// Name gives the name of a segment's file.
func Name(number uint64) string { return fmt.Sprintf("%016x%s", number, suffix) }

// Number reads a segment's number from its name.
func Number(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

// BadName gives the file for a damaged piece of a segment.
func BadName(number uint64, off int64) string {
	return fmt.Sprintf("%016x-%d%s", number, off, BadSuffix)
}

// IsPieceOf says whether a file holds a damaged piece of the segment of that number.
func IsPieceOf(name string, number uint64) bool {
	return strings.HasPrefix(name, fmt.Sprintf("%016x-", number)) && strings.HasSuffix(name, BadSuffix)
}

// ReadFull reads what there is of n bytes at off.
func ReadFull(f flow.File, p []byte, off int64) ([]byte, error) {
	n := 0
	for n < len(p) {
		k, err := f.ReadAt(p[n:], off+int64(n))
		n += k
		if errors.Is(err, io.EOF) || err == nil && k == 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return p[:n], nil
}

// ReadHead reads the head of an open segment.
func ReadHead(f flow.File) (Head, error) {
	var h Head
	p, err := ReadFull(f, make([]byte, HeadBytes), 0)
	if err != nil {
		return h, UnreadHead{err}
	}
	return h, h.decode(p)
}

// UnreadHead is why the disk did not give a head.
type UnreadHead struct{ error }

func (u UnreadHead) Unwrap() error { return u.error }

// scanBlock is how much is read at once while looking for the next whole frame.
const scanBlock = 256 << 10

// Find gives the first frame header at or after off. found is -1 when there is none up to the end of the file. What lies between
// off and found is damaged, or was never written.
func Find(f flow.File, salt uint64, off int64) (h frame.Header, found int64, err error) {
	var first [frame.HeaderBytes]byte
	p, err := ReadFull(f, first[:], off)
	if err != nil {
		return h, 0, err
	}
	if h.Decode(p, salt, off) {
		return h, off, nil
	}
	block := make([]byte, scanBlock)
	for at := off + 8; ; {
		p, err := ReadFull(f, block, at)
		if err != nil {
			return h, 0, err
		}
		if len(p) < frame.HeaderBytes {
			return h, -1, nil
		}
		h, i, ok := frame.Scan(p, salt, at)
		at += int64(i)
		if ok {
			return h, at, nil
		}
	}
}

// ReadBody reads and checks what follows a header. It gives nil without an error when it is damaged.
func ReadBody(f flow.File, h *frame.Header, off int64, block []byte) ([]byte, error) {
	p, err := ReadFull(f, block[:h.Body()], off+frame.HeaderBytes)
	if err != nil {
		return nil, err
	}
	if !h.Intact(p) {
		return nil, nil
	}
	return p, nil
}
