package frame

import "collect/runtime/flow"

// extent gives the bytes of the arena that belong to an event which lies there like all others around it: what stands before
// the body and what follows it.
func extent(r flow.Rec) (lead, tail uint32) {
	if r.Len&flow.FlagEdited != 0 {
		return 4, 1
	}
	if r.Len&flow.FlagNoLine == 0 {
		tail++
	}
	if r.Len&flow.FlagCR != 0 {
		tail++
	}
	return 0, tail
}

// sourceLen gives the bytes that an unedited event took in its source.
func sourceLen(r flow.Rec) uint32 {
	_, tail := extent(r)
	return uint32(r.BodyLen()) + tail
}

// shape says how a batch can be stored.
type shape struct {
	form byte
	used int  // bytes of the arena that are in use, from its begin
	copy bool // it wastes too much, or lies in the arena in a way that has no short form
}

// shapeOf finds the shortest form. Events that lie one after the other from the begin of the arena need no offsets; when they
// are also all that the source had there, they need no positions.
func shapeOf(b *flow.Batch) shape {
	recs, at := b.Recs(), uint32(0)
	dense, plain, headers := true, true, false
	live, end := 0, 0
	for i := range recs {
		r := recs[i]
		lead, tail := extent(r)
		n := uint32(r.BodyLen())
		if r.Off != at+lead {
			dense = false
		}
		at = r.Off + n + tail
		live += int(lead + n + tail)
		end = max(end, int(at))
		if r.Hdr != 0 {
			headers = true
			block := headerLen(b, r.Hdr)
			live += block
			end = max(end, int(r.Hdr)-1+block)
		}
	}
	size := len(b.Arena())
	if headers || int(at) > size {
		dense = false
	}
	if dense {
		plain = plainPositions(b)
	}
	s := shape{form: formFull, used: min(end, size)}
	switch {
	case dense && plain:
		s.form = formLines
	case dense:
		s.form = formPosition
	case live*4 < s.used*3 || !headers:
		s.copy = true
	}
	return s
}

func headerLen(b *flow.Batch, hdr uint32) int { return int(le.Uint32(b.Arena()[hdr-1:])) }

// plainPositions says whether the position of each event follows from the lengths before it.
func plainPositions(b *flow.Batch) bool {
	recs := b.Recs()
	for _, run := range b.Runs() {
		after, counted := uint32(0), counted(run)
		for i := run.First; i < run.First+run.N; i++ {
			if after = nextPosition(after, recs[i], counted); recs[i].After != after {
				return false
			}
			if recs[i].Len&flow.FlagEdited != 0 && !counted {
				return false
			}
		}
	}
	return true
}

func counted(r flow.Run) bool { return r.Meta != nil && r.Meta.Counted }

func nextPosition(after uint32, r flow.Rec, counted bool) uint32 {
	if counted {
		return after + 1
	}
	return after + sourceLen(r)
}
