package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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

func TestHeadersOfEventAndRun(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := p.Get()
	b.Begin("k", 0, &Meta{Headers: AppendHeaderBlock(nil, []Header{{"host", []byte("h1")}, {"env", []byte("test")}})})
	b.AddBody([]byte("a"), 2)
	b.AddBody([]byte("b"), 4)
	b.SetHeaders(0, Header{"n", []byte("1")}, Header{"env", []byte("own")})
	b.SetHeaders(0, Header{"n", b.Body(0)})
	show := func(i int) string {
		var s []string
		b.Headers(i, func(n, v []byte) bool { s = append(s, fmt.Sprintf("%s=%s", n, v)); return true })
		return strings.Join(s, " ")
	}
	if got, want := show(0), "host=h1 env=own n=a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := b.Header(1, "env"); !ok || string(v) != "test" || !b.HasHeaders(1) {
		t.Errorf("run header: %q %v", v, ok)
	}
	b.RemoveHeaders(1, func(n []byte) bool { return string(n) == "host" })
	if got, want := show(1), "env=test"; got != want {
		t.Errorf("after removing one of the run's: got %q, want %q", got, want)
	}
	if got, want := show(0), "env=own n=a host=h1"; got != want {
		t.Errorf("the other event: got %q, want %q", got, want)
	}
	b.RemoveHeaders(1, func([]byte) bool { return true })
	if b.HasHeaders(1) || !b.HasHeaders(0) {
		t.Error("not all of one event's headers, and only those, are gone")
	}
	at := b.AppendHeaders([]Header{{"shared", []byte("s")}})
	if !b.UseHeaders(1, at) || b.UseHeaders(0, at) || show(1) != "shared=s" {
		t.Errorf("shared block: %q", show(1))
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

func TestCompactCopiesOnlyWhenMostIsDead(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	full := lines(p, "a", 0, strings.Repeat("0123456789\n", 100_000))
	if c, copied := full.Compact(); copied || c != full {
		t.Error("a full batch was copied")
	}
	few := full.Select([]int{5, 99_999})
	held, copied := few.Share(), false
	if few, copied = few.Compact(); copied {
		t.Error("a batch with other holders was copied")
	}
	held.Release()
	full.Release()
	var acked []Outcome
	few.OnAck(func(o Outcome) { acked = append(acked, o) })
	want := offsets(few)
	c, copied := few.Compact()
	if !copied || c.Retained() > 4096 {
		t.Errorf("copied %v, pins %d", copied, c.Retained())
	}
	if d := cmp.Diff(offsets(c), want); d != "" || joined(c) != "0123456789\n0123456789\n" {
		t.Error(d, joined(c))
	}
	c.Ack(Durable)
	c.Ack(Durable)
	if len(acked) != 1 {
		t.Errorf("acknowledged %d times", len(acked))
	}
	c.Release()
}

func TestPoisonPoolOverwritesReleasedMemory(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "a", 0, "secret\n")
	body := b.Body(0)
	v := b.Lend()
	b.Release()
	if string(body) != "secret" {
		t.Error("a batch that is lent was given up")
	}
	v.Release()
	if string(body) == "secret" {
		t.Error("a released batch is still readable")
	}
	defer func() {
		if recover() == nil {
			t.Error("a second release was not noticed")
		}
	}()
	b.Release()
}

func TestUnloadFreesMemoryAndKeepsIdentity(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "a", 0, "x\n")
	b.SetID(ID{Seq: 7})
	body := b.Body(0)
	v := b.Lend()
	b.Release()
	v.Unload()
	if string(body) == "x" || !v.Unloaded() || v.ID().Seq != 7 {
		t.Errorf("body %q, unloaded %v, id %v", body, v.Unloaded(), v.ID())
	}
	v.Release()
}

func TestPoolReusesAndTrims(t *testing.T) {
	t.Parallel()
	p := NewPool(8 << 20)
	b := p.Get()
	first := &b.Space(1)[0]
	b.Release()
	b = p.Get()
	if &b.Space(1)[0] != first {
		t.Error("memory was not used again")
	}
	b.Release()
	p.Trim()
	if b = p.Get(); b.Len() != 0 || len(b.Runs()) != 0 || b.ID() != (ID{}) {
		t.Error("a fresh batch is not empty")
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

// TestHeadersBehaveLikeAMap compares sequences of changes with an ordered list.
func TestHeadersBehaveLikeAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := NewPoisonPool(8 << 20).GetSized(16)
		b.Begin("k", 0, nil)
		b.AddBody([]byte("x"), 2)
		var want []Header
		name := rapid.SampledFrom([]string{"a", "bb", "", "long name"})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				h := Header{name.Draw(t, "name"), rapid.SliceOf(rapid.Byte()).Draw(t, "value")}
				b.SetHeaders(0, h)
				want = slices.DeleteFunc(want, func(o Header) bool { return o.Name == h.Name })
				want = append(want, h)
			},
			"remove": func(t *rapid.T) {
				n := name.Draw(t, "name")
				b.RemoveHeaders(0, func(p []byte) bool { return string(p) == n })
				want = slices.DeleteFunc(want, func(o Header) bool { return o.Name == n })
			},
			"": func(t *rapid.T) {
				var got []Header
				b.Headers(0, func(n, v []byte) bool { got = append(got, Header{string(n), bytes.Clone(v)}); return true })
				same := slices.EqualFunc(got, want, func(x, y Header) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
				if !same || string(b.Body(0)) != "x" {
					t.Fatalf("got %v, want %v", got, want)
				}
			},
		})
	})
}

func FuzzHeaderBlock(f *testing.F) {
	f.Add(AppendHeaderBlock(nil, []Header{{"a", []byte("b")}, {"", nil}}))
	f.Add([]byte{10, 0, 0, 0, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, block []byte) {
		var headers []Header
		EachHeader(block, func(n, v []byte) bool { headers = append(headers, Header{string(n), v}); return true })
		if !ValidHeaderBlock(block) {
			return
		}
		if again := AppendHeaderBlock(nil, headers); !bytes.Equal(again, block) {
			t.Errorf("%x became %x", block, again)
		}
		for _, h := range headers {
			if _, ok := lookup(block, h.Name); !ok {
				t.Errorf("%q is not found", h.Name)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	p := NewPool(8 << 20)
	block := strings.Repeat(strings.Repeat("x", 174)+"\n", 5991)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		batch := p.Get()
		batch.Begin("k", 0, nil)
		at := batch.Append([]byte(block))
		for i := range 5991 {
			batch.Add(at+i*175, 174, uint64(i+1)*175, 0)
		}
		batch.Release()
	}
	b.ReportMetric(5991*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkLend(b *testing.B) {
	p := NewPool(8 << 20)
	batch := lines(p, "k", 0, strings.Repeat("a line\n", 4096))
	b.ReportAllocs()
	for b.Loop() {
		batch.Lend().Release()
	}
}
