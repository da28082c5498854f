// Package scan matches regular expressions that need no search among alternatives, many times quicker than package regexp and
// with the same result; it refuses all others.
package scan

import (
	"bytes"
	"regexp/syntax"
)

// Scanner matches patterns in which the next byte always decides what to do, so that no alternatives need to be kept: a run of a
// class ends at a byte that is not in it, alternatives begin with different bytes. For those it gives the same places as
// package regexp, at a fraction of the cost; New refuses all others.
//
// It works on bytes. Text that is not ASCII is matched as its UTF-8 bytes, and a class that holds all of it, such as [^,], only
// in runs of any length, where runes and bytes end at the same place.
type Scanner struct {
	ops      []scanOp
	anchored bool // at the beginning of the text
	prefix   []byte
	first    [256]bool // bytes that a match can begin with
	slots    int
}

type scanCode uint8

const (
	scanLit    scanCode = iota // the bytes lit
	scanRep                    // at least min, at most max bytes of set
	scanSave                   // remember the place in slot n
	scanSwitch                 // go on at table[next byte], or at n at the end of the text; 0 fails
	scanJump                   // go on at n
	scanEnd                    // match at the end of the text only
	scanAccept                 // match
)

type scanOp struct {
	code     scanCode
	n        int
	lit      []byte
	min, max int // max -1: any number
	set      *[256]bool
	table    *[256]uint8
}

// maxScanOps bounds the program, so that places fit a byte.
const maxScanOps = 200

// New compiles a parsed pattern, or gives nil when it needs the general way.
func New(re *syntax.Regexp) *Scanner {
	slots := 2 * (re.MaxCap() + 1)
	begin, end, body := trimAnchors(re)
	p, ok := newPat(body)
	if !ok {
		return nil
	}
	b := &scanBuilder{}
	follow := edge{accept: !end, eof: end}
	// Operation 0 is never the target of a switch, so 0 can stand for failure there.
	b.add(scanOp{code: scanSave})
	if !b.emit(p, follow) || len(b.ops) > maxScanOps {
		return nil
	}
	if end {
		b.add(scanOp{code: scanEnd})
	} else {
		b.add(scanOp{code: scanAccept})
	}
	sc := &Scanner{ops: b.ops, anchored: begin, slots: slots}
	if !begin {
		if p.nullable() {
			return nil
		}
		sc.first = p.first()
		sc.prefix = p.prefix()
	}
	return sc
}

// trimAnchors takes ^ and $ off the ends of a pattern.
func trimAnchors(re *syntax.Regexp) (begin, end bool, body []*syntax.Regexp) {
	body = []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		body = re.Sub
	}
	if len(body) > 0 && body[0].Op == syntax.OpBeginText {
		begin, body = true, body[1:]
	}
	if n := len(body); n > 0 && body[n-1].Op == syntax.OpEndText {
		end, body = true, body[:n-1]
	}
	return begin, end, body
}

// Slots is how many places Find gives: two for the match and for each group.
func (sc *Scanner) Slots() int { return sc.slots }

// Match says whether the text holds a match. It is not sure when that took too long for the length of the text.
func (sc *Scanner) Match(b []byte) (ok, sure bool) {
	_, end, sure := sc.search(b, nil)
	return end >= 0, sure
}

// Find gives the places of the match and its groups, or nil. They lie in room, when it is large enough.
func (sc *Scanner) Find(b []byte, room []int) (caps []int, sure bool) {
	if cap(room) < sc.slots {
		room = make([]int, sc.slots)
	}
	caps = room[:sc.slots]
	start, end, sure := sc.search(b, caps)
	if end < 0 {
		return nil, sure
	}
	caps[0], caps[1] = start, end
	return caps, sure
}

func (sc *Scanner) search(b []byte, caps []int) (start, end int, sure bool) {
	if sc.anchored {
		end, _ = sc.run(b, 0, caps)
		return 0, end, true
	}
	// A text on which many beginnings fail late would take quadratic time; package regexp does not.
	work := 16*len(b) + 256
	for i := 0; ; i++ {
		if i = sc.next(b, i); i < 0 {
			return 0, -1, true
		}
		end, stop := sc.run(b, i, caps)
		if end >= 0 {
			return i, end, true
		}
		if work -= stop - i + 1; work < 0 {
			return 0, -1, false
		}
	}
}

// next finds the next place where a match can begin.
func (sc *Scanner) next(b []byte, i int) int {
	if len(sc.prefix) > 0 {
		if at := bytes.Index(b[i:], sc.prefix); at >= 0 {
			return i + at
		}
		return -1
	}
	for ; i < len(b); i++ {
		if sc.first[b[i]] {
			return i
		}
	}
	return -1
}

// run matches at i and gives the end, or -1 and how far it read.
func (sc *Scanner) run(b []byte, i int, caps []int) (end, stop int) {
	for n := range caps {
		caps[n] = -1
	}
	for pc := 0; ; pc++ {
		op := &sc.ops[pc]
		switch op.code {
		case scanLit:
			if !bytes.HasPrefix(b[i:], op.lit) {
				return -1, i
			}
			i += len(op.lit)
		case scanRep:
			limit := len(b)
			if op.max >= 0 && op.max < limit-i {
				limit = i + op.max
			}
			j := i
			for j < limit && op.set[b[j]] {
				j++
			}
			if j-i < op.min {
				return -1, j
			}
			i = j
		case scanSave:
			if caps != nil {
				caps[op.n] = i
			}
		case scanSwitch:
			next := op.n
			if i < len(b) {
				next = int(op.table[b[i]])
			}
			if next == 0 {
				return -1, i
			}
			pc = next - 1
		case scanJump:
			pc = op.n - 1
		case scanEnd:
			if i != len(b) {
				return -1, i
			}
			return i, i
		case scanAccept:
			return i, i
		}
	}
}
