package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// Repair sets damaged pieces aside in files of their own and writes the segments that had them again without. Nothing else is
// lost by it. The channel must not be in use. It reports what was damaged.
func Repair(dir flow.Dir, rand flow.Rand) (flow.ChannelReport, error) {
	lock, err := recovery.Lock(dir)
	if err != nil {
		return flow.ChannelReport{}, err
	}
	defer lock.Close()
	r, err := Verify(dir)
	if err != nil || len(r.Damage) == 0 {
		return r, err
	}
	if err := forgetPlaces(dir); err != nil {
		return r, err
	}
	for i := range r.Damage {
		d := &r.Damage[i]
		if slices.ContainsFunc(r.Segments, func(s flow.SegmentReport) bool { return s.Name == d.Segment }) {
			continue
		}
		if err := dir.Rename(d.Segment, dir, d.Segment+segment.BadSuffix); err != nil { // without a head none of it can be told from anything
			return r, fmt.Errorf("set %s aside: %w", d.Segment, err)
		}
		d.SetAside = d.Segment + segment.BadSuffix
		r.SetAside = append(r.SetAside, d.SetAside)
	}
	for _, s := range r.Segments {
		if slices.ContainsFunc(r.Damage, func(d flow.Damage) bool { return d.Segment == s.Name && d.Bytes > 0 }) {
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
	st, ok, err := cursor.Read(dir)
	if err != nil || !ok {
		return err
	}
	var encoded []cursor.Encoded
	for slot, s := range st.Slots {
		if s.Generation > 0 {
			s.At = cursor.Pos{}
			encoded = append(encoded, cursor.Encoded{Slot: slot, Data: s.Encode()})
		}
	}
	f, err := cursor.Write(dir, st.Channel, st.Note, encoded)
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

func repairSegment(dir flow.Dir, rand flow.Rand, sr flow.SegmentReport, r *flow.ChannelReport) error {
	in, err := dir.Open(sr.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	h, err := segment.ReadHead(in)
	if err != nil {
		return err
	}
	c, err := frame.NewCodec("none")
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range r.Damage {
		d := &r.Damage[i]
		if d.Segment != sr.Name || d.Bytes == 0 { // what is missing at the end leaves nothing to keep
			continue
		}
		name := segment.BadName(h.Number, d.Offset)
		if err := segment.SetAside(dir, in, name, d.Offset, d.Offset+d.Bytes); err != nil {
			return err
		}
		d.SetAside = name
		r.SetAside = append(r.SetAside, name)
	}
	w := walker{
		query: query{bodies: true, pool: flow.NewPool(0)}, dir: dir, codec: c, keep: true,
		seg: &segment.Segment{Head: h, Name: sr.Name, Last: sr.Last},
	}
	if _, err := w.run(&flow.ChannelReport{}); err != nil {
		return err
	}
	return w.writeWhole(in, rand)
}

// writeWhole writes the frames that are right to a new file, which then takes the segment's place.
func (w *walker) writeWhole(in flow.File, rand flow.Rand) error {
	name := w.seg.Name + segment.NewSuffix
	if err := removeIfThere(w.dir, name); err != nil {
		return err
	}
	out, err := w.dir.Create(name, segment.Perm)
	if err != nil {
		return err
	}
	defer out.Close()
	h := w.seg.Head
	h.Salt = rand.Uint64()
	buf := make([]byte, segment.HeadBytes)
	h.Encode(buf)
	if err := out.WriteVec(0, [][]byte{buf}); err != nil {
		return err
	}
	off := int64(segment.HeadBytes)
	for _, f := range w.whole {
		block := make([]byte, f.header.Size())
		if _, err := segment.ReadFull(in, block, f.off); err != nil {
			return err
		}
		f.header.Encode(block, h.Salt, off)
		if err := out.WriteVec(off, [][]byte{block}); err != nil {
			return err
		}
		off += int64(len(block))
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := w.dir.Rename(name, w.dir, w.seg.Name); err != nil {
		return err
	}
	return w.dir.Sync()
}
