// Package render writes everything that people read: plans, progress, results, status and diagnostics. It promises that no byte of
// foreign origin (event bodies, file names, errors of servers, values of a configuration) steers the terminal: control
// characters and bidirectional overrides are shown as escapes. Without colour everything is as clear as with it.
//
// It decides nothing: what it shows is the planner's, and the snapshot of package api.
package render

import (
	"bufio"
	"io"
	"math"
	"strings"
	"sync"

	"golang.org/x/text/width"
)

// Options say how to write.
type Options struct {
	Color bool // the only case in which escape sequences are written
	Width int  // columns of the terminal; 0: there is none, so that prose is not wrapped: what searches it finds whole sentences
}

// pageWidth is for what is laid out in columns without a terminal.
const pageWidth = 100

// Writer is the one way to the terminal.
type Writer struct {
	mu     sync.Mutex // serialises whole outputs; guards all below
	prose  int        // columns of running text
	out    *bufio.Writer
	opt    Options
	err    error
	tail   []byte // of Write: the beginning of a character whose rest has not come yet
	open   string // the address whose progress line has no end yet
	closed map[string]bool
}

// New gives a writer.
func New(w io.Writer, o Options) *Writer {
	prose := o.Width
	if o.Width == 0 {
		prose = math.MaxInt
	}
	if o.Width < 40 {
		o.Width = pageWidth
	}
	return &Writer{prose: max(prose, 40), out: bufio.NewWriterSize(w, 32<<10), opt: o, closed: map[string]bool{}}
}

// Write writes text that may hold anything: newlines and tabs stay, other control characters become visible. It is shown at once when it
// ends with a line.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLine()
	text := p
	if len(w.tail) > 0 {
		text = append(w.tail, p...)
	}
	n := complete(text)
	w.put(escape(string(text[:n]), true))
	w.tail = append([]byte(nil), text[n:]...)
	if n > 0 && text[n-1] == '\n' {
		w.flush()
	}
	return len(p), w.err
}

// Flush writes out what is held back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tail) > 0 {
		w.put(escape(string(w.tail), true))
		w.tail = nil
	}
	w.flush()
	return w.err
}

// show runs one output as a whole.
func (w *Writer) show(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLine()
	f()
	w.flush()
}

func (w *Writer) flush() {
	if err := w.out.Flush(); w.err == nil {
		w.err = err
	}
}

// put writes text that is safe already.
func (w *Writer) put(parts ...string) {
	for _, s := range parts {
		if _, err := w.out.WriteString(s); w.err == nil {
			w.err = err
		}
	}
}

// line writes a line of text that is safe already.
func (w *Writer) line(parts ...string) {
	w.put(parts...)
	w.put("\n")
}

// The styles. They are the only escape sequences that are ever written.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint puts a style around safe text.
func (w *Writer) paint(style, s string) string {
	if !w.opt.Color || s == "" || style == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// columns counts the columns that safe text takes, without styles.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// pad fills safe text up to some columns, and always ends with two spaces.
func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(2, to-columns(s)))
}
