package cursor

import "slices"

// Span is a range of frames that are committed beyond the frontier.
type Span struct {
	Lo, Hi uint64
	Events uint64
	After  uint64 // events of the channel up to Hi; 0: not known
	End    Pos    // behind Hi; zero: not known
}

// Pos is a place in a segment.
type Pos struct {
	Segment uint64
	Off     int64
}

// Progress is how far a consumer is.
type Progress struct {
	Frontier uint64 // this frame and all before are committed
	Events   uint64 // events up to there, since the channel began
	At       Pos    // of a frame at or before the one after the frontier
	Spans    []Span // in order, apart from each other
}

// Done says whether a frame is committed.
func (p *Progress) Done(seq uint64) bool {
	if seq <= p.Frontier {
		return true
	}
	i, _ := slices.BinarySearchFunc(p.Spans, seq, func(s Span, q uint64) int {
		if s.Hi < q {
			return -1
		}
		return 1
	})
	return i < len(p.Spans) && p.Spans[i].Lo <= seq
}

// Covers says whether all frames of a span are committed.
func (p *Progress) Covers(s Span) bool {
	return s.Hi <= p.Frontier || slices.ContainsFunc(p.Spans, func(o Span) bool { return o.Lo <= s.Lo && s.Hi <= o.Hi })
}

// Add commits frames lo to hi, none of which is committed.
func (p *Progress) Add(s Span) {
	i, _ := slices.BinarySearchFunc(p.Spans, s.Lo, func(a Span, lo uint64) int {
		if a.Lo < lo {
			return -1
		}
		return 1
	})
	if i < len(p.Spans) && p.Spans[i].Lo == s.Hi+1 {
		n := p.Spans[i]
		s = Span{s.Lo, n.Hi, s.Events + n.Events, n.After, n.End}
		p.Spans = slices.Delete(p.Spans, i, i+1)
	}
	if i > 0 && p.Spans[i-1].Hi+1 == s.Lo {
		l := p.Spans[i-1]
		s = Span{l.Lo, s.Hi, s.Events + l.Events, s.After, s.End}
		i--
		p.Spans = slices.Delete(p.Spans, i, i+1)
	}
	if s.Lo == p.Frontier+1 {
		p.Frontier, p.Events = s.Hi, p.Events+s.Events
		if s.After != 0 {
			p.Events = s.After
		}
		if s.End != (Pos{}) {
			p.At = s.End
		}
		return
	}
	p.Spans = slices.Insert(p.Spans, i, s)
}

// Committed gives the number of events that are committed.
func (p *Progress) Committed() uint64 {
	n := p.Events
	for _, s := range p.Spans {
		n += s.Events
	}
	return n
}

// Within gives how many events are committed beyond the frontier in frames that follow the first "from" events of the channel and end with
// its "to"-th. First and last are these frames.
func (p *Progress) Within(first, last, from, to uint64) (n uint64) {
	for _, s := range p.Spans {
		if s.Hi < first || s.Lo > last {
			continue
		}
		begin, end := s.After-s.Events, s.After
		if s.After == 0 || s.Lo >= first && s.Hi <= last {
			n += s.Events
			continue
		}
		n += min(end, to) - min(max(begin, from), min(end, to))
	}
	return min(n, to-from)
}

// Highest gives the highest frame that is committed.
func (p *Progress) Highest() uint64 {
	if n := len(p.Spans); n > 0 {
		return p.Spans[n-1].Hi
	}
	return p.Frontier
}
