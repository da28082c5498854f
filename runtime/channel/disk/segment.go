package disk

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"collect/runtime/flow"
)

const (
	segmentSuffix = ".seg"
	newSuffix     = ".new"
	badSuffix     = ".bad"
	filePerm      = 0o600
)

// segment is one file of frames. head and name never change; the channel's mutex guards the rest.
type segment struct {
	head
	name  string
	start int64  // offset behind the positions at its begin
	last  uint64 // number of its last frame that counts; base-1: none
	end   int64  // offset behind its last frame
}

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

// segmentNumber reads a segment's number from its name.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

func badName(number uint64, off int64) string {
	return fmt.Sprintf("%016x-%d%s", number, off, badSuffix)
}

// readFull reads what there is of n bytes at off.
func readFull(f flow.File, p []byte, off int64) ([]byte, error) {
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

// readHead reads the head of an open segment.
func readHead(f flow.File) (head, error) {
	var h head
	p, err := readFull(f, make([]byte, headBytes), 0)
	if err != nil {
		return h, unreadHead{err}
	}
	return h, h.decode(p)
}

// unreadHead is why the disk did not give a head.
type unreadHead struct{ error }

func (u unreadHead) Unwrap() error { return u.error }

// scanBlock is how much is read at once while looking for the next whole frame.
const scanBlock = 256 << 10

// findFrame gives the first frame header at or after off. found is -1 when there is none up to the end of the file. What lies between
// off and found is damaged, or was never written.
func findFrame(f flow.File, salt uint64, off int64) (h frame, found int64, err error) {
	var first [frameBytes]byte
	p, err := readFull(f, first[:], off)
	if err != nil {
		return h, 0, err
	}
	if h.decode(p, salt, off) {
		return h, off, nil
	}
	block := make([]byte, scanBlock)
	for at := off + 8; ; {
		p, err := readFull(f, block, at)
		if err != nil {
			return h, 0, err
		}
		if len(p) < frameBytes {
			return h, -1, nil
		}
		h, i, ok := scanHeader(p, salt, at)
		at += int64(i)
		if ok {
			return h, at, nil
		}
	}
}

// readBody reads and checks what follows a header. It gives nil without an error when it is damaged.
func readBody(f flow.File, h *frame, off int64, block []byte) ([]byte, error) {
	p, err := readFull(f, block[:h.body()], off+frameBytes)
	if err != nil {
		return nil, err
	}
	if !h.intact(p) {
		return nil, nil
	}
	return p, nil
}
