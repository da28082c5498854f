package disk

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"

	"collect/runtime/flow"
)

// The cursors file: a head (twice), a note of what is durable (twice, written in turn), and for each consumer a slot with three
// sides. One side is what the last fdatasync made durable, one is perhaps being synced, one is being written; so a write that a
// power cut tears never costs more than what came after the last fdatasync.
//
//	   0 "collectK"  version u32  crc u32  channel uuid            512: the same again
//	1024 crc u32  0 u32  generation u64  durable seq u64  events before the next u64  next seq u64     1536: the other
//	4096 + 49152*i: side 0; +16384: side 1; +32768: side 2
//	side crc u32  length u32  generation u64  frontier u64  events u64  segment u64  offset u64  kind u8  0 u8
//	     name length u16  ranges u32  name  ranges: from u64, to u64, events u64
const (
	cursorName   = "cursors"
	cursorMagic  = "collectK"
	noteAt       = 1024
	noteBytes    = 40
	slotsAt      = 4096
	sideBytes    = 16 << 10
	sides        = 3
	sideHead     = 56
	maxConsumers = 1024
	maxName      = 1024
	maxRanges    = (sideBytes - sideHead - maxName) / 24
)

// Kinds of slots.
const (
	slotFree     = 0
	slotConsumer = 1
	slotFloor    = 2 // what the last consumer left behind when it was forgone
)

// span is a range of frames that are committed beyond the frontier.
type span struct {
	lo, hi uint64
	events uint64
	after  uint64    // events of the channel up to hi; 0: not known
	end    cursorPos // behind hi; zero: not known
}

type cursorPos struct {
	segment uint64
	off     int64
}

// progress is how far a consumer is.
type progress struct {
	frontier uint64    // this frame and all before are committed
	events   uint64    // events up to there, since the channel began
	at       cursorPos // of a frame at or before the one after the frontier
	spans    []span    // in order, apart from each other
}

// done says whether a frame is committed.
func (p *progress) done(seq uint64) bool {
	if seq <= p.frontier {
		return true
	}
	i, _ := slices.BinarySearchFunc(p.spans, seq, func(s span, q uint64) int {
		if s.hi < q {
			return -1
		}
		return 1
	})
	return i < len(p.spans) && p.spans[i].lo <= seq
}

// covers says whether all frames of a span are committed.
func (p *progress) covers(s span) bool {
	return s.hi <= p.frontier || slices.ContainsFunc(p.spans, func(o span) bool { return o.lo <= s.lo && s.hi <= o.hi })
}

// add commits frames lo to hi, none of which is committed.
func (p *progress) add(s span) {
	i, _ := slices.BinarySearchFunc(p.spans, s.lo, func(a span, lo uint64) int {
		if a.lo < lo {
			return -1
		}
		return 1
	})
	if i < len(p.spans) && p.spans[i].lo == s.hi+1 {
		n := p.spans[i]
		s = span{s.lo, n.hi, s.events + n.events, n.after, n.end}
		p.spans = slices.Delete(p.spans, i, i+1)
	}
	if i > 0 && p.spans[i-1].hi+1 == s.lo {
		l := p.spans[i-1]
		s = span{l.lo, s.hi, s.events + l.events, s.after, s.end}
		i--
		p.spans = slices.Delete(p.spans, i, i+1)
	}
	if s.lo == p.frontier+1 {
		p.frontier, p.events = s.hi, p.events+s.events
		if s.after != 0 {
			p.events = s.after
		}
		if s.end != (cursorPos{}) {
			p.at = s.end
		}
		return
	}
	p.spans = slices.Insert(p.spans, i, s)
}

// committed gives the number of events that are committed.
func (p *progress) committed() uint64 {
	n := p.events
	for _, s := range p.spans {
		n += s.events
	}
	return n
}

// within gives how many events are committed beyond the frontier in frames that follow the first "from" events of the channel and end with
// its "to"-th. First and last are these frames.
func (p *progress) within(first, last, from, to uint64) (n uint64) {
	for _, s := range p.spans {
		if s.hi < first || s.lo > last {
			continue
		}
		begin, end := s.after-s.events, s.after
		if s.after == 0 || s.lo >= first && s.hi <= last {
			n += s.events
			continue
		}
		n += min(end, to) - min(max(begin, from), min(end, to))
	}
	return min(n, to-from)
}

// highest gives the highest frame that is committed.
func (p *progress) highest() uint64 {
	if n := len(p.spans); n > 0 {
		return p.spans[n-1].hi
	}
	return p.frontier
}

// side is one stored state of a slot.
type side struct {
	generation uint64
	which      int
	kind       byte
	name       string
	progress
}

func (s *side) encode() []byte {
	spans := s.spans[:min(len(s.spans), maxRanges)] // what does not fit may come twice after a crash
	p := make([]byte, sideHead, sideHead+len(s.name)+24*len(spans))
	for i, v := range [...]uint64{s.generation, s.frontier, s.events, s.at.segment, uint64(s.at.off)} {
		le.PutUint64(p[8+8*i:], v)
	}
	p[48] = s.kind
	le.PutUint16(p[50:], uint16(len(s.name)))
	le.PutUint32(p[52:], uint32(len(spans)))
	p = append(p, s.name...)
	for _, r := range spans {
		p = le.AppendUint64(le.AppendUint64(le.AppendUint64(p, r.lo), r.hi), r.events)
	}
	le.PutUint32(p[4:], uint32(len(p)))
	le.PutUint32(p, crc32.Checksum(p[4:], castagnoli))
	return p
}

func (s *side) decode(p []byte) bool {
	if len(p) < sideHead {
		return false
	}
	n := le.Uint32(p[4:])
	if n < sideHead || int(n) > len(p) || le.Uint32(p) != crc32.Checksum(p[4:n], castagnoli) {
		return false
	}
	p = p[:n]
	name, spans := int(le.Uint16(p[50:])), int(le.Uint32(p[52:]))
	if spans > maxRanges || sideHead+name+24*spans != int(n) {
		return false
	}
	*s = side{generation: le.Uint64(p[8:]), kind: p[48], name: string(p[sideHead : sideHead+name])}
	s.frontier, s.events = le.Uint64(p[16:]), le.Uint64(p[24:])
	s.at = cursorPos{le.Uint64(p[32:]), int64(le.Uint64(p[40:]))}
	for at, last := sideHead+name, s.frontier; spans > 0; spans-- {
		r := span{lo: le.Uint64(p[at:]), hi: le.Uint64(p[at+8:]), events: le.Uint64(p[at+16:])}
		if r.lo <= last || r.hi < r.lo {
			return false
		}
		s.spans, last, at = append(s.spans, r), r.hi, at+24
	}
	return s.kind <= slotFloor
}

// note says what is known to be durable.
type note struct {
	generation uint64
	durable    uint64 // number of the newest frame that an fdatasync made durable
	before     uint64 // events up to it
	next       uint64 // numbers below were given away
}

func (n *note) encode() []byte {
	p := make([]byte, noteBytes)
	for i, v := range [...]uint64{n.generation, n.durable, n.before, n.next} {
		le.PutUint64(p[8+8*i:], v)
	}
	le.PutUint32(p, crc32.Checksum(p[4:], castagnoli))
	return p
}

func (n *note) decode(p []byte) bool {
	if le.Uint32(p) != crc32.Checksum(p[4:noteBytes], castagnoli) || le.Uint64(p[8:]) == 0 {
		return false
	}
	*n = note{le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:]), le.Uint64(p[32:])}
	return true
}

// store writes a note beside the one before it.
func (n *note) store(f flow.File) error {
	_, err := f.WriteAt(n.encode(), noteAt+512*int64(n.generation%2))
	return err
}

// slotSide is a side in its stored form.
type slotSide struct {
	slot int
	data []byte
}

// writeCursors writes a new cursors file, which then takes the place of the one that is there, and leaves it open.
func writeCursors(dir flow.Dir, channel [16]byte, n note, sides []slotSide) (flow.File, error) {
	const name = cursorName + newSuffix
	_ = dir.Remove(name) // of an earlier attempt
	f, err := dir.Create(name, filePerm)
	if err != nil {
		return nil, err
	}
	err = fillCursors(f, channel, n, sides)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = dir.Rename(name, dir, cursorName)
	}
	if err == nil {
		err = dir.Sync()
	}
	if err != nil {
		_ = f.Close() // the file is given up
		return nil, err
	}
	return f, nil
}

func fillCursors(f flow.File, channel [16]byte, n note, sides []slotSide) error {
	slots := 4
	for _, s := range sides {
		slots = max(slots, s.slot+1)
	}
	if err := f.Allocate(0, slotAt(slots, 0)); err != nil {
		return err
	}
	if err := f.WriteVec(0, [][]byte{cursorHead(channel)}); err != nil {
		return err
	}
	if err := n.store(f); err != nil {
		return err
	}
	for _, s := range sides {
		if err := storeSide(f, s.slot, 0, s.data); err != nil {
			return err
		}
	}
	return nil
}

// storeSide writes one side of a slot.
func storeSide(f flow.File, slot, which int, data []byte) error {
	_, err := f.WriteAt(data, slotAt(slot, which))
	return err
}

func cursorHead(channel [16]byte) []byte {
	p := make([]byte, slotsAt)
	copy(p, cursorMagic)
	le.PutUint32(p[8:], version)
	copy(p[16:], channel[:])
	le.PutUint32(p[12:], headSum(p[:32]))
	copy(p[512:], p[:32])
	return p
}

func slotAt(slot, which int) int64 { return slotsAt + int64(slot*sides+which)*sideBytes }

// cursorState is what a cursors file says.
type cursorState struct {
	channel [16]byte
	note    note
	slots   []side // by slot; kind slotFree: nothing there
}

// readCursors reads a cursors file. ok is false when there is none, or none that can be read: then consumers begin at the oldest frame.
func readCursors(dir flow.Dir) (st cursorState, ok bool, err error) {
	f, err := dir.Open(cursorName)
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if err != nil {
		return st, false, fmt.Errorf("open cursors: %w", err)
	}
	defer f.Close()
	p, err := readFull(f, make([]byte, slotsAt), 0)
	if err != nil {
		return st, false, fmt.Errorf("read cursors: %w", err)
	}
	for _, at := range []int{0, 512} {
		if len(p) < at+32 || string(p[at:at+8]) != cursorMagic || le.Uint32(p[at+12:]) != headSum(p[at:at+32]) {
			continue
		}
		if v := le.Uint32(p[at+8:]); v != version {
			return st, false, fmt.Errorf("read cursors: format version %d; this program knows %d", v, version)
		}
		copy(st.channel[:], p[at+16:])
		ok = true
		break
	}
	for i := range 2 {
		var n note
		if at := noteAt + 512*i; len(p) >= at+noteBytes && n.decode(p[at:]) && n.generation > st.note.generation {
			st.note = n
		}
	}
	info, err := f.Stat()
	if err != nil {
		return st, false, err
	}
	for slot := 0; slotAt(slot, 0) < info.Size && slot < maxConsumers; slot++ {
		best := side{}
		for which := range sides {
			p, err := readFull(f, make([]byte, sideBytes), slotAt(slot, which))
			if err != nil {
				return st, false, fmt.Errorf("read cursors: %w", err)
			}
			var s side
			if s.decode(p) && s.generation > best.generation {
				best, best.which = s, which
			}
		}
		st.slots = append(st.slots, best)
	}
	return st, ok, nil
}
