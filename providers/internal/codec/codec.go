// Package codec turns events into the bytes that sinks write: one table of formats and compressions for all of them.
//
//	text, lines   the body and a newline
//	json          {"time":"2026-01-02T03:04:05.000000006Z","headers":{…},"body":"…"}; body_b64 where the body is not UTF-8
//	flume         the Avro datum of Flume's AvroFlumeEvent: a map of headers and the body
//
// Encoders append to a slice that the caller reuses, so an event costs no allocation. A batch of lines that nobody changed is
// not encoded at all: [Codec.Raw] hands through the memory it was read into.
package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"collect/runtime/flow"
)

// Format is how one event is written.
type Format uint8

// The formats.
const (
	Lines Format = iota
	JSON
	Flume
)

// Newline says what becomes of a newline inside a body when events are lines.
type Newline uint8

// The ways to treat a newline.
const (
	Escape Newline = iota // written as the two characters \n
	Split                 // each part is a line of its own
	Keep                  // written as it is
)

// Codec encodes events in one format. It has no state and may be shared.
type Codec struct {
	format  Format
	newline Newline
}

// New makes a codec from the words that users write.
func New(format, newline string) (Codec, error) {
	var c Codec
	switch format {
	case "text", "lines", "raw":
		c.format = Lines
	case "json":
		c.format = JSON
	case "flume", "avro":
		c.format = Flume
	default:
		return c, fmt.Errorf("format %q is not one of text, lines, json, flume", format)
	}
	switch newline {
	case "", "escape":
		c.newline = Escape
	case "split":
		c.newline = Split
	case "keep":
		c.newline = Keep
	default:
		return c, fmt.Errorf("newline %q is not one of escape, split, keep", newline)
	}
	return c, nil
}

// Format gives the format.
func (c Codec) Format() Format { return c.format }

// Raw appends the batch's own memory to bufs when that is exactly what Append would write for all of its events, one after the
// other. Otherwise it gives false and bufs as it was.
func (c Codec) Raw(b *flow.Batch, bufs [][]byte) ([][]byte, bool) {
	if c.format != Lines {
		return bufs, false
	}
	start, newlines := len(bufs), 0
	for p := range b.Blocks {
		bufs = append(bufs, p)
		if c.newline != Keep {
			newlines += bytes.Count(p, newline)
		}
	}
	if c.newline != Keep && newlines != b.Len() {
		return bufs[:start], false
	}
	return bufs, true
}

var newline = []byte{'\n'}

// Append appends event i of a batch.
func (c Codec) Append(dst []byte, b *flow.Batch, i int) []byte {
	switch c.format {
	case JSON:
		return append(appendJSON(dst, b, i), '\n')
	case Flume:
		return appendFlume(dst, b, i)
	default:
		return append(c.AppendBody(dst, b.Body(i)), '\n')
	}
}

// Value gives event i as a record on its own, without a line end: what it appends to dst, or, where that is just the body, the body.
func (c Codec) Value(dst []byte, b *flow.Batch, i int) (value, grown []byte) {
	start := len(dst)
	switch c.format {
	case JSON:
		dst = appendJSON(dst, b, i)
	case Flume:
		dst = appendFlume(dst, b, i)
	default:
		return b.Body(i), dst
	}
	return dst[start:], dst
}

// AppendBody appends a body as a line without its end.
func (c Codec) AppendBody(dst, body []byte) []byte {
	switch c.newline {
	case Escape:
		for {
			n := bytes.IndexByte(body, '\n')
			if n < 0 {
				return append(dst, body...)
			}
			dst = append(dst, body[:n]...)
			dst = append(dst, '\\', 'n')
			body = body[n+1:]
		}
	case Split:
		return append(dst, bytes.TrimSuffix(body, newline)...)
	default:
		return append(dst, body...)
	}
}

// appendJSON appends one object without a line end.
func appendJSON(dst []byte, b *flow.Batch, i int) []byte {
	dst = append(dst, `{"time":"`...)
	dst = time.Unix(0, b.Time(i)).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","headers":{`...)
	first := true
	b.Headers(i, func(name, value []byte) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendPair(dst, name, value, ".b64")
		return true
	})
	dst = append(dst, `},`...)
	body := b.Body(i)
	if utf8.Valid(body) {
		dst = append(dst, `"body":`...)
		dst = appendString(dst, body)
	} else {
		dst = append(dst, `"body_b64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, body)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// appendPair appends "name":"value"; a value that is not UTF-8 is base64, its name marked with suffix.
func appendPair(dst, name, value []byte, suffix string) []byte {
	dst = appendString(dst, name)
	if utf8.Valid(value) {
		return appendString(append(dst, ':'), value)
	}
	dst = append(dst[:len(dst)-1], suffix...)
	dst = append(dst, `":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD; callers that must keep them check first.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + 1
			} else if r == '\u2028' || r == '\u2029' { // line ends in JavaScript
				dst = append(append(dst, s[start:i]...), `\u202`...)
				dst = append(dst, hexDigits[r&0xf])
				start = i + n
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendFlume appends the datum of {"headers": map<string>, "body": bytes}. Avro strings are UTF-8: a value that is not is
// base64, and its key ends in .b64.
func appendFlume(dst []byte, b *flow.Batch, i int) []byte {
	n := 0
	b.Headers(i, func(_, _ []byte) bool { n++; return true })
	if n > 0 {
		dst = binary.AppendVarint(dst, int64(n))
		b.Headers(i, func(name, value []byte) bool {
			dst = appendFlumeHeader(dst, name, value)
			return true
		})
	}
	dst = append(dst, 0) // end of the map
	body := b.Body(i)
	dst = binary.AppendVarint(dst, int64(len(body)))
	return append(dst, body...)
}

func appendFlumeHeader(dst, name, value []byte) []byte {
	if !utf8.Valid(name) {
		name = bytes.ToValidUTF8(name, []byte("\ufffd"))
	}
	if utf8.Valid(value) {
		dst = binary.AppendVarint(dst, int64(len(name)))
		dst = append(dst, name...)
		dst = binary.AppendVarint(dst, int64(len(value)))
		return append(dst, value...)
	}
	dst = binary.AppendVarint(dst, int64(len(name)+len(".b64")))
	dst = append(dst, name...)
	dst = append(dst, ".b64"...)
	dst = binary.AppendVarint(dst, int64(base64.StdEncoding.EncodedLen(len(value))))
	return base64.StdEncoding.AppendEncode(dst, value)
}
