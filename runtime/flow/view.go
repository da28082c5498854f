package flow

// Share gives a view of the whole batch with an acknowledgement and a Done of its own. It holds the batch until released.
func (b *Batch) Share() *Batch {
	v := b.view()
	v.recs = append(v.recs[:0], b.recs...)
	v.runs = append(v.runs[:0], b.runs...)
	v.times = b.times
	return v
}

// Select gives a view of some events, in ascending order of their indexes. All runs stay, so the view decides the same
// positions as the batch. A view that misses events has no identity: who remembers it by the batch's would take the rest for
// delivered too.
func (b *Batch) Select(events []int) *Batch {
	v := b.view()
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

func (b *Batch) view() *Batch {
	v := b.pool.header()
	b.Retain()
	v.arena, v.base, v.id, v.parent = b.arena, b.base, b.id, b
	return v
}

// SkipDecided removes events that a channel has decided already: those up to decided(key) of their run. It reports whether
// anything is left to store: an event, or a position beyond. Only channels call it, on the batch given to Put.
func (b *Batch) SkipDecided(decided func(key string) (uint64, bool)) bool {
	left := false
	out := 0
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
			if b.times != nil && b.parent == nil {
				b.times[out] = b.times[i]
			} else if b.times != nil && out != i {
				b.ownTimes()
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

// ownTimes copies times that are shared with another batch before they are changed.
func (b *Batch) ownTimes() { b.times = append([]int64(nil), b.times...) }

// Compact copies what is alive into a right-sized arena when that is less than half of what the batch pins, and says whether
// it did. Only the sole holder may call it.
func (b *Batch) Compact() (*Batch, bool) {
	live := 0
	for i := range b.recs {
		live += b.recs[i].BodyLen() + 5 + len(b.headerBlock(i))
	}
	if int64(live)*2 > int64(cap(b.arena)) {
		return b, false
	}
	c := b.pool.GetSized(live)
	c.base, c.id, c.ack, c.done = b.base, b.id, b.ack, b.done
	c.runs = append(c.runs[:0], b.runs...)
	if b.times != nil {
		c.times = append([]int64(nil), b.times...)
	}
	shared := map[uint32]uint32{} // header blocks may be shared between events
	for i := range b.recs {
		c.recs = append(c.recs, c.copyRec(b, i, shared))
	}
	b.ack, b.done = nil, nil
	b.Release()
	return c, true
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
