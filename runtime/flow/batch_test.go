package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines makes a batch as a file source does: the block as read, and a place for each line.
func lines(p *Pool, key string, from uint64, block string) *Batch {
	b := p.Get()
	b.Begin(key, from, &Meta{File: "/f"})
	base := b.Append([]byte(block))
	at := 0
	for at < len(block) {
		n := strings.IndexByte(block[at:], '\n')
		if n < 0 {
			break
		}
		body, flags := n, uint32(0)
		if n > 0 && block[at+n-1] == '\r' {
			body, flags = n-1, FlagCR
		}
		b.Add(base+at, body, from+uint64(at+n+1), flags)
		at += n + 1
	}
	return b
}

func bodies(b *Batch) []string {
	out := []string{}
	for i := range b.Len() {
		out = append(out, string(b.Body(i)))
	}
	return out
}

func offsets(b *Batch) []uint64 {
	var out []uint64
	for i := range b.Len() {
		out = append(out, b.SourceOffset(i))
	}
	return out
}

func joined(b *Batch) string {
	var out []byte
	b.Blocks(func(p []byte) bool { out = append(out, p...); return true })
	return string(out)
}

func TestBatchOfLines(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "k", 100, "one\ntwo\r\n\nfour\npartial")
	if d := cmp.Diff(bodies(b), []string{"one", "two", "", "four"}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(offsets(b), []uint64{100, 104, 109, 110}); d != "" {
		t.Error(d)
	}
	if got := joined(b); got != "one\ntwo\n\nfour\n" {
		t.Errorf("blocks give %q", got)
	}
	if r := b.Runs()[0]; r.To != 115 || r.N != 4 {
		t.Errorf("run %+v", r)
	}
	b.Decide(200)
	if r := b.Runs()[0]; r.To != 200 {
		t.Errorf("run %+v", r)
	}
	b.Release()
}

func TestUnchangedLinesAreOneBlock(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "k", 0, strings.Repeat("a line\n", 1000))
	n := 0
	b.Blocks(func([]byte) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d blocks, want 1", n)
	}
	b.SetBody(500, []byte("other"))
	if got := joined(b); got != strings.Repeat("a line\n", 500)+"other\n"+strings.Repeat("a line\n", 499) {
		t.Error("wrong bytes after a change")
	}
	stopped := 0
	b.Blocks(func([]byte) bool { stopped++; return false })
	if stopped != 1 {
		t.Errorf("went on %d times", stopped)
	}
}

func TestChangedBodyKeepsItsPlaceInTheSource(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "k", 10, "one\r\ntwo\nthree\n")
	want := offsets(b)
	b.SetBody(0, []byte("a much longer body"))
	b.SetBody(0, []byte("again"))
	b.SetBody(1, b.Body(1)[:1])
	if d := cmp.Diff(offsets(b), want); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(bodies(b), []string{"again", "t", "three"}); d != "" {
		t.Error(d)
	}
	c := b.Copy()
	b.Release()
	if d := cmp.Diff(offsets(c), want); d != "" {
		t.Error("a copy: ", d)
	}
	if got := joined(c); got != "again\nt\nthree\n" {
		t.Errorf("a copy gives %q", got)
	}
}

func TestCountedPositions(t *testing.T) {
	t.Parallel()
	b := NewPool(1 << 20).GetSized(100)
	b.Begin("t-0", 7, &Meta{Topic: "t", Counted: true})
	b.AddBody([]byte("a"), 8)
	b.AddBody([]byte("b"), 12) // some were skipped
	if d := cmp.Diff(offsets(b), []uint64{7, 11}); d != "" {
		t.Error(d)
	}
}

func TestSelectKeepsRuns(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "a", 0, "1\n2\n3\n")
	b.Begin("b", 50, nil)
	b.AddBody([]byte("4"), 52)
	b.SetTime(1, 77)
	v := b.Select([]int{1, 3})
	none := b.Select(nil)
	b.Release()
	if d := cmp.Diff(bodies(v), []string{"2", "4"}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(offsets(v), []uint64{2, 50}); d != "" {
		t.Error(d)
	}
	if v.Time(0) != 77 || len(v.Runs()) != 2 || v.Runs()[0].To != 6 {
		t.Errorf("time %d, runs %+v", v.Time(0), v.Runs())
	}
	if none.Len() != 0 || none.Runs()[1].To != 52 {
		t.Errorf("an empty view: %+v", none.Runs())
	}
	none.Release()
	v.Release()
}

func TestSkipDecidedLeavesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		decided map[string]uint64
		want    []string
		left    bool
	}{
		"nothing known":       {nil, []string{"1", "2", "3", "4"}, true},
		"a part":              {map[string]uint64{"a": 4}, []string{"3", "4"}, true},
		"one run":             {map[string]uint64{"a": 6}, []string{"4"}, true},
		"everything":          {map[string]uint64{"a": 6, "b": 60}, nil, false},
		"events, not the end": {map[string]uint64{"a": 6, "b": 52}, nil, true},
	} {
		for how, view := range map[string]func(*Batch) *Batch{
			"own": func(b *Batch) *Batch { b.Retain(); return b }, "shared": (*Batch).Share, "lent": (*Batch).Lend,
		} {
			b := lines(NewPoisonPool(8<<20), "a", 0, "1\n2\n3\n")
			b.Begin("b", 50, nil)
			b.AddBody([]byte("4"), 52)
			b.Decide(60)
			for i := range 4 {
				b.SetTime(i, int64(i))
			}
			v := view(b)
			left := v.SkipDecided(func(key string) (uint64, bool) { p, ok := tc.decided[key]; return p, ok })
			if got := bodies(v); !slices.Equal(got, tc.want) || left != tc.left {
				t.Errorf("%s, %s: got %q %v, want %q %v", name, how, got, left, tc.want, tc.left)
			}
			if v != b && (b.Len() != 4 || b.Time(0) != 0 || b.Time(3) != 3) {
				t.Errorf("%s, %s: the batch itself changed", name, how)
			}
			for i, body := range bodies(v) {
				if want := int64(body[0] - '1'); v.Time(i) != want {
					t.Errorf("%s, %s: time %d, want %d", name, how, v.Time(i), want)
				}
			}
			v.Release()
			b.Release()
		}
	}
}

func TestKeepAppliesVerdicts(t *testing.T) {
	t.Parallel()
	b := lines(NewPool(8<<20), "a", 0, "1\n2\n3\n4\n")
	var k Keep
	k.Reset(4)
	k.Drop(0, "why")
	k.DeadLetter(2, "bad")
	if reason, ok := k.IsDeadLetter(2); !ok || reason != "bad" || !k.Gone(0) || k.Gone(1) || !k.Any() {
		t.Error("wrong verdicts")
	}
	counts := map[string]int{}
	k.Apply(b, func(reason string, n int) { counts[reason] += n })
	if d := cmp.Diff(bodies(b), []string{"2", "4"}); d != "" || counts["why"] != 1 || b.Runs()[0].To != 8 {
		t.Error(d, counts)
	}
}

func TestPermanentErrors(t *testing.T) {
	t.Parallel()
	if err := fmt.Errorf("outer: %w", Permanent(ErrClosed)); !IsPermanent(err) || IsPermanent(ErrClosed) {
		t.Error(err)
	}
}
