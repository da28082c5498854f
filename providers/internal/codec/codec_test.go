package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"collect/runtime/flow"
)

func batch(bodies []string, headers ...flow.Header) *flow.Batch {
	b := flow.NewPool(1 << 20).Get()
	b.Begin("k", 0, nil)
	b.SetBase(1_700_000_000_000_000_006)
	for i, s := range bodies {
		b.AddBody([]byte(s), uint64(i+1))
		if len(headers) > 0 {
			b.SetHeaders(i, headers...)
		}
	}
	return b
}

func every() string {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	return string(all[:])
}

func encode(t *testing.T, format, newline string, b *flow.Batch) []byte {
	t.Helper()
	c, err := New(format, newline)
	if err != nil {
		t.Fatal(err)
	}
	if bufs, ok := c.Raw(b, nil); ok {
		raw := bytes.Join(bufs, nil)
		var slow []byte
		for i := range b.Len() {
			slow = c.Append(slow, b, i)
		}
		if !bytes.Equal(raw, slow) {
			t.Errorf("handed through %q, encoded %q", raw, slow)
		}
	}
	var out []byte
	for i := range b.Len() {
		out = c.Append(out, b, i)
	}
	return out
}

func TestLinesTreatANewlineInABodyAsAsked(t *testing.T) {
	for name, tc := range map[string]struct{ newline, body, want string }{
		"escape":                   {"escape", "a\nb\\n\n", "a\\nb\\n\\n\n"},
		"escape is the default":    {"", "a\nb", "a\\nb\n"},
		"split":                    {"split", "a\nb", "a\nb\n"},
		"split drops a last empty": {"split", "a\nb\n", "a\nb\n"},
		"keep":                     {"keep", "a\nb\n", "a\nb\n\n"},
		"empty body":               {"escape", "", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := encode(t, "lines", tc.newline, batch([]string{tc.body})); string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRawHandsThroughOnlyWhatNeedsNoEscape(t *testing.T) {
	c, _ := New("lines", "escape")
	if _, ok := c.Raw(batch([]string{"a", "b", ""}), nil); !ok {
		t.Error("plain lines were not handed through")
	}
	bufs := [][]byte{[]byte("x")}
	if got, ok := c.Raw(batch([]string{"a", "b\nc"}), bufs); ok || len(got) != 1 {
		t.Errorf("a body with a newline was handed through: %q", got)
	}
	keep, _ := New("lines", "keep")
	if _, ok := keep.Raw(batch([]string{"b\nc"}), nil); !ok {
		t.Error("keep needs no look at the bodies")
	}
}

// Every format must carry each of the 256 byte values of a body.
func TestAll256BytesSurvive(t *testing.T) {
	body := every()
	t.Run("lines", func(t *testing.T) {
		got := encode(t, "lines", "escape", batch([]string{body}))
		want := strings.ReplaceAll(body, "\n", `\n`) + "\n"
		if string(got) != want || bytes.Count(got, newline) != 1 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("json", func(t *testing.T) {
		var v struct {
			Body string            `json:"body_b64"`
			H    map[string]string `json:"headers"`
		}
		raw := encode(t, "json", "", batch([]string{body}, flow.Header{Name: "h", Value: []byte(body)}))
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{v.Body, v.H["h.b64"]} {
			if got, _ := base64.StdEncoding.DecodeString(s); string(got) != body {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("flume", func(t *testing.T) {
		raw := encode(t, "flume", "", batch([]string{body}, flow.Header{Name: "h", Value: []byte(body)}))
		headers, got := decodeFlume(t, raw)
		h, _ := base64.StdEncoding.DecodeString(headers["h.b64"])
		if got != body || string(h) != body {
			t.Errorf("got body %q, header %q", got, h)
		}
	})
	t.Run("json strings", func(t *testing.T) {
		for c := range rune(0x3000) {
			s := "a" + string(c) + "b"
			raw := encode(t, "json", "", batch([]string{s}, flow.Header{Name: s, Value: []byte(s)}))
			var v struct {
				Body    string
				Headers map[string]string
			}
			if err := json.Unmarshal(raw, &v); err != nil || v.Body != s || v.Headers[s] != s {
				t.Fatalf("%q became %q (%v)", s, raw, err)
			}
			if bytes.ContainsFunc(raw[:len(raw)-1], func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				t.Fatalf("a control byte in %q", raw)
			}
		}
	})
}

func TestJSONShape(t *testing.T) {
	b := batch([]string{"hé\"llo"}, flow.Header{Name: "b", Value: []byte("2")}, flow.Header{Name: "a", Value: nil})
	want := `{"time":"2023-11-14T22:13:20.000000006Z","headers":{"b":"2","a":""},"body":"hé\"llo"}` + "\n"
	if got := encode(t, "json", "", b); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func decodeFlume(t *testing.T, p []byte) (map[string]string, string) {
	t.Helper()
	long := func() int {
		v, n := binary.Varint(p)
		if n <= 0 {
			t.Fatalf("bad number in %q", p)
		}
		p = p[n:]
		return int(v)
	}
	str := func() string {
		n := long()
		s := string(p[:n])
		p = p[n:]
		return s
	}
	headers := map[string]string{}
	for n := long(); n != 0; n = long() {
		for range n {
			k := str()
			headers[k] = str()
		}
	}
	body := str()
	if len(p) != 0 {
		t.Fatalf("%d bytes left", len(p))
	}
	for k, v := range headers {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			t.Errorf("header %q is not UTF-8", k)
		}
	}
	return headers, body
}

func TestEncodingAllocatesNothing(t *testing.T) {
	b := batch([]string{"20260101000000,B0042,95", "x\ny"}, flow.Header{Name: "car", Value: []byte("B0042")})
	for _, f := range []string{"lines", "json", "flume"} {
		c, _ := New(f, "escape")
		buf := make([]byte, 0, 4096)
		n := testing.AllocsPerRun(100, func() {
			buf = c.Append(buf[:0], b, 0)
			buf = c.Append(buf, b, 1)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", f, n)
		}
	}
}

type sink struct{ bytes.Buffer }

func (s *sink) WriteBlocks(bufs [][]byte) error {
	for _, b := range bufs {
		s.Write(b)
	}
	return nil
}

func TestCompressedFilesReadBack(t *testing.T) {
	b := batch([]string{"one", every(), strings.Repeat("long ", 100_000)})
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"none":   func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip":   func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd":   func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
		"lz4":    func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil },
		"snappy": func(r io.Reader) (io.Reader, error) { return snappy.NewReader(r), nil },
		"hadoop": func(r io.Reader) (io.Reader, error) { return readHadoop(r) },
	} {
		t.Run(name, func(t *testing.T) {
			var to sink
			o := Options{Compression: name}
			if name == "hadoop" {
				o = Options{Compression: "snappy", Hadoop: true}
			}
			w, err := NewWriter(&to, o)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := New("lines", "keep")
			var want []byte
			for i := range b.Len() {
				line := c.Append(nil, b, i)
				want = append(want, line...)
				if err := w.WriteBlocks([][]byte{line[:1], line[1:]}, 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := open(&to)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("read back %d of %d bytes, %v", len(got), len(want), err)
			}
		})
	}
}

func readHadoop(r io.Reader) (io.Reader, error) {
	var out []byte
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return bytes.NewReader(out), nil
		} else if err != nil {
			return nil, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[4:]))
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		raw, err := s2.Decode(nil, body)
		if err != nil {
			return nil, err
		}
		out = append(out, raw...)
	}
}

func TestAvroContainersReadBack(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "snappy", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			bodies := []string{"one", every(), strings.Repeat("long ", 50_000), ""}
			b := batch(bodies, flow.Header{Name: "car", Value: []byte("B0042")})
			var to sink
			w, err := NewWriter(&to, Options{Container: "avro", Compression: compression, Random: func(p []byte) { copy(p, "0123456789abcdef") }})
			if err != nil {
				t.Fatal(err)
			}
			c, _ := New("avro", "")
			for i := range b.Len() {
				if err := w.WriteBlocks([][]byte{c.Append(nil, b, i)}, 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			d, err := ocf.NewDecoder(&to)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for d.HasNext() {
				var e struct {
					Headers map[string]string `avro:"headers"`
					Body    []byte            `avro:"body"`
				}
				if err := d.Decode(&e); err != nil {
					t.Fatal(err)
				}
				if e.Headers["car"] != "B0042" {
					t.Errorf("headers %v", e.Headers)
				}
				got = append(got, string(e.Body))
			}
			if diff := cmp.Diff(got, bodies); diff != "" || d.Error() != nil {
				t.Errorf("%v, %s", d.Error(), diff)
			}
		})
	}
}

func TestUnknownWordsAreRefused(t *testing.T) {
	if _, err := New("xml", ""); err == nil {
		t.Error("format xml was taken")
	}
	if _, err := New("text", "drop"); err == nil {
		t.Error("newline drop was taken")
	}
	for _, o := range []Options{{Compression: "rar"}, {Container: "avro", Compression: "lz4", Random: func([]byte) {}}} {
		if _, err := NewWriter(&sink{}, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte("a"), []byte("v"))
	f.Add([]byte("\xff\x00\""), []byte("\u2028"))
	f.Fuzz(func(t *testing.T, body, value []byte) {
		b := batch([]string{string(body)}, flow.Header{Name: "h", Value: value})
		var v struct {
			Body    *string           `json:"body"`
			B64     []byte            `json:"body_b64"`
			Headers map[string]string `json:"headers"`
		}
		if err := json.Unmarshal(appendJSON(nil, b, 0), &v); err != nil {
			t.Fatal(err)
		}
		if v.Body != nil && *v.Body != string(body) || v.Body == nil && !bytes.Equal(v.B64, body) {
			t.Fatalf("body %q became %v %q", body, v.Body, v.B64)
		}
	})
}

func BenchmarkRaw(b *testing.B) {
	lines := make([]string, 4096)
	for i := range lines {
		lines[i] = strings.Repeat("x", 175)
	}
	in := batch(lines)
	c, _ := New("lines", "escape")
	var bufs [][]byte
	b.SetBytes(in.Bytes())
	for b.Loop() {
		bufs, _ = c.Raw(in, bufs[:0])
	}
	b.ReportMetric(float64(len(lines)*b.N)/b.Elapsed().Seconds(), "events/s")
}
