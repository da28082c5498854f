package expr

import "collect/hclspec/internal/datetime"

// maxScratch bounds the memory that one event's expressions may fill.
const maxScratch = 64 << 20

// keepScratch is how much of it stays for the next event.
const keepScratch = 1 << 20

var errTooLarge = &EventError{Reason: "the result is larger than 64 MiB"}

// Scratch holds the memory that expressions work in. Each goroutine has its own. Results stay valid until Reset, which is called
// before each event.
type Scratch struct {
	ev    Event
	buf   []byte   // texts made for this event; only grows until Reset, so that slices of it stay valid
	vals  []value  // elements of lists made for this event
	parts [][]byte // stack of template pieces
	ints  []int    // places of captures
	vars  []value  // variables of for expressions
	times datetime.Cache
	json  jsonSeen
}

// begin sets the event. What is known of a text's JSON holds for one run only: its memory may hold another text the next time.
func (s *Scratch) begin(ev Event) {
	if s != nil {
		s.ev, s.json = ev, jsonSeen{}
	}
}

// Reset forgets the results of the last event.
func (s *Scratch) Reset() {
	s.ev = nil
	if cap(s.buf) > keepScratch {
		s.buf = nil
	}
	if cap(s.vals) > keepScratch/72 {
		s.vals = nil
	}
	s.buf, s.parts = s.buf[:0], s.parts[:0]
	s.vals = s.vals[:0]
}

// fits says whether n more bytes may be made.
func (s *Scratch) fits(n int) bool { return n <= maxScratch-len(s.buf) }

// text copies a string into the scratch memory.
func (s *Scratch) text(t string) []byte {
	at := len(s.buf)
	s.buf = append(s.buf, t...)
	return s.buf[at:len(s.buf):len(s.buf)]
}

// since gives what was appended to buf after at.
func (s *Scratch) since(at int) []byte { return s.buf[at:len(s.buf):len(s.buf)] }

// room gives a list of n values.
func (s *Scratch) room(n int) []value {
	at := len(s.vals)
	if at+n <= cap(s.vals) {
		s.vals = s.vals[:at+n]
		clear(s.vals[at:])
	} else {
		s.vals = append(s.vals, make([]value, n)...)
	}
	return s.vals[at : at+n : at+n]
}
