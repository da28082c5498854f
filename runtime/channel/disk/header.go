package disk

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	frameBytes = 64 // of a frame's header
	frameMagic = 0x31667263
	maxBody    = 1 << 28 // a stored length beyond is damage
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
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

// complete enters the tables that follow an arena with that checksum.
func (h *frame) complete(arena uint32, tables []byte) {
	h.tables = uint32(len(tables))
	h.bodyCRC = crc32.Update(arena, castagnoli, tables)
}

// intact says whether p is the body that was written.
func (h *frame) intact(p []byte) bool {
	return len(p) == h.body() && crc32.Checksum(p, castagnoli) == h.bodyCRC
}

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

// scanHeader looks for the first header in p, which lies at an offset in a segment of that salt. It gives the place in p, and without
// a header the place that it has not looked at.
func scanHeader(p []byte, salt uint64, off int64) (h frame, i int, ok bool) {
	for ; i+frameBytes <= len(p); i += 8 {
		if le.Uint32(p[i:]) == frameMagic && h.decode(p[i:], salt, off+int64(i)) {
			return h, i, true
		}
	}
	return h, i, false
}
