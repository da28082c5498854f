package disk

import (
	"fmt"
	"hash/crc32"

	"collect/runtime/flow"
)

// packed is a batch in the form in which it is written and read again. Its header has no number yet.
type packed struct {
	batch  *flow.Batch // the one to keep: what was given or, when that wastes too much, a copy
	header frame
	stored []byte // the arena as it is written
	sum    uint32 // of stored
}

// pack brings a batch into the form in which it will also be read again: what is not stored goes from it.
func pack(b *flow.Batch, c *codec) (packed, error) {
	for _, r := range b.Runs() {
		if len(r.Key) > maxKey {
			return packed{}, errKeyTooLong
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
	if sh.used > maxBody {
		if b != given {
			b.Release()
		}
		return packed{}, flow.Permanent(fmt.Errorf("a batch of %d bytes is larger than a frame", sh.used))
	}
	return seal(b, c, sh.form), nil
}

// packAgain does it for a batch that pack has kept: it is not changed any more.
func packAgain(b *flow.Batch, c *codec) packed { return seal(b, c, shapeOf(b).form) }

// seal compresses the arena and computes its checksum.
func seal(b *flow.Batch, c *codec, form byte) packed {
	p := packed{batch: b, header: frame{events: uint32(b.Len()), arena: uint32(len(b.Arena())), form: form}}
	if b.Times() != nil {
		p.header.flags |= flagTimes
	}
	p.stored, p.header.codec = c.compress(b.Arena())
	p.header.stored = uint32(len(p.stored))
	p.sum = crc32.Checksum(p.stored, castagnoli)
	return p
}

// appendTables appends what stands behind the arena, and enters it into the header: what is known to be durable, and positions to write
// along.
func (p *packed) appendTables(buf []byte, durable uint64, extra []position) []byte {
	buf = appendTables(buf, p.batch, p.header.form, durable, extra)
	p.header.complete(p.sum, buf)
	return buf
}

// positionFrame appends the body of a frame without events to buf, which is empty, and gives its header.
func positionFrame(buf []byte, durable uint64, positions []position) (frame, []byte) {
	buf = positionTables(buf, durable, positions)
	h := frame{flags: flagPosition}
	h.complete(0, buf)
	return h, buf
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

// decided gives what a checked body says beside its events: what was known to be durable, and all positions.
func (h *frame) decided(body []byte) (durable uint64, positions []position, err error) {
	t, err := decodeTables(h, body[h.stored:])
	if err != nil {
		return 0, nil, err
	}
	return t.durable, t.positions(), nil
}
