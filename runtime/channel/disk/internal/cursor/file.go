// Package cursor is how far consumers are, and the file that remembers it.
package cursor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"collect/runtime/channel/disk/internal/segment"
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
	FileName     = "cursors"
	magic        = "collectK"
	noteAt       = 1024
	noteBytes    = 40
	slotsAt      = 4096
	sideBytes    = 16 << 10
	Sides        = 3
	sideHead     = 56
	maxConsumers = 1024
	MaxName      = 1024
	MaxRanges    = (sideBytes - sideHead - MaxName) / 24
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// Kinds of slots.
const (
	Free     = 0
	Consumer = 1
	Floor    = 2 // what the last consumer left behind when it was forgone
)

// Side is one stored state of a slot.
type Side struct {
	Generation uint64
	Which      int
	Kind       byte
	Name       string
	Progress
}

// Encode gives the stored form.
func (s *Side) Encode() []byte {
	spans := s.Spans[:min(len(s.Spans), MaxRanges)] // what does not fit may come twice after a crash
	p := make([]byte, sideHead, sideHead+len(s.Name)+24*len(spans))
	for i, v := range [...]uint64{s.Generation, s.Frontier, s.Events, s.At.Segment, uint64(s.At.Off)} {
		le.PutUint64(p[8+8*i:], v)
	}
	p[48] = s.Kind
	le.PutUint16(p[50:], uint16(len(s.Name)))
	le.PutUint32(p[52:], uint32(len(spans)))
	p = append(p, s.Name...)
	for _, r := range spans {
		p = le.AppendUint64(le.AppendUint64(le.AppendUint64(p, r.Lo), r.Hi), r.Events)
	}
	le.PutUint32(p[4:], uint32(len(p)))
	le.PutUint32(p, crc32.Checksum(p[4:], castagnoli))
	return p
}

func (s *Side) decode(p []byte) bool {
	if len(p) < sideHead {
		return false
	}
	n := le.Uint32(p[4:])
	if n < sideHead || int(n) > len(p) || le.Uint32(p) != crc32.Checksum(p[4:n], castagnoli) {
		return false
	}
	p = p[:n]
	name, spans := int(le.Uint16(p[50:])), int(le.Uint32(p[52:]))
	if spans > MaxRanges || sideHead+name+24*spans != int(n) {
		return false
	}
	*s = Side{Generation: le.Uint64(p[8:]), Kind: p[48], Name: string(p[sideHead : sideHead+name])}
	s.Frontier, s.Events = le.Uint64(p[16:]), le.Uint64(p[24:])
	s.At = Pos{le.Uint64(p[32:]), int64(le.Uint64(p[40:]))}
	for at, last := sideHead+name, s.Frontier; spans > 0; spans-- {
		r := Span{Lo: le.Uint64(p[at:]), Hi: le.Uint64(p[at+8:]), Events: le.Uint64(p[at+16:])}
		if r.Lo <= last || r.Hi < r.Lo {
			return false
		}
		s.Spans, last, at = append(s.Spans, r), r.Hi, at+24
	}
	return s.Kind <= Floor
}

// Note says what is known to be durable.
type Note struct {
	Generation uint64
	Durable    uint64 // number of the newest frame that an fdatasync made durable
	Before     uint64 // events up to it
	Next       uint64 // numbers below were given away
}

func (n *Note) encode() []byte {
	p := make([]byte, noteBytes)
	for i, v := range [...]uint64{n.Generation, n.Durable, n.Before, n.Next} {
		le.PutUint64(p[8+8*i:], v)
	}
	le.PutUint32(p, crc32.Checksum(p[4:], castagnoli))
	return p
}

func (n *Note) decode(p []byte) bool {
	if le.Uint32(p) != crc32.Checksum(p[4:noteBytes], castagnoli) || le.Uint64(p[8:]) == 0 {
		return false
	}
	*n = Note{le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:]), le.Uint64(p[32:])}
	return true
}

// Store writes a note beside the one before it.
func (n *Note) Store(f flow.File) error {
	_, err := f.WriteAt(n.encode(), noteAt+512*int64(n.Generation%2))
	return err
}

// Encoded is a side in its stored form.
type Encoded struct {
	Slot int
	Data []byte
}

// Write writes a new cursors file, which then takes the place of the one that is there, and leaves it open.
func Write(dir flow.Dir, channel [16]byte, n Note, sides []Encoded) (flow.File, error) {
	const name = FileName + segment.NewSuffix
	_ = dir.Remove(name) // of an earlier attempt
	f, err := dir.Create(name, segment.Perm)
	if err != nil {
		return nil, err
	}
	err = fill(f, channel, n, sides)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = dir.Rename(name, dir, FileName)
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

func fill(f flow.File, channel [16]byte, n Note, sides []Encoded) error {
	slots := 4
	for _, s := range sides {
		slots = max(slots, s.Slot+1)
	}
	if err := f.Allocate(0, slotAt(slots, 0)); err != nil {
		return err
	}
	if err := f.WriteVec(0, [][]byte{head(channel)}); err != nil {
		return err
	}
	if err := n.Store(f); err != nil {
		return err
	}
	for _, s := range sides {
		if err := StoreSide(f, s.Slot, 0, s.Data); err != nil {
			return err
		}
	}
	return nil
}

// StoreSide writes one side of a slot.
func StoreSide(f flow.File, slot, which int, data []byte) error {
	_, err := f.WriteAt(data, slotAt(slot, which))
	return err
}

func head(channel [16]byte) []byte {
	p := make([]byte, slotsAt)
	copy(p, magic)
	le.PutUint32(p[8:], segment.Version)
	copy(p[16:], channel[:])
	le.PutUint32(p[12:], segment.HeadSum(p[:32]))
	copy(p[512:], p[:32])
	return p
}

func slotAt(slot, which int) int64 { return slotsAt + int64(slot*Sides+which)*sideBytes }

// State is what a cursors file says.
type State struct {
	Channel [16]byte
	Note    Note
	Slots   []Side // by slot; kind Free: nothing there
}

// Waits says whether a frame waits for a consumer; without any, for the first that comes.
func (st *State) Waits(seq uint64) bool {
	none := true
	for i := range st.Slots {
		if st.Slots[i].Kind != Free {
			if !st.Slots[i].Done(seq) {
				return true
			}
			none = false
		}
	}
	return none
}

// Read reads a cursors file. ok is false when there is none, or none that can be read: then consumers begin at the oldest frame.
func Read(dir flow.Dir) (st State, ok bool, err error) {
	f, err := dir.Open(FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if err != nil {
		return st, false, fmt.Errorf("open cursors: %w", err)
	}
	defer f.Close()
	p, err := segment.ReadFull(f, make([]byte, slotsAt), 0)
	if err != nil {
		return st, false, fmt.Errorf("read cursors: %w", err)
	}
	for _, at := range []int{0, 512} {
		if len(p) < at+32 || string(p[at:at+8]) != magic || le.Uint32(p[at+12:]) != segment.HeadSum(p[at:at+32]) {
			continue
		}
		if v := le.Uint32(p[at+8:]); v != segment.Version {
			return st, false, fmt.Errorf("read cursors: format version %d; this program knows %d", v, segment.Version)
		}
		copy(st.Channel[:], p[at+16:])
		ok = true
		break
	}
	for i := range 2 {
		var n Note
		if at := noteAt + 512*i; len(p) >= at+noteBytes && n.decode(p[at:]) && n.Generation > st.Note.Generation {
			st.Note = n
		}
	}
	info, err := f.Stat()
	if err != nil {
		return st, false, err
	}
	for slot := 0; slotAt(slot, 0) < info.Size && slot < maxConsumers; slot++ {
		best := Side{}
		for which := range Sides {
			p, err := segment.ReadFull(f, make([]byte, sideBytes), slotAt(slot, which))
			if err != nil {
				return st, false, fmt.Errorf("read cursors: %w", err)
			}
			var s Side
			if s.decode(p) && s.Generation > best.Generation {
				best, best.Which = s, which
			}
		}
		st.Slots = append(st.Slots, best)
	}
	return st, ok, nil
}
