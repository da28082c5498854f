// Package grapheme counts and cuts text in what a reader sees as one character.
package grapheme

import (
	"unicode/utf8"

	"github.com/apparentlymart/go-textseg/v15/textseg"
)

// Count counts what a reader sees as one character, as Terraform's strlen does.
func Count(b []byte) int {
	if ascii(b) {
		return len(b)
	}
	n := 0
	for len(b) > 0 {
		d, _, _ := textseg.ScanGraphemeClusters(b, true)
		if d <= 0 {
			d = 1
		}
		b = b[d:]
		n++
	}
	return n
}

// ascii says that each byte is a character: ASCII without \r\n, which counts as one.
func ascii(b []byte) bool {
	for i, c := range b {
		if c >= utf8.RuneSelf || c == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			return false
		}
	}
	return true
}

// prefix gives the length in bytes of the first n characters. The byte behind them is looked at as well: it could belong to the
// last one.
func prefix(b []byte, n int) int {
	if n <= 0 || ascii(b[:min(n+1, len(b))]) {
		return max(min(n, len(b)), 0)
	}
	at := 0
	for ; n > 0 && at < len(b); n-- {
		d, _, _ := textseg.ScanGraphemeClusters(b[at:], true)
		at += max(d, 1)
	}
	return at
}

// Cut gives n characters from an offset; a negative offset counts from the end, a negative n means the rest.
func Cut(b []byte, from, n int) []byte {
	if from < 0 {
		from = max(from+Count(b), 0)
	}
	b = b[prefix(b, from):]
	if n < 0 {
		return b
	}
	return b[:prefix(b, n)]
}
