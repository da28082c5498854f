package frame

import (
	"bytes"
	"hash/crc32"
	"strings"
	"testing"

	"collect/runtime/flow"
)

// sealed gives the bytes of a frame of one batch.
func sealed(t testing.TB, c *Codec, b *flow.Batch) []byte {
	t.Helper()
	sh := shapeOf(b)
	b.Cut(sh.used)
	p := seal(b, c, sh.form)
	tables := p.AppendTables(nil, 7, []Position{{"other", 9}, {"gone", Forgotten}})
	p.Header.Seq = 8
	out := make([]byte, HeaderBytes)
	p.Header.Encode(out, 1, 4096)
	return append(append(out, p.Stored...), tables...)
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
		c, err := NewCodec(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for form := byte(formLines); form <= formFull; form++ {
			want := sample(pool, form)
			if got := shapeOf(want); got.form != form || got.copy {
				t.Errorf("shape %+v, want form %d", got, form)
			}
			p := sealed(t, c, want)
			var h Header
			if !h.Decode(p, 1, 4096) || h.Decode(p, 2, 4096) || h.Decode(p, 1, 4104) {
				t.Fatal("a header counts for its place, and only there")
			}
			if crc32.Checksum(p[HeaderBytes:], castagnoli) != h.bodyCRC {
				t.Fatal("wrong checksum")
			}
			got, err := Unpack(c, pool, [16]byte{}, &h, append(pool.Block(0), p[HeaderBytes:]...))
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
	none, err := NewCodec("none")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(none.Close)
	for _, name := range []string{"none", "zstd", "lz4"} {
		c, err := NewCodec(name)
		if err != nil {
			f.Fatal(err)
		}
		for form := byte(formLines); form <= formFull; form++ {
			f.Add(sealed(f, c, sample(pool, form)))
		}
		c.Close()
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < HeaderBytes {
			return
		}
		le.PutUint32(p, magic)
		le.PutUint32(p[4:], crc32.Update(seed(1, 4096), castagnoli, p[8:HeaderBytes])) // as if it had been written so
		var h Header
		if !h.Decode(p, 1, 4096) || h.Body() > len(p)-HeaderBytes || h.arena > 1<<20 {
			return
		}
		b, err := Unpack(none, pool, [16]byte{}, &h, append(pool.Block(0), p[HeaderBytes:HeaderBytes+h.Body()]...))
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
