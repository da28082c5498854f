package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	version   = 1
	headBytes = 4096 // of a segment, before its first frame
	headCopy  = 2048 // where the head stands again
	headUsed  = 128

	frameBytes = 64 // of a frame's header
	frameMagic = 0x31667263
	maxBody    = 1 << 28 // a stored length beyond is damage
)

var (
	segmentMagic = []byte("collectC")
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
	le           = binary.LittleEndian
)

// Flags of a frame.
const (
	flagTimes    = 1 // events have times of their own
	flagPosition = 2 // no events, only positions; has the number of the frame before
)

// Forms of the event table.
const (
	formLines    = 0
	formPosition = 1
	formFull     = 2
)

// frame is the header of a frame.
type frame struct {
	events, stored, arena, tables uint32
	seconds                       uint32 // when it was put, since 1970
	bodyCRC                       uint32
	seq, epoch, before            uint64
	flags, codec, form            byte
}

// body gives the bytes that follow the header.
func (h *frame) body() int { return int(h.stored) + int(h.tables) }

// size gives the bytes that the frame takes in its segment.
func (h *frame) size() int64 { return (frameBytes + int64(h.body()) + 7) &^ 7 }

// checksum continues the checksum of an arena over the tables behind it.
func checksum(arena uint32, tables []byte) uint32 { return crc32.Update(arena, castagnoli, tables) }

func seed(salt uint64, off int64) uint32 {
	var b [16]byte
	le.PutUint64(b[:], salt)
	le.PutUint64(b[8:], uint64(off))
	return crc32.Checksum(b[:], castagnoli)
}

// encode writes the header for a place: the offset in a segment of that salt.
func (h *frame) encode(p []byte, salt uint64, off int64) {
	_ = p[frameBytes-1]
	le.PutUint32(p, frameMagic)
	for i, v := range [...]uint32{h.bodyCRC, h.events, h.stored, h.arena, h.tables, h.seconds} {
		le.PutUint32(p[8+4*i:], v)
	}
	le.PutUint64(p[32:], h.seq)
	le.PutUint64(p[40:], h.epoch)
	le.PutUint64(p[48:], h.before)
	clear(p[56:64])
	p[56], p[57], p[58] = h.flags, h.codec, h.form
	le.PutUint32(p[4:], crc32.Update(seed(salt, off), castagnoli, p[8:frameBytes]))
}

// decode reads a header and says whether it is one, for that place.
func (h *frame) decode(p []byte, salt uint64, off int64) bool {
	if len(p) < frameBytes || le.Uint32(p) != frameMagic ||
		le.Uint32(p[4:]) != crc32.Update(seed(salt, off), castagnoli, p[8:frameBytes]) {
		return false
	}
	*h = frame{
		bodyCRC: le.Uint32(p[8:]), events: le.Uint32(p[12:]), stored: le.Uint32(p[16:]), arena: le.Uint32(p[20:]),
		tables: le.Uint32(p[24:]), seconds: le.Uint32(p[28:]), seq: le.Uint64(p[32:]), epoch: le.Uint64(p[40:]),
		before: le.Uint64(p[48:]), flags: p[56], codec: p[57], form: p[58],
	}
	return h.stored <= maxBody && h.arena <= maxBody && h.tables <= maxBody && h.codec < codecs && h.form <= formFull
}

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
