package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	Version   = 1    // of the format of all files
	HeadBytes = 4096 // of a segment, before its first frame
	headCopy  = 2048 // where the head stands again
	headUsed  = 128
)

var (
	magic      = []byte("collectC")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// Head is the head of a segment.
type Head struct {
	Channel [16]byte
	Number  uint64 // of the segment
	Base    uint64 // number of its first frame; frames from there on in earlier segments do not count any more
	Prev    uint64 // number of the last frame before
	Before  uint64 // events before
	Salt    uint64
	Created int64 // ns
}

// Encode writes the head, twice.
func (h *Head) Encode(p []byte) {
	clear(p[:HeadBytes])
	copy(p, magic)
	le.PutUint32(p[8:], Version)
	copy(p[16:], h.Channel[:])
	for i, v := range [...]uint64{h.Number, h.Base, h.Prev, h.Before, h.Salt, uint64(h.Created)} {
		le.PutUint64(p[32+8*i:], v)
	}
	le.PutUint32(p[12:], HeadSum(p[:headUsed]))
	copy(p[headCopy:], p[:headUsed])
}

// HeadSum is the checksum of a head: of all but the magic and itself.
func HeadSum(p []byte) uint32 {
	return crc32.Update(crc32.Checksum(p[8:12], castagnoli), castagnoli, p[16:])
}

// ErrNoHead is what a file without a head gives.
var ErrNoHead = errors.New("no readable head")

// decode reads either copy.
func (h *Head) decode(p []byte) error {
	for _, at := range []int{0, headCopy} {
		if len(p) < at+headUsed {
			continue
		}
		c := p[at : at+headUsed]
		if !bytes.Equal(c[:8], magic) || le.Uint32(c[12:]) != HeadSum(c) {
			continue
		}
		if v := le.Uint32(c[8:]); v != Version {
			return fmt.Errorf("format version %d; this program knows %d", v, Version)
		}
		copy(h.Channel[:], c[16:])
		for i, v := range []*uint64{&h.Number, &h.Base, &h.Prev, &h.Before, &h.Salt} {
			*v = le.Uint64(c[32+8*i:])
		}
		h.Created = int64(le.Uint64(c[72:]))
		return nil
	}
	return ErrNoHead
}
