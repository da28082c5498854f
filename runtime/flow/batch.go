package flow

import (
	"encoding/binary"
	"sync/atomic"
)

// Rec locates one event in a batch's arena. It has no pointers, so the garbage collector never looks inside.
type Rec struct {
	Off   uint32 // of the body
	Len   uint32 // of the body in the low 24 bits, flags in the high 8
	Hdr   uint32 // offset of the event's own header block plus one; 0: none
	After uint32 // position just after this event, relative to Run.From
}

// MaxBody is the largest body, in bytes.
const MaxBody = 1<<24 - 1

// Flags of an event.
const (
	FlagCR     uint32 = 1 << 24 // the line ended in \r\n
	FlagNoLine uint32 = 1 << 25 // no line end follows the body in the arena
	FlagEdited uint32 = 1 << 26 // the body was replaced; four bytes before it hold its length in the source
	FlagSplit  uint32 = 1 << 27 // a part of a longer line, or a half line at the end of a file
)

// BodyLen gives the length of the body.
func (r Rec) BodyLen() int { return int(r.Len & MaxBody) }

// Flags gives the flags.
func (r Rec) Flags() uint32 { return r.Len &^ MaxBody }

// Run is a sequence of events of a batch that come from one place, such as one file or one topic partition.
type Run struct {
	Key   string // position key; unique for the source, and with the pipeline's prefix for the installation
	From  uint64 // position before the first event
	To    uint64 // position after the run; events may be missing in between, never after it
	First int    // index of the first event
	N     int    // number of events; may be 0: then the run only says that From to To is decided
	Meta  *Meta  // shared by all events; may be nil
}

// Meta is what all events of a run have in common. It is readable as event.meta and, but for Headers, neither stored nor sent.
type Meta struct {
	File      string
	Topic     string
	Peer      string
	Partition int64
	Counted   bool   // positions count events, not bytes
	Headers   []byte // a header block (see AppendHeaderBlock) that every event of the run has
}

// ID names a batch for ever: the channel that holds it, the opening of the channel at which it was written, and its number.
type ID struct {
	Channel [16]byte
	Epoch   uint64
	Seq     uint64
}

// Outcome is what became of a batch, as its source learns it.
type Outcome uint8

// The outcomes. A position may advance after all but Abandoned.
const (
	Durable      Outcome = iota + 1 // stored where a crash does not lose it
	Delivered                       // delivered by all its sinks
	Dropped                         // dropped as configured, and counted
	DeadLettered                    // in a dead-letter channel
	Abandoned                       // nobody will deliver it: the pipeline stops. The position must stay
)

// Batch is the unit of all work: many events, one block of memory. It is immutable after Emit and returns to its pool when
// the last holder releases it.
type Batch struct {
	arena []byte
	recs  []Rec
	runs  []Run
	times []int64 // nil: every event has base
	base  int64
	id    ID

	use    uint64 // counts how often the pool has handed it out
	parent *Batch // owns the arena when this batch is a view
	lent   bool   // the tables are the parent's too
	refs   atomic.Int32
	ack    func(Outcome)
	done   func(*Batch, Result)
	pool   *Pool
}

// ---- building, by sources ----

// Len gives the number of events.
func (b *Batch) Len() int { return len(b.recs) }

// Bytes gives the bytes of all bodies.
func (b *Batch) Bytes() int64 {
	var n int64
	for i := range b.recs {
		n += int64(b.recs[i].BodyLen())
	}
	return n
}

// Retained gives the memory the batch pins: whole blocks, however little of them is alive.
func (b *Batch) Retained() int64 {
	return int64(cap(b.arena)) + int64(cap(b.recs))*16
}

// Size gives what a channel must reserve for the batch.
func (b *Batch) Size() Size { return Size{Events: len(b.recs), Bytes: b.Retained()} }

// Space gives at least n free bytes at the end of the arena, to read into. Used makes them part of it.
func (b *Batch) Space(n int) []byte {
	space, outgrown := b.space(n)
	b.pool.recycle(outgrown)
	return space
}

// space is Space for what copies from the batch itself: it gives the block that became too small, if any, which is to be recycled
// after the copying.
func (b *Batch) space(n int) (space, outgrown []byte) {
	if cap(b.arena)-len(b.arena) < n {
		grown := b.pool.arena(len(b.arena) + n)
		grown = append(grown, b.arena...)
		b.arena, outgrown = grown, b.arena
	}
	return b.arena[len(b.arena):cap(b.arena)], outgrown
}

// Used adds the first n bytes of Space to the arena and gives the offset where they begin.
func (b *Batch) Used(n int) int {
	off := len(b.arena)
	b.arena = b.arena[:off+n]
	return off
}

// Append copies p into the arena and gives its offset.
func (b *Batch) Append(p []byte) int {
	space, outgrown := b.space(len(p))
	copy(space, p)
	b.pool.recycle(outgrown)
	return b.Used(len(p))
}

// Arena gives the block of memory that all offsets point into. It must not be changed.
func (b *Batch) Arena() []byte { return b.arena }

// Begin starts a run. The events added from here on belong to it.
func (b *Batch) Begin(key string, from uint64, meta *Meta) {
	b.runs = append(b.runs, Run{Key: key, From: from, To: from, First: len(b.recs), Meta: meta})
}

// Add adds an event whose body is arena[off:off+n]; after is the position just behind it.
func (b *Batch) Add(off, n int, after uint64, flags uint32) {
	r := &b.runs[len(b.runs)-1]
	b.recs = append(b.recs, Rec{Off: uint32(off), Len: uint32(n) | flags, After: uint32(after - r.From)})
	r.N++
	r.To = after
}

// AddBody copies a body into the arena, followed by a line end so that sinks can write it as it is, and adds it.
func (b *Batch) AddBody(body []byte, after uint64) {
	space := b.Space(len(body) + 1)
	n := copy(space, body)
	space[n] = '\n'
	b.Add(b.Used(n+1), n, after, 0)
}

// Decide moves the end of the current run to a position behind its last event: what lies between has no events.
func (b *Batch) Decide(to uint64) { b.runs[len(b.runs)-1].To = to }

// SetBase sets the time of all events that have none of their own, in ns since 1970 UTC.
func (b *Batch) SetBase(ns int64) { b.base = ns }

// Base gives the time of events that have none of their own.
func (b *Batch) Base() int64 { return b.base }

// OnAck sets what is called, once, when the fate of the batch is known.
func (b *Batch) OnAck(f func(Outcome)) { b.ack = f }

// AckFunc gives what OnAck set; the pipeline wraps it.
func (b *Batch) AckFunc() func(Outcome) { return b.ack }

// Ack tells the source. A second call does nothing.
func (b *Batch) Ack(o Outcome) {
	if f := b.ack; f != nil {
		b.ack = nil
		f(o)
	}
}

// ---- reading ----

// Recs gives the events' places. It must not be changed; channels and transports store it.
func (b *Batch) Recs() []Rec { return b.recs }

// Runs gives the runs. It must not be changed after Emit.
func (b *Batch) Runs() []Run { return b.runs }

// Times gives the events' own times, or nil.
func (b *Batch) Times() []int64 { return b.times }

// ID gives the batch's name, set by the channel that stored it.
func (b *Batch) ID() ID { return b.id }

// Cut forgets what lies behind the first n bytes of the arena, where no event has anything. Channels call it, so that a batch is
// the same before and after it was stored.
func (b *Batch) Cut(n int) { b.arena = b.arena[:n] }

// SetID is called by channels.
func (b *Batch) SetID(id ID) { b.id = id }

// Body gives the body of event i. It must not be changed and is gone when the batch is released.
func (b *Batch) Body(i int) []byte {
	r := b.recs[i]
	return b.arena[r.Off : r.Off+r.Len&MaxBody : r.Off+r.Len&MaxBody]
}

// Time gives the time of event i, in ns since 1970 UTC.
func (b *Batch) Time(i int) int64 {
	if b.times != nil {
		return b.times[i]
	}
	return b.base
}

// Blocks calls yield with pieces of memory that together are all bodies in order, each followed by one \n. Consecutive lines
// that nobody changed are one piece: a sink that writes lines as they are writes these.
func (b *Batch) Blocks(yield func([]byte) bool) {
	for i := 0; i < len(b.recs); {
		start := b.recs[i].Off
		end, j := start, i
		for j < len(b.recs) && b.recs[j].Off == end && b.whole(j) {
			end += uint32(b.recs[j].BodyLen()) + 1
			j++
		}
		if j > i {
			if !yield(b.arena[start:end]) {
				return
			}
			i = j
			continue
		}
		if !yield(b.Body(i)) || !yield(newline) {
			return
		}
		i++
	}
}

var newline = []byte{'\n'}

// whole says whether a \n follows the body of event i in the arena.
func (b *Batch) whole(i int) bool {
	r := b.recs[i]
	end := int(r.Off) + r.BodyLen()
	return r.Len&(FlagNoLine|FlagCR) == 0 && end < len(b.arena) && b.arena[end] == '\n'
}

// RunOf gives the run of event i.
func (b *Batch) RunOf(i int) *Run {
	for k := range b.runs {
		if r := &b.runs[k]; i < r.First+r.N {
			return r
		}
	}
	return nil
}

// SourceOffset gives the position where event i began in its source.
func (b *Batch) SourceOffset(i int) uint64 {
	run, r := b.RunOf(i), b.recs[i]
	after := run.From + uint64(r.After)
	if run.Meta != nil && run.Meta.Counted {
		return after - 1
	}
	return after - uint64(b.sourceLen(i))
}

// sourceLen gives the bytes that event i took in its source, line end included.
func (b *Batch) sourceLen(i int) uint32 {
	r := b.recs[i]
	if r.Len&FlagEdited != 0 {
		return binary.LittleEndian.Uint32(b.arena[r.Off-4:])
	}
	n := uint32(r.BodyLen())
	if r.Len&FlagNoLine == 0 {
		n++
	}
	if r.Len&FlagCR != 0 {
		n++
	}
	return n
}

// ---- life ----

// Retain adds a holder.
func (b *Batch) Retain() { b.refs.Add(1) }

// Release drops a holder; after the last one the memory returns to the pool.
func (b *Batch) Release() {
	n := b.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		b.pool.Violated("a batch was released more often than it was held")
		return
	}
	b.pool.put(b)
}
