package disk

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

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
	Damage    []DamageReport    `json:"damage,omitempty"`
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

// Inspect reads heads and headers, but no events. It changes nothing and works beside an agent that uses the channel.
func Inspect(dir flow.Dir) (Report, error) { return report(dir, false, nil, nil) }

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
	rc, err := readDir(dir, true)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Channel: hex.EncodeToString(rc.cursors.channel[:]), Version: version, Durable: rc.durable, Last: rc.last,
		Events: rc.before, Positions: maps.Clone(rc.decided), Damage: rc.damage,
	}
	for _, s := range rc.cursors.slots {
		if s.kind != slotFree {
			r.Consumers = append(r.Consumers, ConsumerReport{s.name, s.frontier, len(s.spans), rc.before - min(rc.before, s.committed())})
		}
	}
	for _, info := range rc.infos {
		if strings.HasSuffix(info.Name, badSuffix) {
			r.SetAside = append(r.SetAside, info.Name)
		}
	}
	c, err := newCodec("none")
	if err != nil {
		return r, err
	}
	defer c.close()
	for i, s := range rc.segs {
		s.last = rc.last
		if i+1 < len(rc.segs) {
			s.last = max(s.base-1, rc.segs[i+1].prev)
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
		err = dumpKept(dir, rc.infos, walker{dir: dir, codec: c, pool: pool, bodies: true, yield: yield})
	}
	return r, err
}

// walker reads one segment from end to end.
type walker struct {
	dir     flow.Dir
	codec   *codec
	pool    *flow.Pool
	seg     *segment
	bodies  bool
	yield   func(*flow.Batch) bool
	only    []piece // nil: yield everything
	stopped bool
	whole   []frameAt // frames that are right
}

// frameAt is a frame at an offset.
type frameAt struct {
	header frame
	off    int64
}

func (w *walker) run(r *Report) (SegmentReport, error) {
	s := w.seg
	sr := SegmentReport{Name: s.name, First: s.base, Last: s.last, Created: time.Unix(0, s.created).UTC()}
	f, err := w.dir.Open(s.name)
	if err != nil {
		return sr, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sr, err
	}
	damage := func(off, to int64, reason string) {
		r.Damage = append(r.Damage, DamageReport{s.name, off, to - off, reason})
	}
	newest, off := s.base-1, int64(headBytes)
	for !w.stopped {
		h, at, err := w.next(f, off, info.Size, damage)
		if err != nil {
			return sr, err
		}
		if at < 0 || h.seq > s.last {
			if newest < s.last {
				damage(off, info.Size, fmt.Sprintf("frames %d to %d are missing", newest+1, s.last))
			}
			break
		}
		if at > off {
			damage(off, at, "no frame begins here")
		}
		off = at + h.size()
		newest = max(newest, h.seq)
		if reason := w.look(f, &h, at); reason != "" {
			damage(at, off, reason)
			continue
		}
		w.whole = append(w.whole, frameAt{h, at})
		sr.Bytes = off
		if h.events > 0 {
			sr.Frames++
			sr.Events += int64(h.events)
		}
	}
	return sr, nil
}

// next is findFrame that goes on behind what the disk cannot read.
func (w *walker) next(f flow.File, off, end int64, damage func(off, to int64, reason string)) (frame, int64, error) {
	for {
		h, at, err := findFrame(f, w.seg.salt, off)
		if err == nil {
			return h, at, nil
		}
		to := (off/unreadable + 1) * unreadable
		damage(off, to, err.Error())
		if off = to; off >= end {
			return frame{}, -1, nil
		}
	}
}

// look checks a frame's body and says what is wrong with it.
func (w *walker) look(f flow.File, h *frame, at int64) string {
	if !w.bodies {
		return ""
	}
	block := w.pool.Block(h.body())
	body, err := readBody(f, h, at, block)
	switch {
	case err != nil:
		return err.Error()
	case body == nil:
		return "wrong checksum"
	}
	b, err := unpack(w.codec, w.pool, [16]byte{}, h, body)
	if err != nil {
		return err.Error()
	}
	if w.yield != nil && h.events > 0 && w.wants(at) {
		w.stopped = !w.yield(b)
	}
	b.Release()
	return ""
}
