package value

import "collect/hclspec/internal/datetime"

// MaxScratch bounds the memory that one event's expressions may fill.
const MaxScratch = 64 << 20

// keepScratch is how much of it stays for the next event.
const keepScratch = 1 << 20

// ErrTooLarge says that the memory of one event is used up.
var ErrTooLarge = &Error{Reason: "the result is larger than 64 MiB"}

// Scratch holds the memory that expressions work in. Each goroutine has its own. Results stay valid until Reset, which is called
// before each event.
type Scratch struct {
	Event Event
	Buf   []byte   // texts made for this event; only grows until Reset, so that slices of it stay valid
	vals  []Value  // elements of lists made for this event
	Parts [][]byte // stack of template pieces
	Ints  []int    // places of captures
	Vars  []Value  // variables of for expressions
	Times datetime.Cache
	json  jsonSeen
}

// Begin sets the event. What is known of a text's JSON holds for one run only: its memory may hold another text the next time.
func (s *Scratch) Begin(ev Event) {
	if s != nil {
		s.Event, s.json = ev, jsonSeen{}
	}
}

// Reset forgets the results of the last event.
func (s *Scratch) Reset() {
	s.Event = nil
	if cap(s.Buf) > keepScratch {
		s.Buf = nil
	}
	if cap(s.vals) > keepScratch/72 {
		s.vals = nil
	}
	s.Buf, s.Parts = s.Buf[:0], s.Parts[:0]
	s.vals = s.vals[:0]
}

// Fits says whether n more bytes may be made.
func (s *Scratch) Fits(n int) bool { return n <= MaxScratch-len(s.Buf) }

// Text copies a string into the scratch memory.
func (s *Scratch) Text(t string) []byte {
	at := len(s.Buf)
	s.Buf = append(s.Buf, t...)
	return s.Buf[at:len(s.Buf):len(s.Buf)]
}

// Since gives what was appended to Buf after at.
func (s *Scratch) Since(at int) []byte { return s.Buf[at:len(s.Buf):len(s.Buf)] }

// Room gives a list of n values.
func (s *Scratch) Room(n int) []Value {
	at := len(s.vals)
	if at+n <= cap(s.vals) {
		s.vals = s.vals[:at+n]
		clear(s.vals[at:])
	} else {
		s.vals = append(s.vals, make([]Value, n)...)
	}
	return s.vals[at : at+n : at+n]
}

// JoinParts makes one text of the pieces from base on.
func (s *Scratch) JoinParts(base int, sep []byte) ([]byte, *Error) {
	size := 0
	for _, p := range s.Parts[base:] {
		size += len(p) + len(sep)
	}
	if !s.Fits(size) {
		s.Parts = s.Parts[:base]
		return nil, ErrTooLarge
	}
	at := len(s.Buf)
	for i, p := range s.Parts[base:] {
		if i > 0 {
			s.Buf = append(s.Buf, sep...)
		}
		s.Buf = append(s.Buf, p...)
	}
	s.Parts = s.Parts[:base]
	return s.Since(at), nil
}

// PushTexts puts the elements of a list on the stack of pieces.
func (s *Scratch) PushTexts(v Value) *Error {
	v, err := v.Plain()
	if err != nil {
		return err
	}
	if v.Kind != List {
		return ErrKind
	}
	for _, e := range v.List {
		b, err := ToText(e, s)
		if err != nil {
			return err
		}
		s.Parts = append(s.Parts, b)
	}
	return nil
}
