package flow

// Share gives a view of the whole batch with an acknowledgement and a Done of its own. It holds the batch until released.
func (b *Batch) Share() *Batch {
	v := b.view(b.pool.header())
	v.recs = append(v.recs[:0], b.recs...)
	v.runs = append(v.runs[:0], b.runs...)
	v.times = b.times
	return v
}

// Lend gives a view of the whole batch that costs no copy of the tables. Neither the view nor, while it lives, the batch may be
// changed; channels hand these out.
func (b *Batch) Lend() *Batch {
	v := b.view(b.pool.bareHeader())
	v.recs, v.runs, v.times, v.lent = b.recs, b.runs, b.times, true
	return v
}

// Select gives a view of some events, in ascending order of their indexes. All runs stay, so the view decides the same
// positions as the batch. A view that misses events has no identity: who remembers it by the batch's would take the rest for
// delivered too.
func (b *Batch) Select(events []int) *Batch {
	v := b.view(b.pool.header())
	if len(events) < len(b.recs) {
		v.id = ID{}
	}
	v.recs, v.runs = v.recs[:0], append(v.runs[:0], b.runs...)
	if b.times != nil {
		v.times = make([]int64, 0, len(events))
	}
	k := 0
	for r := range v.runs {
		run := &v.runs[r]
		end := run.First + run.N
		run.First = len(v.recs)
		for k < len(events) && events[k] < end {
			v.recs = append(v.recs, b.recs[events[k]])
			if b.times != nil {
				v.times = append(v.times, b.times[events[k]])
			}
			k++
		}
		run.N = len(v.recs) - run.First
	}
	return v
}

func (b *Batch) view(v *Batch) *Batch {
	b.Retain()
	v.arena, v.base, v.id, v.parent = b.arena, b.base, b.id, b
	return v
}

// SkipDecided removes events that a channel has decided already: those up to decided(key) of their run. It reports whether
// anything is left to store: an event, or a position beyond. Only channels call it, on the batch given to Put.
func (b *Batch) SkipDecided(decided func(key string) (uint64, bool)) bool {
	b.own()
	left := false
	out, owned := 0, b.parent == nil
	for k := range b.runs {
		run := &b.runs[k]
		pos, known := decided(run.Key)
		first, end := run.First, run.First+run.N
		run.First = out
		for i := first; i < end; i++ {
			if known && run.From+uint64(b.recs[i].After) <= pos {
				continue
			}
			b.recs[out] = b.recs[i]
			if b.times != nil && out != i {
				if !owned { // shared with the batch that this is a view of
					b.times, owned = append([]int64(nil), b.times...), true
				}
				b.times[out] = b.times[i]
			}
			out++
		}
		run.N = out - run.First
		left = left || run.N > 0 || !known || run.To > pos
	}
	b.recs = b.recs[:out]
	if b.times != nil {
		b.times = b.times[:out]
	}
	return left
}

// own copies tables that are lent before they are changed.
func (b *Batch) own() {
	if b.lent {
		b.recs, b.runs, b.lent = append([]Rec(nil), b.recs...), append([]Run(nil), b.runs...), false
	}
}

// Compact copies what is alive into a right-sized arena when that is less than half of what the batch pins, and says whether
// it did. A batch with other holders stays as it is.
func (b *Batch) Compact() (*Batch, bool) {
	if b.refs.Load() > 1 {
		return b, false
	}
	if int64(b.live())*2 > int64(cap(b.arena)) {
		return b, false
	}
	c := b.Copy()
	c.ack, c.done, b.ack, b.done = b.ack, b.done, nil, nil
	b.Release()
	return c, true
}

// live gives an upper bound of the bytes that events use.
func (b *Batch) live() int {
	n := 0
	for i := range b.recs {
		n += b.recs[i].BodyLen() + 5 + len(b.headerBlock(i))
	}
	return n
}

// Copy gives a batch of its own with what is alive, in a right-sized arena. The copy has no acknowledgement.
func (b *Batch) Copy() *Batch {
	c := b.pool.GetSized(b.live())
	c.base, c.id = b.base, b.id
	c.runs = append(c.runs[:0], b.runs...)
	if b.times != nil {
		c.times = append([]int64(nil), b.times...)
	}
	shared := map[uint32]uint32{} // header blocks may be shared between events
	for i := range b.recs {
		c.recs = append(c.recs, c.copyRec(b, i, shared))
	}
	return c
}

func (b *Batch) copyRec(from *Batch, i int, shared map[uint32]uint32) Rec {
	r := from.recs[i]
	if r.Len&FlagEdited != 0 {
		b.Append(from.arena[r.Off-4 : r.Off])
	}
	n := Rec{Len: r.Len &^ FlagNoLine, After: r.After}
	if r.Len&(FlagNoLine|FlagEdited) == FlagNoLine {
		n.Len |= FlagNoLine // keeps the length in the source exact
	}
	n.Off = uint32(b.Append(from.Body(i)))
	if r.Len&FlagCR == 0 {
		b.Append(newline)
	}
	if r.Hdr != 0 {
		at, ok := shared[r.Hdr]
		if !ok {
			at = uint32(b.Append(from.headerBlock(i))) + 1
			shared[r.Hdr] = at
		}
		n.Hdr = at
	}
	return n
}

// Unload says that the holder will not read the content again: its memory, the event table too, may go, while identity and Done
// stay. A sink may hold very many unloaded batches until its file closes.
func (b *Batch) Unload() {
	p := b.parent
	if p == nil {
		b.pool.recycle(b.arena)
	}
	b.arena, b.recs, b.times, b.parent = nil, nil, nil, nil
	b.runs = b.runs[:0]
	if p != nil {
		p.Release()
	}
}

// Unloaded says whether Unload was called.
func (b *Batch) Unloaded() bool { return b.arena == nil }
