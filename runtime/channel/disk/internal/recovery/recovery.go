// Package recovery finds out what a channel's directory holds and decides which frames count. Whoever changes the directory holds its lock.
package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// Found is a frame that a scan met.
type Found struct {
	frame.Header
	At        segment.Place
	whole     bool  // its body is right
	gap       error // why something before it could not be read
	err       error // why its body could not be read
	end       bool  // it is no frame but the end of a segment, after something that could not be read
	durable   uint64
	positions []frame.Position
}

// State is what an opening finds out.
type State struct {
	dir       flow.Dir
	keep      bool // nothing may be changed
	Infos     []flow.Info
	Cursors   cursor.State
	HasCursor bool
	Segs      []*segment.Segment
	Lost      int64 // events in what had to be set aside as a whole
	Remove    []string
	scanned   []Found
	Durable   uint64 // frames up to here were durable
	Before    uint64 // events up to last
	Last      uint64 // the newest frame that counts
	Proven    []*segment.Segment
	Copy      []Found // frames that are whole but perhaps not durable
	Decided   map[string]uint64
	Err       error         // why it cannot be known what counts
	Damage    []flow.Damage // segments as a whole
}

func (r *State) HighestNumber() uint64 {
	n := uint64(0)
	for _, info := range r.Infos {
		if k, ok := segment.Number(strings.TrimSuffix(strings.TrimSuffix(info.Name, segment.NewSuffix), segment.BadSuffix)); ok {
			n = max(n, k)
		}
	}
	return n
}

// DurableLast gives the newest number that is taken for durable before the tail is copied.
func (r *State) DurableLast() uint64 {
	if len(r.Copy) > 0 {
		return r.Copy[0].Seq - 1
	}
	return r.Last
}

// outOfReach is why a channel does not open on a disk that cannot read what it must know. It may be able to tomorrow, so only people
// can decide to go on without.
type outOfReach struct{ error }

func (o outOfReach) Error() string {
	return o.error.Error() + "; when the disk never reads it again, move that file away: the rest is delivered and the gap counted"
}

func (o outOfReach) Unwrap() error { return o.error }

// Read reads all that a channel's directory holds, and decides what counts. With keep nothing is changed by it.
func Read(dir flow.Dir, keep bool) (*State, error) {
	r := &State{dir: dir, keep: keep, Decided: map[string]uint64{}}
	return r, r.read()
}

// read reads all there is and decides what counts. It changes nothing but the name of a segment that has no readable head.
func (r *State) read() (err error) {
	if r.Infos, err = r.dir.ReadDir(); err != nil {
		return fmt.Errorf("list channel: %w", err)
	}
	if r.Cursors, r.HasCursor, err = cursor.Read(r.dir); err != nil {
		return err
	}
	r.Durable = r.Cursors.Note.Durable
	for _, info := range r.Infos {
		if strings.HasSuffix(info.Name, segment.NewSuffix) {
			r.Remove = append(r.Remove, info.Name)
		}
		if _, ok := segment.Number(info.Name); ok {
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
	if r.Err != nil && !r.keep {
		return outOfReach{r.Err}
	}
	return nil
}

func (r *State) readSegment(info flow.Info) error {
	f, err := r.dir.Open(info.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	h, err := segment.ReadHead(f)
	if errors.Is(err, segment.ErrNoHead) {
		return r.headless(f, info)
	}
	_, sick := errors.AsType[segment.UnreadHead](err)
	if sick && r.keep {
		r.Damage = append(r.Damage, flow.Damage{Segment: info.Name, Bytes: info.Size, Reason: err.Error()})
		return nil
	}
	if err != nil {
		if sick {
			err = outOfReach{err}
		}
		return fmt.Errorf("segment %s: %w", info.Name, err)
	}
	if r.Cursors.Channel == [16]byte{} {
		r.Cursors.Channel = h.Channel
	}
	if h.Channel != r.Cursors.Channel {
		return fmt.Errorf("segment %s belongs to another channel", info.Name)
	}
	r.Segs = append(r.Segs, &segment.Segment{Head: h, Name: info.Name, Start: segment.HeadBytes, Last: h.Base - 1, End: info.Size})
	return nil
}

// headless handles a segment without a head: one that was never finished goes, any other is set aside.
func (r *State) headless(f flow.File, info flow.Info) error {
	p, err := segment.ReadFull(f, make([]byte, segment.HeadBytes), 0)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	if len(bytes.Trim(p, "\x00")) == 0 || info.Size <= segment.HeadBytes {
		r.Remove = append(r.Remove, info.Name)
		return nil
	}
	r.Lost++
	if r.keep {
		r.Damage = append(r.Damage, flow.Damage{Segment: info.Name, Bytes: info.Size, Reason: segment.ErrNoHead.Error()})
		return nil
	}
	if err := r.dir.Rename(info.Name, r.dir, info.Name+segment.BadSuffix); err != nil {
		return fmt.Errorf("set segment aside: %w", err)
	}
	return nil
}

// dropReplaced removes segments whose frames stand in a later one, and sets where the others end.
func (r *State) dropReplaced() {
	var keep []*segment.Segment
	limit := ^uint64(0)
	for _, s := range slices.Backward(r.Segs) {
		if s.Base >= limit {
			r.Remove = append(r.Remove, s.Name)
			continue
		}
		limit = s.Base
		keep = append(keep, s)
	}
	slices.Reverse(keep)
	for i, s := range keep {
		if i+1 < len(keep) {
			s.Last = max(keep[i+1].Prev, s.Base-1)
		}
	}
	r.Segs = keep
}

// scanTail reads the segments that hold frames which may not be durable, and back to one with readable positions.
func (r *State) scanTail() error {
	if len(r.Segs) == 0 {
		return nil
	}
	first := len(r.Segs) - 1
	for first > 0 && r.Segs[first].Prev > r.Durable {
		first--
	}
	for ; ; first-- {
		r.scanned = nil
		for i, s := range r.Segs[first:] {
			if err := r.scan(s, i+first == len(r.Segs)-1); err != nil {
				return err
			}
		}
		n := len(r.scanned)
		if first == 0 || n > 0 && r.scanned[0].Events == 0 && r.scanned[0].whole && r.scanned[0].At.Off == segment.HeadBytes {
			break
		}
	}
	for _, f := range r.scanned {
		r.Durable = max(r.Durable, f.durable)
	}
	return nil
}

func (r *State) scan(s *segment.Segment, newest bool) error {
	f, err := r.dir.Open(s.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	for off := int64(segment.HeadBytes); ; {
		h, at, err := segment.Find(f, s.Salt, off)
		if err != nil { // what is not needed may be read later
			err = fmt.Errorf("read segment %s: %w", s.Name, err)
			var gone error
			if h, at, gone = segment.Find(segment.Tolerant{File: f}, s.Salt, off); gone != nil {
				at = -1
			}
			if at < 0 || !newest && h.Seq > s.Last {
				r.scanned = append(r.scanned, Found{At: segment.Place{Seg: s}, gap: err, end: true})
			}
		}
		if at < 0 || !newest && h.Seq > s.Last {
			return nil
		}
		fr := Found{Header: h, At: segment.Place{Seg: s, Off: at, Size: h.Size()}, gap: err}
		body, err := segment.ReadBody(f, &h, at, make([]byte, h.Body()))
		if err != nil {
			fr.err = fmt.Errorf("read segment %s: %w", s.Name, err)
		}
		if body != nil {
			fr.durable, fr.positions, err = h.Decided(body)
			fr.whole = err == nil
		}
		r.scanned = append(r.scanned, fr)
		off = at + h.Size()
		if at == segment.HeadBytes && h.Events == 0 {
			s.Start = off
		}
	}
}
