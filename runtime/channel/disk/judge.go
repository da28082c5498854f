package disk

import (
	"math"
	"slices"

	"collect/runtime/flow"
)

// judge decides which of the scanned frames count: all that were durable, damaged or not, and what follows them up to the first
// that is missing or torn.
func (r *recovery) judge() {
	if len(r.segs) == 0 {
		r.last, r.before = r.durable, r.cursors.note.before
		return
	}
	first := r.segs[len(r.segs)-1]
	if len(r.scanned) > 0 {
		first = r.scanned[0].at.seg
	}
	r.last, r.before = first.base-1, first.head.before
	if first.prev > 0 && first == r.segs[0] {
		r.durable = max(r.durable, first.prev) // what came before is gone because it was delivered
	}
	cutFrom := len(r.segs)
	for i := slices.Index(r.segs, first); i < len(r.segs); i++ {
		s := r.segs[i]
		if s.prev > max(r.last, r.durable) && s != first {
			cutFrom = i
			break
		}
		r.last = max(r.last, s.base-1)
		if !r.accept(s) {
			cutFrom = i + 1
			break
		}
	}
	for _, s := range r.segs[cutFrom:] {
		r.remove = append(r.remove, s.name)
	}
	r.segs = r.segs[:cutFrom]
	r.finish()
}

// accept takes the frames of one segment and says whether all that follows may count too.
func (r *recovery) accept(s *segment) bool {
	for _, f := range r.scanned {
		if f.at.seg != s {
			continue
		}
		edge := max(r.last, r.durable)
		if r.unknown(s, &f, edge) {
			return false
		}
		if f.end {
			continue
		}
		if f.events == 0 {
			if f.seq > edge {
				return false
			}
			if f.whole {
				r.apply(f.positions)
			}
			continue
		}
		if f.seq > edge+1 || f.seq > r.durable && !f.whole {
			return false
		}
		r.last, r.before = f.seq, f.before+uint64(f.events)
		s.last, s.end = max(s.base-1, f.seq), f.at.off+f.at.size
		if f.whole {
			r.apply(f.positions)
		}
		if f.seq > r.durable {
			r.copy = append(r.copy, f)
		}
	}
	return true
}

// unknown says whether what cannot be read at f may be a frame that was acknowledged. What is known to be durable is no question: it
// stays where it is, for consumers to try. Nobody knows about what comes after that, so the channel must not go on.
func (r *recovery) unknown(s *segment, f *found, edge uint64) bool {
	last := f.seq // the newest frame that may lie before f
	switch {
	case f.end && s == r.segs[len(r.segs)-1]:
		last = math.MaxUint64
	case f.end:
		last = s.last
	case f.events > 0:
		last--
	}
	switch {
	case f.gap != nil && last > edge:
		r.err = f.gap
	case f.err != nil && f.seq > r.durable:
		r.err = f.err
	}
	return r.err != nil
}

func (r *recovery) apply(positions []position) {
	for _, p := range positions {
		if p.to == forgotten {
			delete(r.decided, p.key)
		} else {
			r.decided[p.key] = max(r.decided[p.key], p.to)
		}
	}
}

// finish settles where segments end and which hold only what is durable.
func (r *recovery) finish() {
	for i, s := range r.segs {
		if i+1 < len(r.segs) {
			s.last = max(s.base-1, r.segs[i+1].prev)
		} else if r.durable > r.last { // the newest frames are damaged beyond recognition
			s.last, r.last = r.durable, r.durable
			s.end = max(s.end, r.size(s.name))
			r.before = max(r.before, r.cursors.note.before)
		}
		if info := r.size(s.name); i+1 < len(r.segs) || s.last < s.base {
			s.end = info
		}
	}
	r.proven = r.segs
	if len(r.copy) == 0 {
		return
	}
	from := r.copy[0]
	r.proven = nil
	for _, s := range r.segs {
		if s.base > r.durable {
			r.remove = append(r.remove, s.name)
			continue
		}
		if s == from.at.seg {
			s.last, s.end = r.durable, from.at.off
		}
		r.proven = append(r.proven, s)
	}
}

func (r *recovery) size(name string) int64 {
	i := slices.IndexFunc(r.infos, func(f flow.Info) bool { return f.Name == name })
	return r.infos[i].Size
}
