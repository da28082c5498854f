package disk

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"collect/runtime/flow"
)

// DamageReport is a piece of a segment that is not what was written.
type DamageReport struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Reason  string `json:"reason"`
}

// found is a frame that a scan met.
type found struct {
	frame
	at        place
	whole     bool  // its body is right
	gap       error // why something before it could not be read
	err       error // why its body could not be read
	end       bool  // it is no frame but the end of a segment, after something that could not be read
	durable   uint64
	positions []position
}

// recovery is what an opening finds out.
type recovery struct {
	dir       flow.Dir
	keep      bool // nothing may be changed
	infos     []flow.Info
	cursors   cursorState
	hasCursor bool
	segs      []*segment
	lost      int64 // events in what had to be set aside as a whole
	remove    []string
	scanned   []found
	durable   uint64 // frames up to here were durable
	before    uint64 // events up to last
	last      uint64 // the newest frame that counts
	proven    []*segment
	copy      []found // frames that are whole but perhaps not durable
	decided   map[string]uint64
	err       error          // why it cannot be known what counts
	damage    []DamageReport // segments as a whole
}

func (r *recovery) highestNumber() uint64 {
	n := uint64(0)
	for _, info := range r.infos {
		if k, ok := segmentNumber(strings.TrimSuffix(strings.TrimSuffix(info.Name, newSuffix), badSuffix)); ok {
			n = max(n, k)
		}
	}
	return n
}

// durableLast gives the newest number that is taken for durable before the tail is copied.
func (r *recovery) durableLast() uint64 {
	if len(r.copy) > 0 {
		return r.copy[0].seq - 1
	}
	return r.last
}

// outOfReach is why a channel does not open on a disk that cannot read what it must know. It may be able to tomorrow, so only people
// can decide to go on without.
type outOfReach struct{ error }

func (o outOfReach) Error() string {
	return o.error.Error() + "; when the disk never reads it again, move that file away: the rest is delivered and the gap counted"
}

func (o outOfReach) Unwrap() error { return o.error }

// readDir reads all that a channel's directory holds, and decides what counts. With keep nothing is changed by it.
func readDir(dir flow.Dir, keep bool) (*recovery, error) {
	r := &recovery{dir: dir, keep: keep, decided: map[string]uint64{}}
	return r, r.read()
}

// read reads all there is and decides what counts. It changes nothing but the name of a segment that has no readable head.
func (r *recovery) read() (err error) {
	if r.infos, err = r.dir.ReadDir(); err != nil {
		return fmt.Errorf("list channel: %w", err)
	}
	if r.cursors, r.hasCursor, err = readCursors(r.dir); err != nil {
		return err
	}
	r.durable = r.cursors.note.durable
	for _, info := range r.infos {
		if strings.HasSuffix(info.Name, newSuffix) {
			r.remove = append(r.remove, info.Name)
		}
		if _, ok := segmentNumber(info.Name); ok {
			if err := r.readSegment(info); err != nil {
				return err
			}
		}
	}
	r.dropReplaced()
	if err := r.scanTail(); err != nil {
		return err
	}
	r.judge()
	if r.err != nil && !r.keep {
		return outOfReach{r.err}
	}
	return nil
}

func (r *recovery) readSegment(info flow.Info) error {
	f, err := r.dir.Open(info.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	h, err := readHead(f)
	if errors.Is(err, errNoHead) {
		return r.headless(f, info)
	}
	_, sick := errors.AsType[unreadHead](err)
	if sick && r.keep {
		r.damage = append(r.damage, DamageReport{info.Name, 0, info.Size, err.Error()})
		return nil
	}
	if err != nil {
		if sick {
			err = outOfReach{err}
		}
		return fmt.Errorf("segment %s: %w", info.Name, err)
	}
	if r.cursors.channel == [16]byte{} {
		r.cursors.channel = h.channel
	}
	if h.channel != r.cursors.channel {
		return fmt.Errorf("segment %s belongs to another channel", info.Name)
	}
	r.segs = append(r.segs, &segment{head: h, name: info.Name, start: headBytes, last: h.base - 1, end: info.Size})
	return nil
}

// headless handles a segment without a head: one that was never finished goes, any other is set aside.
func (r *recovery) headless(f flow.File, info flow.Info) error {
	p, err := readFull(f, make([]byte, headBytes), 0)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	if len(bytes.Trim(p, "\x00")) == 0 || info.Size <= headBytes {
		r.remove = append(r.remove, info.Name)
		return nil
	}
	r.lost++
	if r.keep {
		r.damage = append(r.damage, DamageReport{info.Name, 0, info.Size, errNoHead.Error()})
		return nil
	}
	if err := r.dir.Rename(info.Name, r.dir, info.Name+badSuffix); err != nil {
		return fmt.Errorf("set segment aside: %w", err)
	}
	return nil
}

// dropReplaced removes segments whose frames stand in a later one, and sets where the others end.
func (r *recovery) dropReplaced() {
	var keep []*segment
	limit := ^uint64(0)
	for _, s := range slices.Backward(r.segs) {
		if s.base >= limit {
			r.remove = append(r.remove, s.name)
			continue
		}
		limit = s.base
		keep = append(keep, s)
	}
	slices.Reverse(keep)
	for i, s := range keep {
		if i+1 < len(keep) {
			s.last = max(keep[i+1].prev, s.base-1)
		}
	}
	r.segs = keep
}

// scanTail reads the segments that hold frames which may not be durable, and back to one with readable positions.
func (r *recovery) scanTail() error {
	if len(r.segs) == 0 {
		return nil
	}
	first := len(r.segs) - 1
	for first > 0 && r.segs[first].prev > r.durable {
		first--
	}
	for ; ; first-- {
		r.scanned = nil
		for i, s := range r.segs[first:] {
			if err := r.scan(s, i+first == len(r.segs)-1); err != nil {
				return err
			}
		}
		n := len(r.scanned)
		if first == 0 || n > 0 && r.scanned[0].events == 0 && r.scanned[0].whole && r.scanned[0].at.off == headBytes {
			break
		}
	}
	for _, f := range r.scanned {
		r.durable = max(r.durable, f.durable)
	}
	return nil
}

func (r *recovery) scan(s *segment, newest bool) error {
	f, err := r.dir.Open(s.name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	for off := int64(headBytes); ; {
		h, at, err := findFrame(f, s.salt, off)
		if err != nil { // what is not needed may be read later
			err = fmt.Errorf("read segment %s: %w", s.name, err)
			if h, at, _ = findFrame(tolerant{f}, s.salt, off); at < 0 || !newest && h.seq > s.last {
				r.scanned = append(r.scanned, found{at: place{seg: s}, gap: err, end: true})
			}
		}
		if at < 0 || !newest && h.seq > s.last {
			return nil
		}
		fr := found{frame: h, at: place{s, at, h.size()}, gap: err}
		body, err := readBody(f, &h, at, make([]byte, h.body()))
		if err != nil {
			fr.err = fmt.Errorf("read segment %s: %w", s.name, err)
		}
		if body != nil {
			fr.durable, fr.positions, err = h.decided(body)
			fr.whole = err == nil
		}
		r.scanned = append(r.scanned, fr)
		off = at + h.size()
		if at == headBytes && h.events == 0 {
			s.start = off
		}
	}
}
