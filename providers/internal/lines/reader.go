// Package lines turns the bytes of a file into events of a batch, one a line, for the sources that read files.
//
// A [Reader] belongs to one file. Fill reads blocks straight into the free space of the batch's arena and finds the line ends there, so a
// line is copied once, by the kernel. What does not end in a line end yet is left in the file: the position always stands where
// the next event begins.
//
//	arena of the batch:  …events so far│line\nline\r\nline\nhalf a li        │
//	                                   ▲ Off                ▲ Off after Fill ▲ end of file
package lines

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"

	"collect/runtime/flow"
)

// End says what it means when no line end follows.
type End uint8

const (
	// Wait leaves a half line alone: the rest may come.
	Wait End = iota
	// Last takes it as the file's last line.
	Last
	// Torn takes it as a half line whose rest will never come, and marks it as split.
	Torn
	// Flush leaves a half line alone, but ends an event of several lines.
	Flush
)

// Limits bound a batch.
type Limits struct {
	Events int
	Bytes  int
}

// Reader reads the lines of one file.
type Reader struct {
	Key      string         // position key
	Meta     *flow.Meta     // shared by all events
	MaxLine  int            // longer lines are split
	Off      int64          // where the next event begins
	Tail     []byte         // the last bytes before Off that were read, at most KeepTail
	Encoding *Encoding      // nil: bytes are kept as they are
	First    *regexp.Regexp // a line that matches begins an event, others continue it; nil: each line is an event

	mid  bool   // Off stands inside a line that was split
	half int64  // this many bytes from Off hold no line end
	avg  int    // bytes of a usual line
	buf  []byte // where encoded text is read
}

const (
	block   = 256 << 10 // read at once: as much as stays in the processor's cache until it is searched
	minRead = 4 << 10
)

// KeepTail is how many of the bytes that were read last are kept: what a file held when it was read may not be in it any more.
const KeepTail = 64

// Rewind goes to another position.
func (r *Reader) Rewind(off int64) { r.Off, r.half, r.mid, r.Tail = off, 0, false, nil }

// keepTail keeps the end of what became events.
func (r *Reader) keepTail(data []byte) {
	if len(data) >= KeepTail {
		r.Tail = append(r.Tail[:0], data[len(data)-KeepTail:]...)
		return
	}
	over := max(len(r.Tail)+len(data)-KeepTail, 0)
	r.Tail = append(r.Tail[:copy(r.Tail, r.Tail[over:])], data...)
}

// Fill adds events to b, from r.Off up to position upTo of src (to its end when negative), and says whether it stopped because
// the batch is full. A source that ends before upTo is no error.
func (r *Reader) Fill(b *flow.Batch, src io.ReaderAt, upTo int64, lim Limits, end End) (full bool, err error) {
	f := fill{r: r, b: b, src: src, upTo: upTo, end: end}
	if r.half > 0 && end == Wait && r.First == nil && r.Encoding == nil {
		if found, err := f.probe(); !found || err != nil {
			return false, err
		}
	}
	for {
		events, room := lim.Events-b.Len(), lim.Bytes-len(b.Arena())
		if events <= 0 || room <= 0 || b.Len() > 0 && f.have >= room {
			return true, nil
		}
		data, done, err := f.read(events, room)
		if err != nil {
			return false, err
		}
		used := f.split(data, events, done)
		r.Off += int64(used)
		r.keepTail(data[:used])
		if f.have = len(data) - used; used > 0 {
			r.half = 0
			f.advance(used)
		}
		if done && (used == 0 || f.have == 0) {
			r.half = int64(f.have)
			return false, nil
		}
	}
}

// fill is one call of Fill.
type fill struct {
	r     *Reader
	b     *flow.Batch
	src   io.ReaderAt
	upTo  int64
	end   End
	begun bool
	have  int   // bytes of an unfinished event that were read already
	at    *byte // where they lie
}

// probe reads only what is new behind a half line, so that a line that grows byte by byte is not read again each time. It says
// whether the line may be complete now.
func (f *fill) probe() (bool, error) {
	r := f.r
	for int(r.half) <= r.MaxLine {
		n := minRead
		if f.upTo >= 0 {
			n = int(min(int64(n), f.upTo-r.Off-r.half))
		}
		if n <= 0 {
			return false, nil
		}
		n, err := readAt(f.src, f.b.Space(n)[:n], r.Off+r.half)
		if n == 0 || err != nil {
			return false, err
		}
		if bytes.IndexByte(f.b.Space(n)[:n], '\n') >= 0 {
			return true, nil
		}
		r.half += int64(n)
	}
	return true, nil
}

// read reads the next block behind what is there. done says that nothing more can be read now.
func (f *fill) read(events, room int) (data []byte, done bool, err error) {
	r := f.r
	want := min(block, room, events*max(r.avg, 64)+minRead)
	want = f.have + max(want, f.have, minRead)
	if f.upTo >= 0 {
		want = int(min(int64(want), f.upTo-r.Off))
	}
	if want <= f.have {
		want = f.have
		done = true
	}
	space := f.space(want + 1)
	if f.at != &space[0] {
		f.at, f.have = &space[0], 0
	}
	n, err := readAt(f.src, space[f.have:want], r.Off+int64(f.have))
	if err != nil {
		return nil, false, err
	}
	data = space[:f.have+n]
	if len(data) < want || f.upTo >= 0 && r.Off+int64(len(data)) >= f.upTo {
		done = true
	}
	return data, done, nil
}

// space gives memory to read into: the batch's own, or a buffer when the text is to be decoded.
func (f *fill) space(n int) []byte {
	if f.r.Encoding == nil {
		return f.b.Space(n)
	}
	if cap(f.r.buf) < n {
		grown := make([]byte, n+n/2)
		copy(grown, f.r.buf[:cap(f.r.buf)])
		f.r.buf = grown
		if f.have > 0 {
			f.at = &grown[0] // what was read moved along
		}
	}
	return f.r.buf[:cap(f.r.buf)]
}

// advance goes on behind what became events.
func (f *fill) advance(used int) {
	if f.r.Encoding != nil {
		copy(f.r.buf, f.r.buf[used:used+f.have])
		return
	}
	f.b.Used(used)
	if free := f.b.Space(0); len(free) > 0 {
		f.at = &free[0]
	} else {
		f.at = nil
	}
}

func readAt(src io.ReaderAt, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := src.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// begin starts the run when its first event comes.
func (f *fill) begin() {
	if !f.begun {
		f.begun = true
		f.b.Begin(f.r.Key, uint64(f.r.Off), f.r.Meta)
	}
}

// split finds the events in data, which begins at r.Off, and says how many bytes they take.
func (f *fill) split(data []byte, events int, done bool) (used int) {
	if len(data) == 0 {
		return 0
	}
	before := f.b.Len()
	if f.r.First != nil || f.r.Encoding != nil {
		used = f.splitAny(data, events)
	} else {
		used = f.splitLines(data, events)
	}
	if n := f.b.Len() - before; n > 0 {
		f.r.avg = used/n + 1
	}
	rest := data[used:]
	if f.end == Flush {
		rest = f.r.cutHalf(rest)
	}
	if done && f.end != Wait && len(rest) > 0 && f.b.Len()-before < events {
		used += f.rest(rest, used)
	}
	return used
}

// cutHalf leaves away what follows the last line end.
func (r *Reader) cutHalf(data []byte) []byte {
	end := 0
	for next := r.lineEnd(data, 0); next > 0; next = r.lineEnd(data, next) {
		end = next
	}
	return data[:end]
}

// splitLines is the usual case: bytes as they are, one event a line.
func (f *fill) splitLines(data []byte, events int) int {
	r, b, start := f.r, f.b, 0
	base, off := b.Used(0), uint64(r.Off)
	for ; events > 0; events-- {
		n := bytes.IndexByte(data[start:], '\n')
		if n < 0 && len(data)-start < r.MaxLine+utf8.UTFMax {
			break
		}
		f.begin()
		next, flags := start+n+1, uint32(0)
		if n > 0 && data[next-2] == '\r' {
			n, flags = n-1, flow.FlagCR
		}
		if n < 0 || n > r.MaxLine {
			n, flags = r.cut(data[start:]), flow.FlagSplit|flow.FlagNoLine
			next = start + n
			r.mid = true
		} else if r.mid {
			flags |= flow.FlagSplit
			r.mid = false
		}
		b.Add(base+start, n, off+uint64(next), flags)
		start = next
	}
	return start
}

// rest adds what follows the last line end, or the last event of several lines.
func (f *fill) rest(data []byte, at int) int {
	r := f.r
	if r.First != nil && r.terminated(data) && len(data) <= r.MaxLine {
		f.add(data, at, 0)
		return len(data)
	}
	if len(data) > r.MaxLine {
		data = data[:r.cut(data)]
		r.mid = true
		f.add(data, at, flow.FlagSplit|flow.FlagNoLine)
		return len(data)
	}
	flags := flow.FlagNoLine
	if f.end == Torn || r.mid {
		flags |= flow.FlagSplit
	}
	// A line that goes on after all is marked as a part, too.
	r.mid = f.end == Torn
	f.add(data, at, flags)
	return len(data)
}

// add adds one event of raw bytes, the line end included unless flags say that there is none. at is where raw begins,
// relative to r.Off.
func (f *fill) add(raw []byte, at int, flags uint32) {
	f.begin()
	after := uint64(f.r.Off) + uint64(at+len(raw))
	if f.r.Encoding != nil {
		f.addDecoded(raw, after, flags)
		return
	}
	n := len(raw)
	if flags&flow.FlagNoLine == 0 {
		n--
		if n > 0 && raw[n-1] == '\r' {
			n--
			flags |= flow.FlagCR
		}
	}
	f.b.Add(f.b.Used(0)+at, n, after, flags)
}
