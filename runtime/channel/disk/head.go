package disk

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	version   = 1
	headBytes = 4096 // of a segment, before its first frame
	headCopy  = 2048 // where the head stands again
	headUsed  = 128
)

var segmentMagic = []byte("collectC")

// head is the head of a segment.
type head struct {
	channel [16]byte
	number  uint64 // of the segment
	base    uint64 // number of its first frame; frames from there on in earlier segments do not count any more
	prev    uint64 // number of the last frame before
	before  uint64 // events before
	salt    uint64
	created int64 // ns
}

func (h *head) encode(p []byte) {
	clear(p[:headBytes])
	copy(p, segmentMagic)
	le.PutUint32(p[8:], version)
	copy(p[16:], h.channel[:])
	for i, v := range [...]uint64{h.number, h.base, h.prev, h.before, h.salt, uint64(h.created)} {
		le.PutUint64(p[32+8*i:], v)
	}
	le.PutUint32(p[12:], headSum(p[:headUsed]))
	copy(p[headCopy:], p[:headUsed])
}

// headSum is the checksum of a head: of all but the magic and itself.
func headSum(p []byte) uint32 {
	return crc32.Update(crc32.Checksum(p[8:12], castagnoli), castagnoli, p[16:])
}

var errNoHead = errors.New("no readable head")

// decode reads either copy.
func (h *head) decode(p []byte) error {
	for _, at := range []int{0, headCopy} {
		if len(p) < at+headUsed {
			continue
		}
		c := p[at : at+headUsed]
		if !bytes.Equal(c[:8], segmentMagic) || le.Uint32(c[12:]) != headSum(c) {
			continue
		}
		if v := le.Uint32(c[8:]); v != version {
			return fmt.Errorf("format version %d; this program knows %d", v, version)
		}
		copy(h.channel[:], c[16:])
		for i, v := range []*uint64{&h.number, &h.base, &h.prev, &h.before, &h.salt} {
			*v = le.Uint64(c[32+8*i:])
		}
		h.created = int64(le.Uint64(c[72:]))
		return nil
	}
	return errNoHead
}
