package lines

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"

	"collect/runtime/flow"
)

// Encoding is a text encoding that is turned into UTF-8.
type Encoding struct {
	dec  *encoding.Decoder
	wide bool // two bytes a unit
	big  bool // the first of the two is the higher one
	out  []byte
}

// NewEncoding finds an encoding by the name that users write. "" and utf-8 give nil: bytes are kept as they are.
func NewEncoding(name string) (*Encoding, error) {
	switch name {
	case "", "utf-8":
		return nil, nil
	case "utf-16", "utf-16le":
		return &Encoding{dec: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder(), wide: true}, nil
	case "utf-16be":
		return &Encoding{dec: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder(), wide: true, big: true}, nil
	case "euc-kr", "cp949":
		// The decoder knows the extended repertoire of code page 949, of which EUC-KR is a part.
		return &Encoding{dec: korean.EUCKR.NewDecoder()}, nil
	}
	return nil, fmt.Errorf("unknown encoding %q", name)
}

// splitAny finds events where lines are joined or text is encoded.
func (f *fill) splitAny(data []byte, events int) (used int) {
	r, pos := f.r, 0
	for events > 0 {
		end := r.lineEnd(data, pos)
		line := data[used:max(end, pos)]
		switch {
		case end < 0 && len(data)-used < r.MaxLine+4:
			return used
		case end < 0 || end-used > r.MaxLine+4 && (pos == used || r.First == nil):
			n := r.cut(data[used:])
			f.add(data[used:used+n], used, flow.FlagSplit|flow.FlagNoLine)
			r.mid = true
			used += n
			pos = used
			events--
			continue
		case r.First == nil:
			f.whole(line, used)
			used, events = end, events-1
		case pos > used && end-used > r.MaxLine: // the event goes on, but is too long
			f.add(data[used:pos], used, flow.FlagSplit)
			r.mid = true
			used, events = pos, events-1
		case pos > used && r.First.Match(data[pos:end]):
			f.whole(data[used:pos], used)
			used, events = pos, events-1
		}
		pos = end
	}
	return used
}

// cut says how many bytes of a line that is too long make its first part: at most MaxLine, and no character is torn.
func (r *Reader) cut(line []byte) int {
	n := r.MaxLine
	switch e := r.Encoding; {
	case e == nil:
		for back := n; back > 0 && n-back < utf8.UTFMax; back-- {
			if utf8.RuneStart(line[back]) {
				if _, size := utf8.DecodeRune(line[back:]); back+size > n {
					return back
				}
				break // no character, or it ends there
			}
		}
		return n
	case e.wide:
		n &^= 1
		if unit := e.unit(line[n-2:]); utf16.IsSurrogate(rune(unit)) && unit < 0xdc00 { // the second half follows
			n -= 2
		}
		return n
	}
	at := 0
	for at < n {
		size := 1
		if line[at] >= 0x81 && line[at+1] > '@' {
			size = 2
		}
		if at+size > n {
			break
		}
		at += size
	}
	return at
}

// Resume prepares reading at Off: inside a line, what comes is marked as a part of it.
func (r *Reader) Resume(src io.ReaderAt) error {
	unit := int64(1)
	if r.Encoding != nil && r.Encoding.wide {
		unit = 2
	}
	if r.Off < unit {
		return nil
	}
	var last [2]byte
	n, err := readAt(src, last[:unit], r.Off-unit)
	if err == nil && n == int(unit) && !r.terminated(last[:n]) {
		r.mid = true
	}
	return err
}

// lastLook is how far back LastLineEnd looks.
const lastLook = 64 << 10

// LastLineEnd gives the position behind the last line end of src, so that reading does not begin in the middle of a line.
func (r *Reader) LastLineEnd(src io.ReaderAt, size int64) (int64, error) {
	from := max(0, size-lastLook) &^ 1
	p := make([]byte, size-from)
	n, err := readAt(src, p, from)
	if err != nil {
		return 0, err
	}
	if end := len(r.cutHalf(p[:n])); end > 0 {
		return from + int64(end), nil
	}
	if r.Encoding != nil && r.Encoding.wide {
		size &^= 1
	}
	return size, nil
}

// whole adds an event that ends in a line end.
func (f *fill) whole(raw []byte, at int) {
	var flags uint32
	if f.r.mid {
		f.r.mid, flags = false, flow.FlagSplit
	}
	f.add(raw, at, flags)
}

// lineEnd gives the index just behind the next line end at or after pos, or -1.
func (r *Reader) lineEnd(data []byte, pos int) int {
	e := r.Encoding
	if e == nil || !e.wide {
		i := bytes.IndexByte(data[pos:], '\n')
		if i < 0 {
			return -1
		}
		return pos + i + 1
	}
	for pos+1 < len(data) {
		i := bytes.IndexByte(data[pos:], '\n')
		if i < 0 {
			return -1
		}
		at := (pos + i) &^ 1 // of the unit; events begin at even positions of data
		if at+1 < len(data) && e.unit(data[at:]) == '\n' {
			return at + 2
		}
		pos = at + 2
	}
	return -1
}

// unit reads two bytes.
func (e *Encoding) unit(p []byte) uint16 {
	if e.big {
		return binary.BigEndian.Uint16(p)
	}
	return binary.LittleEndian.Uint16(p)
}

// terminated says whether data ends in a line end.
func (r *Reader) terminated(data []byte) bool {
	if e := r.Encoding; e != nil && e.wide {
		return len(data) >= 2 && e.unit(data[len(data)-2:]) == '\n'
	}
	return len(data) > 0 && data[len(data)-1] == '\n'
}

const byteOrderMark = "\ufeff"

// addDecoded adds an event whose body is raw in UTF-8. Bytes that are no text of the encoding become U+FFFD. The layout is that
// of a body that was replaced: the length in the source comes first.
func (f *fill) addDecoded(raw []byte, after uint64, flags uint32) {
	e := f.r.Encoding
	src := len(raw)
	text := e.decode(raw)
	if flags&flow.FlagNoLine == 0 {
		text = bytes.TrimSuffix(text, []byte{'\n'})
		text = bytes.TrimSuffix(text, []byte{'\r'})
	}
	if after == uint64(src) {
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	}
	text = text[:min(len(text), flow.MaxBody)]
	space := f.b.Space(len(text) + 5)
	binary.LittleEndian.PutUint32(space, uint32(src))
	copy(space[4:], text)
	space[4+len(text)] = '\n'
	off := f.b.Used(len(text) + 5)
	f.b.Add(off+4, len(text), after, flags&^flow.FlagNoLine|flow.FlagEdited)
}

// decode gives raw in UTF-8, in memory that the next call uses again.
func (e *Encoding) decode(raw []byte) []byte {
	if need := 3*len(raw) + 16; cap(e.out) < need {
		e.out = make([]byte, need)
	}
	e.dec.Reset()
	n, _, err := e.dec.Transform(e.out[:cap(e.out)], raw, true)
	if err != nil { // only a buffer that is too small, which it is not
		return append(e.out[:0], raw...)
	}
	return e.out[:n]
}
