package disk

import (
	"bytes"
	"hash/crc32"
	"strings"
	"testing"

	"collect/runtime/flow"
)

// sealed gives the bytes of a frame of one batch.
func sealed(t testing.TB, c *codec, b *flow.Batch) []byte {
	t.Helper()
	sh := shapeOf(b)
	b.Cut(sh.used)
	p := seal(b, c, sh.form)
	tables := p.appendTables(nil, 7, []position{{"other", 9}, {"gone", forgotten}})
	p.header.seq = 8
	out := make([]byte, frameBytes)
	p.header.encode(out, 1, 4096)
	return append(append(out, p.stored...), tables...)
}

func sample(pool *flow.Pool, form byte) *flow.Batch {
	b := pool.GetSized(1000)
	b.Begin("key", 10, &flow.Meta{Headers: flow.AppendHeaderBlock(nil, []flow.Header{{Name: "h", Value: []byte("v")}})})
	pos := uint64(10)
	for _, s := range []string{"one", "", strings.Repeat("three ", 100)} {
		pos += uint64(len(s)) + 1
		if form == formPosition {
			pos += 5
		}
		b.AddBody([]byte(s), pos)
	}
	if form == formFull {
		b.SetHeaders(1, flow.Header{Name: "a", Value: []byte("b")})
		b.SetTime(2, 99)
	}
	return b
}

func TestFormsHoldABatch(t *testing.T) {
	t.Parallel()
	pool := flow.NewPool(1 << 20)
	for _, name := range []string{"none", "zstd", "lz4"} {
		c, err := newCodec(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		for form := byte(formLines); form <= formFull; form++ {
			want := sample(pool, form)
			if got := shapeOf(want); got.form != form || got.copy {
				t.Errorf("shape %+v, want form %d", got, form)
			}
			p := sealed(t, c, want)
			var h frame
			if !h.decode(p, 1, 4096) || h.decode(p, 2, 4096) || h.decode(p, 1, 4104) {
				t.Fatal("a header counts for its place, and only there")
			}
			if crc32.Checksum(p[frameBytes:], castagnoli) != h.bodyCRC {
				t.Fatal("wrong checksum")
			}
			got, err := unpack(c, pool, [16]byte{}, &h, append(pool.Block(0), p[frameBytes:]...))
			if err != nil {
				t.Fatal(err)
			}
			if got.Len() != 3 || !bytes.Equal(got.Arena(), want.Arena()) {
				t.Errorf("form %d: got %q, want %q", form, got.Arena(), want.Arena())
			}
			for i := range got.Len() {
				v, _ := got.Header(i, "h")
				if got.Recs()[i] != want.Recs()[i] || got.Time(i) != want.Time(i) || string(v) != "v" {
					t.Errorf("form %d, event %d: got %+v, want %+v", form, i, got.Recs()[i], want.Recs()[i])
				}
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	pool := flow.NewPool(1 << 20)
	none, err := newCodec("none")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(none.close)
	for _, name := range []string{"none", "zstd", "lz4"} {
		c, err := newCodec(name)
		if err != nil {
			f.Fatal(err)
		}
		for form := byte(formLines); form <= formFull; form++ {
			f.Add(sealed(f, c, sample(pool, form)))
		}
		c.close()
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < frameBytes {
			return
		}
		le.PutUint32(p, frameMagic)
		le.PutUint32(p[4:], crc32.Update(seed(1, 4096), castagnoli, p[8:frameBytes])) // as if it had been written so
		var h frame
		if !h.decode(p, 1, 4096) || h.body() > len(p)-frameBytes || h.arena > 1<<20 {
			return
		}
		b, err := unpack(none, pool, [16]byte{}, &h, append(pool.Block(0), p[frameBytes:frameBytes+h.body()]...))
		if err != nil {
			return
		}
		for i := range b.Len() {
			_ = b.Body(i)
			_ = b.Time(i)
			b.Headers(i, func(_, _ []byte) bool { return true })
		}
		b.Release()
	})
}

func FuzzCursor(f *testing.F) {
	s := side{generation: 3, kind: slotConsumer, name: "sink.a"}
	s.frontier = 10
	s.add(span{lo: 12, hi: 14, events: 5})
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < sideHead {
			return
		}
		if n := le.Uint32(p[4:]); n >= sideHead && int(n) <= len(p) {
			le.PutUint32(p, crc32.Checksum(p[4:n], castagnoli))
		}
		var s side
		if s.decode(p) {
			_ = s.done(11)
			_ = s.committed()
		}
	})
}

func TestProgressMergesRanges(t *testing.T) {
	t.Parallel()
	var p progress
	for _, n := range []uint64{5, 3, 9, 4, 1} {
		p.add(span{lo: n, hi: n, events: 10})
	}
	if p.frontier != 1 || len(p.spans) != 2 || p.done(2) || !p.done(4) || p.done(6) || p.committed() != 50 {
		t.Errorf("%+v", p)
	}
	p.add(span{lo: 2, hi: 2, events: 10})
	if p.frontier != 5 || len(p.spans) != 1 || p.highest() != 9 {
		t.Errorf("%+v", p)
	}
}
