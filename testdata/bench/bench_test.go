package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// pieces gives what it reads in pieces of random size.
type pieces struct {
	r   io.Reader
	rnd *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 1+p.rnd.IntN(40))]) }

func TestEachSequenceNumberIsCountedOnce(t *testing.T) {
	var text bytes.Buffer
	const lines = 2000
	for i := range lines {
		if i != 7 && i != 1999 {
			fmt.Fprintf(&text, "x,seq=%010d,%s\n", i, strings.Repeat("se=q", i%20))
		}
	}
	text.WriteString("again seq=0000000003 seq=0000000004")
	for name, r := range map[string]func(io.Reader) io.Reader{
		"at once":      func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"in pieces":    func(r io.Reader) io.Reader { return pieces{r, rand.New(rand.NewPCG(1, 2))} },
	} {
		s := newSeen(lines)
		if err := s.read(r(bytes.NewReader(text.Bytes()))); err != nil {
			t.Fatal(err)
		}
		if lost, doubled := s.count(lines); lost != 2 || doubled != 2 {
			t.Errorf("%s: %d lost, %d doubled, want 2 and 2", name, lost, doubled)
		}
	}
}

func TestWorkThatWasNotDoneHasNoFigures(t *testing.T) {
	done := result{name: "w1", lines: 1_000_000, bytes: 175_000_000, cpu: 0.08, wall: 500 * time.Millisecond, rss: 48 << 20}
	if err := done.check(); err != nil {
		t.Error(err)
	}
	want := "w1      1000000      175     0.080      50%      2000000      350       48"
	if got := done.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(columns) != len(want) {
		t.Errorf("the columns are %d wide, the figures %d", len(columns), len(want))
	}
	for _, r := range []result{{lost: 1}, {doubled: 1}} {
		if r.check() == nil {
			t.Errorf("%+v: accepted", r)
		}
	}
}
