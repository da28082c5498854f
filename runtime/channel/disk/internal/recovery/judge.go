package recovery

import (
	"math"
	"slices"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// judge decides which of the scanned frames count: all that were durable, damaged or not, and what follows them up to the first
// that is missing or torn.
func (r *State) judge() {
	if len(r.Segs) == 0 {
		r.Last, r.Before = r.Durable, r.Cursors.Note.Before
		return
	}
	first := r.Segs[len(r.Segs)-1]
	if len(r.scanned) > 0 {
		first = r.scanned[0].At.Seg
	}
	r.Last, r.Before = first.Base-1, first.Head.Before
	if first.Prev > 0 && first == r.Segs[0] {
		r.Durable = max(r.Durable, first.Prev) // what came before is gone because it was delivered
	}
	cutFrom := len(r.Segs)
	for i := slices.Index(r.Segs, first); i < len(r.Segs); i++ {
		s := r.Segs[i]
		if s.Prev > max(r.Last, r.Durable) && s != first {
			cutFrom = i
			break
		}
		r.Last = max(r.Last, s.Base-1)
		if !r.accept(s) {
			cutFrom = i + 1
			break
		}
	}
	for _, s := range r.Segs[cutFrom:] {
		r.Remove = append(r.Remove, s.Name)
	}
	r.Segs = r.Segs[:cutFrom]
	r.finish()
}

// accept takes the frames of one segment and says whether all that follows may count too.
func (r *State) accept(s *segment.Segment) bool {
	for _, f := range r.scanned {
		if f.At.Seg != s {
			continue
		}
		edge := max(r.Last, r.Durable)
		if r.unknown(s, &f, edge) {
			return false
		}
		if f.end {
			continue
		}
		if f.Events == 0 {
			if f.Seq > edge {
				return false
			}
			if f.whole {
				r.apply(f.positions)
			}
			continue
		}
		if f.Seq > edge+1 || f.Seq > r.Durable && !f.whole {
			return false
		}
		r.Last, r.Before = f.Seq, f.Before+uint64(f.Events)
		s.Last, s.End = max(s.Base-1, f.Seq), f.At.Off+f.At.Size
		if f.whole {
			r.apply(f.positions)
		}
		if f.Seq > r.Durable {
			r.Copy = append(r.Copy, f)
		}
	}
	return true
}

// unknown says whether what cannot be read at f may be a frame that was acknowledged. What is known to be durable is no question: it
// stays where it is, for consumers to try. Nobody knows about what comes after that, so the channel must not go on.
func (r *State) unknown(s *segment.Segment, f *Found, edge uint64) bool {
	last := f.Seq // the newest frame that may lie before f
	switch {
	case f.end && s == r.Segs[len(r.Segs)-1]:
		last = math.MaxUint64
	case f.end:
		last = s.Last
	case f.Events > 0:
		last--
	}
	switch {
	case f.gap != nil && last > edge:
		r.Err = f.gap
	case f.err != nil && f.Seq > r.Durable:
		r.Err = f.err
	}
	return r.Err != nil
}

func (r *State) apply(positions []frame.Position) {
	for _, p := range positions {
		if p.To == frame.Forgotten {
			delete(r.Decided, p.Key)
		} else {
			r.Decided[p.Key] = max(r.Decided[p.Key], p.To)
		}
	}
}

// finish settles where segments end and which hold only what is durable.
func (r *State) finish() {
	for i, s := range r.Segs {
		if i+1 < len(r.Segs) {
			s.Last = max(s.Base-1, r.Segs[i+1].Prev)
		} else if r.Durable > r.Last { // the newest frames are damaged beyond recognition
			s.Last, r.Last = r.Durable, r.Durable
			s.End = max(s.End, r.size(s.Name))
			r.Before = max(r.Before, r.Cursors.Note.Before)
		}
		if info := r.size(s.Name); i+1 < len(r.Segs) || s.Last < s.Base {
			s.End = info
		}
	}
	r.Proven = r.Segs
	if len(r.Copy) == 0 {
		return
	}
	from := r.Copy[0]
	r.Proven = nil
	for _, s := range r.Segs {
		if s.Base > r.Durable {
			r.Remove = append(r.Remove, s.Name)
			continue
		}
		if s == from.At.Seg {
			s.Last, s.End = r.Durable, from.At.Off
		}
		r.Proven = append(r.Proven, s)
	}
}

func (r *State) size(name string) int64 {
	i := slices.IndexFunc(r.Infos, func(f flow.Info) bool { return f.Name == name })
	return r.Infos[i].Size
}
