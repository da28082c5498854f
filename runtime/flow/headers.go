package flow

import (
	"encoding/binary"
	"slices"
)

// Header is one header of an event. Keys are unique and keep their case and order; values are bytes.
type Header struct {
	Name  string
	Value []byte
}

// A header block lies in the arena: total length (4 bytes), then for each header the length of its name (2), of its
// value (4), the name and the value; all little-endian.
const (
	blockHead = 4
	entryHead = 6
	maxName   = 1<<16 - 1
)

// AppendHeaderBlock appends the stored form of headers to dst.
func AppendHeaderBlock(dst []byte, headers []Header) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, h := range headers {
		dst = appendEntry(dst, h.Name, h.Value)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func appendEntry[N, V ~string | ~[]byte](dst []byte, name N, value V) []byte {
	if len(name) > maxName {
		name = name[:maxName]
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(name)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	dst = append(dst, name...)
	return append(dst, value...)
}

// headerBlock gives the event's own header block with its length in front, or nil.
func (b *Batch) headerBlock(i int) []byte {
	h := b.recs[i].Hdr
	if h == 0 {
		return nil
	}
	at := b.arena[h-1:]
	return at[:binary.LittleEndian.Uint32(at)]
}

// EachHeader calls yield for each header of a block until it says false, and reports whether it went to the end.
func EachHeader(block []byte, yield func(name, value []byte) bool) bool {
	if len(block) < blockHead {
		return true
	}
	for at := block[blockHead:]; len(at) >= entryHead; {
		n := int(binary.LittleEndian.Uint16(at))
		v := int(binary.LittleEndian.Uint32(at[2:]))
		if n+v > len(at)-entryHead {
			return true
		}
		if !yield(at[entryHead:entryHead+n], at[entryHead+n:entryHead+n+v]) {
			return false
		}
		at = at[entryHead+n+v:]
	}
	return true
}

// ValidHeaderBlock says whether a block of foreign origin is well formed.
func ValidHeaderBlock(block []byte) bool {
	if len(block) < blockHead || int(binary.LittleEndian.Uint32(block)) != len(block) {
		return false
	}
	at := block[blockHead:]
	for len(at) >= entryHead {
		n := int(binary.LittleEndian.Uint16(at)) + int(binary.LittleEndian.Uint32(at[2:]))
		if n < 0 || n > len(at)-entryHead {
			return false
		}
		at = at[entryHead+n:]
	}
	return len(at) == 0
}

func lookup(block []byte, name string) ([]byte, bool) {
	if len(block) < blockHead {
		return nil, false
	}
	for at := block[blockHead:]; len(at) >= entryHead; {
		n := int(binary.LittleEndian.Uint16(at))
		v := int(binary.LittleEndian.Uint32(at[2:]))
		if n == len(name) && string(at[entryHead:entryHead+n]) == name {
			return at[entryHead+n : entryHead+n+v : entryHead+n+v], true
		}
		at = at[entryHead+n+v:]
	}
	return nil, false
}

// Header gives a header of event i: its own, or one of its run.
func (b *Batch) Header(i int, name string) ([]byte, bool) {
	if v, ok := lookup(b.headerBlock(i), name); ok {
		return v, true
	}
	if run := b.RunOf(i); run != nil && run.Meta != nil {
		return lookup(run.Meta.Headers, name)
	}
	return nil, false
}

// Headers calls yield for each header of event i: those of its run that it does not replace, then its own.
func (b *Batch) Headers(i int, yield func(name, value []byte) bool) {
	own := b.headerBlock(i)
	if run := b.RunOf(i); run != nil && run.Meta != nil && len(run.Meta.Headers) > 0 {
		ok := EachHeader(run.Meta.Headers, func(n, v []byte) bool {
			if _, replaced := lookup(own, string(n)); replaced {
				return true
			}
			return yield(n, v)
		})
		if !ok {
			return
		}
	}
	EachHeader(own, yield)
}

// HasHeaders says whether event i has any header, its run's included.
func (b *Batch) HasHeaders(i int) bool {
	if b.recs[i].Hdr != 0 {
		return true
	}
	run := b.RunOf(i)
	return run != nil && run.Meta != nil && len(run.Meta.Headers) > blockHead
}

// ---- changes, only before Emit has passed the interceptors ----

// SetBody replaces the body of event i. The new body may alias the batch.
func (b *Batch) SetBody(i int, body []byte) {
	src := b.sourceLen(i)
	n := min(len(body), MaxBody)
	space, outgrown := b.space(n + 5)
	binary.LittleEndian.PutUint32(space, src)
	copy(space[4:], body[:n])
	space[4+n] = '\n'
	b.pool.recycle(outgrown)
	off := b.Used(n + 5)
	r := &b.recs[i]
	r.Off = uint32(off + 4)
	r.Len = uint32(n) | r.Len&FlagSplit | FlagEdited
}

// SetTime sets the time of event i, in ns since 1970 UTC.
func (b *Batch) SetTime(i int, ns int64) {
	if b.times == nil {
		b.times = make([]int64, len(b.recs))
		for k := range b.times {
			b.times[k] = b.base
		}
	}
	b.times[i] = ns
}

// SetHeaders sets headers of event i; those it has by the same names are replaced. Values may alias the batch.
func (b *Batch) SetHeaders(i int, headers ...Header) {
	old := b.headerBlock(i)
	need := len(old) + blockHead
	for _, h := range headers {
		need += entryHead + len(h.Name) + len(h.Value)
	}
	space, outgrown := b.space(need)
	block := append(space[:0], 0, 0, 0, 0)
	EachHeader(old, func(n, v []byte) bool {
		if !slices.ContainsFunc(headers, func(h Header) bool { return h.Name == string(n) }) {
			block = appendEntry(block, n, v)
		}
		return true
	})
	for _, h := range headers {
		block = appendEntry(block, h.Name, h.Value)
	}
	b.pool.recycle(outgrown)
	binary.LittleEndian.PutUint32(block, uint32(len(block)))
	b.recs[i].Hdr = uint32(b.Used(len(block))) + 1
}

// AppendHeaders stores a header block once, for UseHeaders of many events.
func (b *Batch) AppendHeaders(headers []Header) (at uint32) {
	return uint32(b.Append(AppendHeaderBlock(nil, headers))) + 1
}

// UseHeaders gives event i, which must have no headers of its own, the block stored at at. It says whether it could.
func (b *Batch) UseHeaders(i int, at uint32) bool {
	if b.recs[i].Hdr != 0 {
		return false
	}
	b.recs[i].Hdr = at
	return true
}

// RemoveHeaders removes the headers of event i whose name matches; those of its run are hidden for this event too.
func (b *Batch) RemoveHeaders(i int, match func(name []byte) bool) {
	run := b.RunOf(i)
	if run != nil && run.Meta != nil && len(run.Meta.Headers) > blockHead {
		b.ownRunHeaders(run)
	}
	old := b.headerBlock(i)
	if old == nil {
		return
	}
	space, outgrown := b.space(len(old))
	block := append(space[:0], 0, 0, 0, 0)
	EachHeader(old, func(n, v []byte) bool {
		if !match(n) {
			block = appendEntry(block, n, v)
		}
		return true
	})
	b.pool.recycle(outgrown)
	if len(block) == blockHead {
		b.recs[i].Hdr = 0
		return
	}
	binary.LittleEndian.PutUint32(block, uint32(len(block)))
	b.recs[i].Hdr = uint32(b.Used(len(block))) + 1
}

// ownRunHeaders gives each event of a run the run's headers as its own, so that one event can lose some.
func (b *Batch) ownRunHeaders(run *Run) {
	var shared []Header
	EachHeader(run.Meta.Headers, func(n, v []byte) bool {
		shared = append(shared, Header{string(n), v})
		return true
	})
	for i := run.First; i < run.First+run.N; i++ {
		var missing []Header
		for _, h := range shared {
			if _, ok := lookup(b.headerBlock(i), h.Name); !ok {
				missing = append(missing, h)
			}
		}
		b.SetHeaders(i, missing...)
	}
	meta := *run.Meta
	meta.Headers = nil
	run.Meta = &meta
}
