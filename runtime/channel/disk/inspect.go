package disk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// DamageReport is a piece of a segment that is not what was written.
type DamageReport struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Reason  string `json:"reason"`
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
	rc := recovery{dir: dir, keep: true, decided: map[string]uint64{}}
	if err := rc.read(); err != nil {
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
	whole   []found // frames that are right
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
		w.whole = append(w.whole, found{frame: h, at: place{s, at, h.size()}})
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

// Repair sets damaged pieces aside in files of their own and writes the segments that had them again without. Nothing else is
// lost by it. The channel must not be in use. It reports what was damaged.
func Repair(dir flow.Dir, rand flow.Rand) (Report, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return Report{}, err
	}
	defer lock.Close()
	r, err := Verify(dir)
	if err != nil || len(r.Damage) == 0 {
		return r, err
	}
	if err := forgetPlaces(dir); err != nil {
		return r, err
	}
	for _, d := range r.Damage {
		if slices.ContainsFunc(r.Segments, func(s SegmentReport) bool { return s.Name == d.Segment }) {
			continue
		}
		if err := dir.Rename(d.Segment, dir, d.Segment+badSuffix); err != nil { // without a head none of it can be told from anything
			return r, fmt.Errorf("set %s aside: %w", d.Segment, err)
		}
		r.SetAside = append(r.SetAside, d.Segment+badSuffix)
	}
	for _, s := range r.Segments {
		if slices.ContainsFunc(r.Damage, func(d DamageReport) bool { return d.Segment == s.Name }) {
			if err := repairSegment(dir, rand, s, &r); err != nil {
				return r, fmt.Errorf("repair %s: %w", s.Name, err)
			}
		}
	}
	return r, nil
}

// forgetPlaces writes the cursors file again without the places where consumers go on: they are about to move. Consumers find
// them from the begin of the segment.
func forgetPlaces(dir flow.Dir) error {
	st, ok, err := readCursors(dir)
	if err != nil || !ok {
		return err
	}
	const name = cursorName + newSuffix
	if err := removeIfThere(dir, name); err != nil {
		return err
	}
	f, err := dir.Create(name, filePerm)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.WriteVec(0, [][]byte{cursorHead(st.channel)})
	if err == nil {
		_, err = f.WriteAt(st.note.encode(), noteAt+512*int64(st.note.generation%2))
	}
	for slot, s := range st.slots {
		if err == nil && s.generation > 0 {
			s.at = cursorPos{}
			_, err = f.WriteAt(s.encode(), slotAt(slot, 0))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = dir.Rename(name, dir, cursorName)
	}
	if err == nil {
		err = dir.Sync()
	}
	return err
}

func removeIfThere(dir flow.Dir, name string) error {
	if err := dir.Remove(name); err != nil && !errors.Is(err, errNotExist) {
		return err
	}
	return nil
}

func repairSegment(dir flow.Dir, rand flow.Rand, sr SegmentReport, r *Report) error {
	in, err := dir.Open(sr.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	h, err := readHead(in)
	if err != nil {
		return err
	}
	c, err := newCodec("none")
	if err != nil {
		return err
	}
	defer c.close()
	for _, d := range r.Damage {
		if d.Segment != sr.Name || d.Bytes == 0 { // what is missing at the end leaves nothing to keep
			continue
		}
		name := badName(h.number, d.Offset)
		if err := setAside(dir, in, name, d.Offset, d.Offset+d.Bytes); err != nil {
			return err
		}
		r.SetAside = append(r.SetAside, name)
	}
	w := walker{
		dir: dir, codec: c, pool: flow.NewPool(0), bodies: true,
		seg: &segment{head: h, name: sr.Name, last: sr.Last},
	}
	if _, err := w.run(&Report{}); err != nil {
		return err
	}
	return w.writeWhole(in, rand)
}

// writeWhole writes the frames that are right to a new file, which then takes the segment's place.
func (w *walker) writeWhole(in flow.File, rand flow.Rand) error {
	name := w.seg.name + newSuffix
	if err := removeIfThere(w.dir, name); err != nil {
		return err
	}
	out, err := w.dir.Create(name, filePerm)
	if err != nil {
		return err
	}
	defer out.Close()
	h := w.seg.head
	h.salt = rand.Uint64()
	buf := make([]byte, headBytes)
	h.encode(buf)
	if err := out.WriteVec(0, [][]byte{buf}); err != nil {
		return err
	}
	off := int64(headBytes)
	for _, f := range w.whole {
		block := make([]byte, f.frame.size())
		if _, err := readFull(in, block, f.at.off); err != nil {
			return err
		}
		f.encode(block, h.salt, off)
		if err := out.WriteVec(off, [][]byte{block}); err != nil {
			return err
		}
		off += int64(len(block))
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := w.dir.Rename(name, w.dir, w.seg.name); err != nil {
		return err
	}
	return w.dir.Sync()
}
