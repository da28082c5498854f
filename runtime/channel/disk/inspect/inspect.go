// Package inspect tells people what the directory of a disk channel holds, and repairs it.
package inspect

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// Read reads heads and headers, but no events. It changes nothing and works beside an agent that uses the channel.
func Read(dir flow.Dir) (flow.ChannelReport, error) { return report(dir, query{}) }

// Verify reads and checks everything. It changes nothing and works beside an agent that uses the channel.
func Verify(dir flow.Dir) (flow.ChannelReport, error) {
	return report(dir, query{bodies: true, pool: flow.NewPool(0)})
}

// Dump gives all batches that are readable and wait for a reader, in order, until yield says false; with all set also delivered ones whose
// segment is still there, and in the end those that were set aside because the disk could not read them, and are readable now.
// Each batch is gone when yield returns. The report says what could not be read.
func Dump(dir flow.Dir, pool *flow.Pool, all bool, yield func(*flow.Batch) bool) (flow.ChannelReport, error) {
	return report(dir, query{bodies: true, pool: pool, all: all, yield: yield})
}

// query is what is asked.
type query struct {
	bodies bool // check them too
	pool   *flow.Pool
	all    bool // also what is delivered
	yield  func(*flow.Batch) bool
}

func report(dir flow.Dir, q query) (flow.ChannelReport, error) {
	rc, err := read(dir)
	if err != nil {
		return flow.ChannelReport{}, err
	}
	r := summary(rc)
	c, err := frame.NewCodec("none")
	if err != nil {
		return r, err
	}
	defer c.Close()
	for i, s := range rc.Segs {
		w := walker{query: q, dir: dir, codec: c, seg: s, waits: rc.Cursors.Waits, until: rc.Before, behind: math.MaxUint64}
		s.Last = rc.Last
		if i+1 < len(rc.Segs) {
			n := rc.Segs[i+1]
			s.Last, w.until, w.behind = max(s.Base-1, n.Prev), n.Before, n.Number
		}
		sr, err := w.run(&r)
		if errors.Is(err, fs.ErrNotExist) {
			continue // delivered meanwhile
		}
		if err != nil {
			return r, err
		}
		r.Segments = append(r.Segments, sr)
		if w.stopped {
			return r, nil
		}
	}
	if q.yield != nil && q.all {
		err = dumpKept(dir, rc.Infos, walker{query: q, dir: dir, codec: c})
	}
	return r, err
}

// read is recovery.Read beside a channel that is in use: when segments came or went meanwhile, what was read does not fit together.
func read(dir flow.Dir) (*recovery.State, error) {
	for range 20 {
		rc, err := recovery.Read(dir, true)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		now, err := dir.ReadDir()
		if err != nil {
			return nil, fmt.Errorf("list channel: %w", err)
		}
		if slices.Equal(segmentNames(rc.Infos), segmentNames(now)) {
			return rc, nil
		}
	}
	return nil, fmt.Errorf("%s changes faster than it can be read; try again", dir.Path())
}

func segmentNames(infos []flow.Info) (names []string) {
	for _, info := range infos {
		if _, ok := segment.Number(info.Name); ok {
			names = append(names, info.Name)
		}
	}
	return names
}

// summary is what is known before the segments are read.
func summary(rc *recovery.State) flow.ChannelReport {
	r := flow.ChannelReport{
		Channel: hex.EncodeToString(rc.Cursors.Channel[:]), Version: segment.Version, Durable: rc.Durable, Last: rc.Last,
		Events: rc.Before, Positions: maps.Clone(rc.Decided), Damage: rc.Damage,
	}
	for _, s := range rc.Cursors.Slots {
		if s.Kind != cursor.Free {
			waiting := rc.Before - min(rc.Before, s.Committed())
			r.Readers = append(r.Readers, flow.ReaderReport{Name: s.Name, Frontier: s.Frontier, Ranges: len(s.Spans), Waiting: waiting})
			r.Waiting = max(r.Waiting, waiting)
		}
	}
	if len(r.Readers) == 0 {
		r.Waiting = rc.Before
	}
	for _, info := range rc.Infos {
		if strings.HasSuffix(info.Name, segment.BadSuffix) {
			r.SetAside = append(r.SetAside, info.Name)
		}
	}
	return r
}

// walker reads one segment from end to end.
type walker struct {
	query
	dir     flow.Dir
	codec   *frame.Codec
	seg     *segment.Segment
	waits   func(seq uint64) bool
	until   uint64          // events of the channel before the next segment; 0: not known
	behind  uint64          // number of the next segment
	only    []segment.Piece // nil: yield everything
	stopped bool
	keep    bool      // remember what is right
	whole   []frameAt // frames that are right
}

// frameAt is a frame at an offset.
type frameAt struct {
	header frame.Header
	off    int64
}

func (w *walker) run(r *flow.ChannelReport) (flow.SegmentReport, error) {
	s := w.seg
	sr := flow.SegmentReport{Name: s.Name, First: s.Base, Last: s.Last, Created: time.Unix(0, s.Created).UTC()}
	f, err := w.dir.Open(s.Name)
	if err != nil {
		return sr, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sr, err
	}
	damage := func(off, to int64, reason string) {
		r.Damage = append(r.Damage, flow.Damage{Segment: s.Name, Offset: off, Bytes: to - off, Reason: reason})
	}
	newest, off, before := s.Base-1, int64(segment.HeadBytes), s.Before
	for !w.stopped {
		found := len(r.Damage)
		h, at, err := w.next(f, off, info.Size, damage)
		if err != nil {
			return sr, err
		}
		if at < 0 || h.Seq > s.Last {
			if newest < s.Last && !w.elsewhere(r, before) && !(off == info.Size && w.repaired(r.SetAside)) {
				damage(off, info.Size, fmt.Sprintf("frames %d to %d are missing", newest+1, s.Last))
			}
			lost(r.Damage[found:], before, w.until)
			break
		}
		if at > off {
			damage(off, at, "no frame begins here")
		}
		if h.Events > 0 {
			lost(r.Damage[found:], before, h.Before)
			before = h.Before + uint64(h.Events)
		}
		off = at + h.Size()
		newest = max(newest, h.Seq)
		if reason := w.look(f, &h, at); reason != "" {
			damage(at, off, reason)
			r.Damage[len(r.Damage)-1].Events = uint64(h.Events)
			continue
		}
		if w.keep {
			w.whole = append(w.whole, frameAt{h, at})
		}
		sr.Bytes = off
		if h.Events > 0 {
			sr.Frames++
			sr.Events += int64(h.Events)
		}
	}
	return sr, nil
}

// lost enters in the last of some damaged pieces how many events are missing between the frames around them.
func lost(pieces []flow.Damage, before, after uint64) {
	if n := len(pieces); n > 0 && after > before {
		pieces[n-1].Events = after - before
	}
}

// elsewhere says whether what is missing behind the segment was in one that is damaged, or was set aside, as a whole.
func (w *walker) elsewhere(r *flow.ChannelReport, before uint64) bool {
	between := func(name string) bool {
		n, ok := segment.Number(strings.TrimSuffix(name, segment.BadSuffix))
		return ok && n > w.seg.Number && n < w.behind
	}
	i := slices.IndexFunc(r.Damage, func(d flow.Damage) bool { return between(d.Segment) })
	if i >= 0 {
		lost(r.Damage[i:i+1], before, w.until)
	}
	return i >= 0 || slices.ContainsFunc(r.SetAside, between)
}

// repaired says whether what is missing at the end of the segment is missing because it was set aside.
func (w *walker) repaired(setAside []string) bool {
	return slices.ContainsFunc(setAside, func(name string) bool { return segment.IsPieceOf(name, w.seg.Number) })
}

// next is segment.Find that goes on behind what the disk cannot read.
func (w *walker) next(f flow.File, off, end int64, damage func(off, to int64, reason string)) (frame.Header, int64, error) {
	for {
		h, at, err := segment.Find(f, w.seg.Salt, off)
		if err == nil {
			return h, at, nil
		}
		to := (off/segment.DiskBlock + 1) * segment.DiskBlock
		damage(off, to, err.Error())
		if off = to; off >= end {
			return frame.Header{}, -1, nil
		}
	}
}

// look checks a frame's body and says what is wrong with it.
func (w *walker) look(f flow.File, h *frame.Header, at int64) string {
	if !w.bodies || w.yield != nil && !w.wants(h, at) {
		return ""
	}
	block := w.pool.Block(h.Body())
	body, err := segment.ReadBody(f, h, at, block)
	switch {
	case err != nil:
		return err.Error()
	case body == nil:
		return "wrong checksum"
	}
	b, err := frame.Unpack(w.codec, w.pool, [16]byte{}, h, body)
	if err != nil {
		return err.Error()
	}
	if w.yield != nil && h.Events > 0 {
		w.stopped = !w.yield(b)
	}
	b.Release()
	return ""
}
