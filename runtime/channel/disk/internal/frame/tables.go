package frame

import (
	"errors"
	"math"

	"collect/runtime/flow"
)

// Position says how far a key is decided.
type Position struct {
	Key string
	To  uint64 // Forgotten: the key is gone
}

// Forgotten stands for the position of a key that is gone.
const Forgotten = math.MaxUint64

// MaxKey is the longest position key that can be stored.
const MaxKey = math.MaxUint16

var errKeyTooLong = flow.Permanent(errors.New("a position key is longer than 65535 bytes"))

const runCounted = 1

// appendTables appends the stored form of everything but the arena.
func appendTables(p []byte, b *flow.Batch, form byte, durable uint64, extra []Position) []byte {
	p = le.AppendUint64(p, durable)
	p = le.AppendUint64(p, uint64(b.Base()))
	p = le.AppendUint32(p, uint32(len(b.Runs())))
	p = le.AppendUint32(p, uint32(len(extra)))
	for _, r := range b.Runs() {
		p = appendRun(p, r)
	}
	p = appendPositions(p, extra)
	for _, r := range b.Recs() {
		switch form {
		case formLines:
			p = le.AppendUint32(p, r.Len)
		case formPosition:
			p = le.AppendUint32(le.AppendUint32(p, r.Len), r.After)
		default:
			p = le.AppendUint32(le.AppendUint32(p, r.Off), r.Len)
			p = le.AppendUint32(le.AppendUint32(p, r.Hdr), r.After)
		}
	}
	for _, t := range b.Times() {
		p = le.AppendUint64(p, uint64(t))
	}
	return p
}

// positionTables gives the tables of a frame without events.
func positionTables(p []byte, durable uint64, extra []Position) []byte {
	p = le.AppendUint64(p, durable)
	p = le.AppendUint64(p, 0)
	p = le.AppendUint32(p, 0)
	p = le.AppendUint32(p, uint32(len(extra)))
	return appendPositions(p, extra)
}

func appendRun(p []byte, r flow.Run) []byte {
	p = appendKey(p, r.Key)
	p = le.AppendUint64(p, r.From)
	p = le.AppendUint64(p, r.To)
	p = le.AppendUint32(p, uint32(r.N))
	var flags byte
	var headers []byte
	if r.Meta != nil {
		headers = r.Meta.Headers
	}
	if counted(r) {
		flags = runCounted
	}
	p = append(p, flags)
	p = le.AppendUint32(p, uint32(len(headers)))
	return append(p, headers...)
}

func appendPositions(p []byte, extra []Position) []byte {
	for _, e := range extra {
		p = appendKey(p, e.Key)
		p = le.AppendUint64(p, e.To)
	}
	return p
}

func appendKey(p []byte, key string) []byte {
	p = le.AppendUint16(p, uint16(len(key)))
	return append(p, key...)
}

var errTables = errors.New("tables do not fit together")

// tables is the decoded form.
type tables struct {
	durable uint64
	base    int64
	runs    []flow.Run
	extra   []Position
	events  []byte // the event table, and the times behind it
}

// cut takes bytes from the front of what is left to decode.
type cut struct {
	p   []byte
	bad bool
}

func (c *cut) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.p) {
		c.bad = true
		return nil
	}
	out := c.p[:n:n]
	c.p = c.p[n:]
	return out
}

func (c *cut) number(n int) uint64 {
	var b [8]byte
	copy(b[:], c.take(n))
	return le.Uint64(b[:])
}

func (c *cut) key() string { return string(c.take(int(c.number(2)))) }

// decodeTables reads everything before the event table.
func decodeTables(h *Header, p []byte) (tables, error) {
	c := cut{p: p}
	t := tables{durable: c.number(8), base: int64(c.number(8))}
	runs, extra := int(c.number(4)), int(c.number(4))
	if runs > len(c.p)/27 || extra > len(c.p)/10 {
		return t, errTables
	}
	first := 0
	for range runs {
		r := flow.Run{Key: c.key(), From: c.number(8), To: c.number(8), First: first, N: int(c.number(4))}
		flags := c.number(1)
		headers := c.take(int(c.number(4)))
		if len(headers) > 0 && !flow.ValidHeaderBlock(headers) || r.N > int(h.Events) {
			return t, errTables
		}
		if flags&runCounted != 0 || len(headers) > 0 {
			r.Meta = &flow.Meta{Counted: flags&runCounted != 0, Headers: append([]byte(nil), headers...)}
		}
		first += r.N
		t.runs = append(t.runs, r)
	}
	for range extra {
		t.extra = append(t.extra, Position{c.key(), c.number(8)})
	}
	width := map[byte]int{formLines: 4, formPosition: 8, formFull: 16}[h.form]
	if h.flags&flagTimes != 0 {
		width += 8
	}
	if c.bad || first != int(h.Events) || len(c.p) != int(h.Events)*width {
		return t, errTables
	}
	t.events = c.p
	return t, nil
}

// fill decodes the event table into recs and checks that every event lies inside the arena.
func (t *tables) fill(h *Header, arena []byte, recs []flow.Rec) error {
	at, p := uint64(0), t.events
	for _, run := range t.runs {
		after, counted := uint32(0), counted(run)
		for i := run.First; i < run.First+run.N; i++ {
			r := &recs[i]
			switch h.form {
			case formLines:
				*r = flow.Rec{Len: le.Uint32(p)}
				after = nextPosition(after, *r, counted)
				r.After, p = after, p[4:]
			case formPosition:
				*r = flow.Rec{Len: le.Uint32(p), After: le.Uint32(p[4:])}
				p = p[8:]
			default:
				*r = flow.Rec{Off: le.Uint32(p), Len: le.Uint32(p[4:]), Hdr: le.Uint32(p[8:]), After: le.Uint32(p[12:])}
				p = p[16:]
			}
			lead, tail := extent(*r)
			if h.form != formFull {
				r.Off = uint32(at) + lead
				at = uint64(r.Off) + uint64(r.BodyLen()) + uint64(tail)
			}
			if r.Off < lead || uint64(r.Off)+uint64(r.BodyLen()) > uint64(len(arena)) || at > uint64(len(arena)) {
				return errTables
			}
			if r.Hdr != 0 && !validBlock(arena, r.Hdr-1) {
				return errTables
			}
		}
	}
	return nil
}

func validBlock(arena []byte, at uint32) bool {
	if uint64(at)+4 > uint64(len(arena)) {
		return false
	}
	block := arena[at:]
	n := le.Uint32(block)
	return uint64(n) <= uint64(len(block)) && flow.ValidHeaderBlock(block[:n])
}

// times gives the events' own times, which stand behind the event table.
func (t *tables) times(h *Header) []int64 {
	if h.flags&flagTimes == 0 {
		return nil
	}
	n := int(h.Events)
	p := t.events[len(t.events)-8*n:]
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(le.Uint64(p[8*i:]))
	}
	return out
}

// positions gives all positions that a frame decides.
func (t *tables) positions() []Position {
	out := make([]Position, 0, len(t.runs)+len(t.extra))
	for _, r := range t.runs {
		out = append(out, Position{r.Key, r.To})
	}
	return append(out, t.extra...)
}
