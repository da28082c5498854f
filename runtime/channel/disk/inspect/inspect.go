// Package inspect tells people what the directory of a disk channel holds, and repairs it.
package inspect

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// Report is what a channel's directory holds.
type Report struct {
	Channel   string            `json:"channel"` // uuid
	Version   int               `json:"format_version"`
	Durable   uint64            `json:"durable"` // number of the newest frame noted as durable
	Last      uint64            `json:"last"`    // number of the newest frame that counts
	Events    uint64            `json:"events"`  // since the channel began
	Segments  []SegmentReport   `json:"segments"`
	Consumers []ConsumerReport  `json:"consumers"`
	Positions map[string]uint64 `json:"positions"`
	Damage    []recovery.Damage `json:"damage,omitempty"`
	SetAside  []string          `json:"set_aside,omitempty"` // files with damaged pieces
}

// SegmentReport is one segment.
type SegmentReport struct {
	Name    string    `json:"name"`
	First   uint64    `json:"first"` // number of its first frame
	Last    uint64    `json:"last"`
	Bytes   int64     `json:"bytes"` // used by frames that count
	Frames  int       `json:"frames"`
	Events  int64     `json:"events"`
	Created time.Time `json:"created"`
}

// ConsumerReport is how far a consumer is. Its name is empty when it was forgone and nobody came after it.
type ConsumerReport struct {
	Name     string `json:"name"`
	Frontier uint64 `json:"frontier"` // this frame and all before are delivered
	Ranges   int    `json:"ranges"`   // delivered pieces beyond
	Waiting  uint64 `json:"waiting"`  // events
}

// Read reads heads and headers, but no events. It changes nothing and works beside an agent that uses the channel.
func Read(dir flow.Dir) (Report, error) { return report(dir, false, nil, nil) }

// Verify reads and checks everything.
func Verify(dir flow.Dir) (Report, error) { return report(dir, true, flow.NewPool(0), nil) }

// Dump gives all batches that are readable, also delivered ones whose segment is still there, in order, until yield says false. In the
// end come those that were set aside because the disk could not read them, and are readable now.
// Each batch is gone when yield returns.
func Dump(dir flow.Dir, pool *flow.Pool, yield func(*flow.Batch) bool) error {
	_, err := report(dir, true, pool, yield)
	return err
}

func report(dir flow.Dir, bodies bool, pool *flow.Pool, yield func(*flow.Batch) bool) (Report, error) {
	rc, err := recovery.Read(dir, true)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Channel: hex.EncodeToString(rc.Cursors.Channel[:]), Version: segment.Version, Durable: rc.Durable, Last: rc.Last,
		Events: rc.Before, Positions: maps.Clone(rc.Decided), Damage: rc.Damage,
	}
	for _, s := range rc.Cursors.Slots {
		if s.Kind != cursor.Free {
			r.Consumers = append(r.Consumers, ConsumerReport{s.Name, s.Frontier, len(s.Spans), rc.Before - min(rc.Before, s.Committed())})
		}
	}
	for _, info := range rc.Infos {
		if strings.HasSuffix(info.Name, segment.BadSuffix) {
			r.SetAside = append(r.SetAside, info.Name)
		}
	}
	c, err := frame.NewCodec("none")
	if err != nil {
		return r, err
	}
	defer c.Close()
	for i, s := range rc.Segs {
		s.Last = rc.Last
		if i+1 < len(rc.Segs) {
			s.Last = max(s.Base-1, rc.Segs[i+1].Prev)
		}
		w := walker{dir: dir, codec: c, pool: pool, seg: s, bodies: bodies, yield: yield}
		sr, err := w.run(&r)
		if err != nil {
			return r, err
		}
		r.Segments = append(r.Segments, sr)
		if w.stopped {
			return r, nil
		}
	}
	if yield != nil {
		err = dumpKept(dir, rc.Infos, walker{dir: dir, codec: c, pool: pool, bodies: true, yield: yield})
	}
	return r, err
}

// walker reads one segment from end to end.
type walker struct {
	dir     flow.Dir
	codec   *frame.Codec
	pool    *flow.Pool
	seg     *segment.Segment
	bodies  bool
	yield   func(*flow.Batch) bool
	only    []segment.Piece // nil: yield everything
	stopped bool
	whole   []frameAt // frames that are right
}

// frameAt is a frame at an offset.
type frameAt struct {
	header frame.Header
	off    int64
}

func (w *walker) run(r *Report) (SegmentReport, error) {
	s := w.seg
	sr := SegmentReport{Name: s.Name, First: s.Base, Last: s.Last, Created: time.Unix(0, s.Created).UTC()}
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
		r.Damage = append(r.Damage, recovery.Damage{Segment: s.Name, Offset: off, Bytes: to - off, Reason: reason})
	}
	newest, off := s.Base-1, int64(segment.HeadBytes)
	for !w.stopped {
		h, at, err := w.next(f, off, info.Size, damage)
		if err != nil {
			return sr, err
		}
		if at < 0 || h.Seq > s.Last {
			if newest < s.Last {
				damage(off, info.Size, fmt.Sprintf("frames %d to %d are missing", newest+1, s.Last))
			}
			break
		}
		if at > off {
			damage(off, at, "no frame begins here")
		}
		off = at + h.Size()
		newest = max(newest, h.Seq)
		if reason := w.look(f, &h, at); reason != "" {
			damage(at, off, reason)
			continue
		}
		w.whole = append(w.whole, frameAt{h, at})
		sr.Bytes = off
		if h.Events > 0 {
			sr.Frames++
			sr.Events += int64(h.Events)
		}
	}
	return sr, nil
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
	if !w.bodies {
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
	if w.yield != nil && h.Events > 0 && w.wants(at) {
		w.stopped = !w.yield(b)
	}
	b.Release()
	return ""
}
