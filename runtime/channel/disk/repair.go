package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"collect/runtime/flow"
)

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
	var encoded []slotSide
	for slot, s := range st.slots {
		if s.generation > 0 {
			s.at = cursorPos{}
			encoded = append(encoded, slotSide{slot: slot, data: s.encode()})
		}
	}
	f, err := writeCursors(dir, st.channel, st.note, encoded)
	if err != nil {
		return err
	}
	return f.Close()
}

func removeIfThere(dir flow.Dir, name string) error {
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
		block := make([]byte, f.header.size())
		if _, err := readFull(in, block, f.off); err != nil {
			return err
		}
		f.header.encode(block, h.salt, off)
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
