package disk

import (
	"errors"
	"fmt"
	"hash/crc32"
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
		i := 0
		for ; i+frameBytes <= len(p); i += 8 {
			if le.Uint32(p[i:]) == frameMagic && h.decode(p[i:], salt, at+int64(i)) {
				return h, at + int64(i), nil
			}
		}
		at += int64(i)
	}
}

// readBody reads and checks what follows a header. It gives nil without an error when it is damaged.
func readBody(f flow.File, h *frame, off int64, block []byte) ([]byte, error) {
	p, err := readFull(f, block[:h.body()], off+frameBytes)
	if err != nil {
		return nil, err
	}
	if len(p) < h.body() || crc32.Checksum(p, castagnoli) != h.bodyCRC {
		return nil, nil
	}
	return p, nil
}

// unpack makes a batch of a checked body. It takes over the body, which is a block of the pool.
func unpack(c *codec, pool *flow.Pool, channel [16]byte, h *frame, body []byte) (*flow.Batch, error) {
	t, err := decodeTables(h, body[h.stored:])
	if err != nil {
		pool.Recycle(body)
		return nil, err
	}
	arena := body[:h.stored]
	if h.codec != codecNone {
		arena = pool.Block(int(h.arena))
		err = c.expand(arena, body[:h.stored], h.codec)
	} else if h.stored != h.arena {
		err = errTables
	}
	if err != nil {
		pool.Recycle(body)
		return nil, err
	}
	id := flow.ID{Channel: channel, Epoch: h.epoch, Seq: h.seq}
	b := pool.Restore(arena, int(h.events), t.runs, t.times(h), t.base, id)
	err = t.fill(h, arena, b.Recs())
	if h.codec != codecNone {
		pool.Recycle(body)
	}
	if err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

// place is where a frame lies.
type place struct {
	seg  *segment
	off  int64
	size int64
}

// reader keeps the file of the segment that was read last.
type reader struct {
	dir    flow.Dir
	number uint64
	file   flow.File
}

func (r *reader) open(s *segment) (flow.File, error) {
	if r.file != nil && r.number == s.number {
		return r.file, nil
	}
	r.close()
	f, err := r.dir.Open(s.name)
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	r.file, r.number = f, s.number
	return f, nil
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // opened for reading only
		r.file = nil
	}
}

// setAside copies a damaged piece of a segment into a file of its own, at most maxBody of it; what cannot be read is zero there.
func setAside(dir flow.Dir, f flow.File, name string, from, to int64) error {
	out, err := dir.Create(name+newSuffix, filePerm)
	if errors.Is(err, errExist) {
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
