// Package frame is the form of a batch on disk: a header, the arena as it was or compressed, and tables.
package frame

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	HeaderBytes = 64
	MaxBody     = 1 << 28 // a stored length beyond is damage
	magic       = 0x31667263
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

// Header is the header of a frame. What is not exported, Pack and Positions enter.
type Header struct {
	Events, stored, arena, tables uint32
	Seconds                       uint32 // when it was put, since 1970
	bodyCRC                       uint32
	Seq, Epoch, Before            uint64
	flags, codec, form            byte
}

// Body gives the bytes that follow the header.
func (h *Header) Body() int { return int(h.stored) + int(h.tables) }

// Size gives the bytes that the frame takes in its segment.
func (h *Header) Size() int64 { return (HeaderBytes + int64(h.Body()) + 7) &^ 7 }

// complete enters the tables that follow an arena with that checksum.
func (h *Header) complete(arena uint32, tables []byte) {
	h.tables = uint32(len(tables))
	h.bodyCRC = crc32.Update(arena, castagnoli, tables)
}

// Intact says whether p is the body that was written.
func (h *Header) Intact(p []byte) bool {
	return len(p) == h.Body() && crc32.Checksum(p, castagnoli) == h.bodyCRC
}

func seed(salt uint64, off int64) uint32 {
	var b [16]byte
	le.PutUint64(b[:], salt)
	le.PutUint64(b[8:], uint64(off))
	return crc32.Checksum(b[:], castagnoli)
}

// Encode writes the header for a place: the offset in a segment of that salt.
func (h *Header) Encode(p []byte, salt uint64, off int64) {
	_ = p[HeaderBytes-1]
	le.PutUint32(p, magic)
	for i, v := range [...]uint32{h.bodyCRC, h.Events, h.stored, h.arena, h.tables, h.Seconds} {
		le.PutUint32(p[8+4*i:], v)
	}
	le.PutUint64(p[32:], h.Seq)
	le.PutUint64(p[40:], h.Epoch)
	le.PutUint64(p[48:], h.Before)
	clear(p[56:64])
	p[56], p[57], p[58] = h.flags, h.codec, h.form
	le.PutUint32(p[4:], crc32.Update(seed(salt, off), castagnoli, p[8:HeaderBytes]))
}

// Decode reads a header and says whether it is one, for that place.
func (h *Header) Decode(p []byte, salt uint64, off int64) bool {
	if len(p) < HeaderBytes || le.Uint32(p) != magic ||
		le.Uint32(p[4:]) != crc32.Update(seed(salt, off), castagnoli, p[8:HeaderBytes]) {
		return false
	}
	*h = Header{
		bodyCRC: le.Uint32(p[8:]), Events: le.Uint32(p[12:]), stored: le.Uint32(p[16:]), arena: le.Uint32(p[20:]),
		tables: le.Uint32(p[24:]), Seconds: le.Uint32(p[28:]), Seq: le.Uint64(p[32:]), Epoch: le.Uint64(p[40:]),
		Before: le.Uint64(p[48:]), flags: p[56], codec: p[57], form: p[58],
	}
	return h.stored <= MaxBody && h.arena <= MaxBody && h.tables <= MaxBody && h.codec < codecs && h.form <= formFull
}

// Scan looks for the first header in p, which lies at an offset in a segment of that salt. It gives the place in p, and without
// a header the place that it has not looked at.
func Scan(p []byte, salt uint64, off int64) (h Header, i int, ok bool) {
	for ; i+HeaderBytes <= len(p); i += 8 {
		if le.Uint32(p[i:]) == magic && h.Decode(p[i:], salt, off+int64(i)) {
			return h, i, true
		}
	}
	return h, i, false
}
