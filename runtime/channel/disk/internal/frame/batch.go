package frame

import (
	"fmt"
	"hash/crc32"

	"collect/runtime/flow"
)

// Packed is a batch in the form in which it is written and read again. Its header has no number yet.
type Packed struct {
	Batch  *flow.Batch // the one to keep: what was given or, when that wastes too much, a copy
	Header Header
	Stored []byte // the arena as it is written
	sum    uint32 // of stored
}

// Pack brings a batch into the form in which it will also be read again: what is not stored goes from it.
func Pack(b *flow.Batch, c *Codec) (Packed, error) {
	for _, r := range b.Runs() {
		if len(r.Key) > MaxKey {
			return Packed{}, errKeyTooLong
		}
	}
	given, sh := b, shapeOf(b)
	if sh.copy {
		b = b.Copy()
		sh = shapeOf(b)
	}
	b.Cut(sh.used)
	runs := b.Runs()
	for i := range runs {
		if m := runs[i].Meta; m != nil {
			runs[i].Meta = nil
			if m.Counted || len(m.Headers) > 0 {
				runs[i].Meta = &flow.Meta{Counted: m.Counted, Headers: m.Headers}
			}
		}
	}
	if sh.used > MaxBody {
		if b != given {
			b.Release()
		}
		return Packed{}, flow.Permanent(fmt.Errorf("a batch of %d bytes is larger than a frame", sh.used))
	}
	return seal(b, c, sh.form), nil
}

// Repack does it for a batch that Pack has kept: it is not changed any more.
func Repack(b *flow.Batch, c *Codec) Packed { return seal(b, c, shapeOf(b).form) }

// seal compresses the arena and computes its checksum.
func seal(b *flow.Batch, c *Codec, form byte) Packed {
	p := Packed{Batch: b, Header: Header{Events: uint32(b.Len()), arena: uint32(len(b.Arena())), form: form}}
	if b.Times() != nil {
		p.Header.flags |= flagTimes
	}
	p.Stored, p.Header.codec = c.compress(b.Arena())
	p.Header.stored = uint32(len(p.Stored))
	p.sum = crc32.Checksum(p.Stored, castagnoli)
	return p
}

// AppendTables appends what stands behind the arena, and enters it into the header: what is known to be durable, and positions to write
// along.
func (p *Packed) AppendTables(buf []byte, durable uint64, extra []Position) []byte {
	buf = appendTables(buf, p.Batch, p.Header.form, durable, extra)
	p.Header.complete(p.sum, buf)
	return buf
}

// Positions appends the body of a frame without events to buf, which is empty, and gives its header.
func Positions(buf []byte, durable uint64, positions []Position) (Header, []byte) {
	buf = positionTables(buf, durable, positions)
	h := Header{flags: flagPosition}
	h.complete(0, buf)
	return h, buf
}

// Unpack makes a batch of a checked body. It takes over the body, which is a block of the pool.
func Unpack(c *Codec, pool *flow.Pool, channel [16]byte, h *Header, body []byte) (*flow.Batch, error) {
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
	id := flow.ID{Channel: channel, Epoch: h.Epoch, Seq: h.Seq}
	b := pool.Restore(arena, int(h.Events), t.runs, t.times(h), t.base, id)
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

// Decided gives what a checked body says beside its events: what was known to be durable, and all positions.
func (h *Header) Decided(body []byte) (durable uint64, positions []Position, err error) {
	t, err := decodeTables(h, body[h.stored:])
	if err != nil {
		return 0, nil, err
	}
	return t.durable, t.positions(), nil
}
