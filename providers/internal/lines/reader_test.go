package lines

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/korean"

	"collect/runtime/flow"
)

type event struct {
	Body        string
	From, After uint64
	Split       bool
}

func events(b *flow.Batch) []event {
	var out []event
	for i := range b.Len() {
		run, rec := b.RunOf(i), b.Recs()[i]
		out = append(out, event{string(b.Body(i)), b.SourceOffset(i), run.From + uint64(rec.After), rec.Flags()&flow.FlagSplit != 0})
	}
	return out
}

func bodies(ev []event) []string {
	out := []string{}
	for _, e := range ev {
		s := e.Body
		if e.Split {
			s = "~" + s
		}
		out = append(out, s)
	}
	return out
}

// readAll fills batches until the source is empty and checks that positions join without a gap.
func readAll(t testing.TB, r *Reader, text string, lim Limits, end End) []event {
	t.Helper()
	pool := flow.NewPoisonPool(8 << 20)
	var out []event
	at := uint64(r.Off)
	for {
		b := pool.GetSized(64)
		full, err := r.Fill(b, strings.NewReader(text), int64(len(text)), lim, end)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events(b) {
			if e.From != at {
				t.Fatalf("event %q begins at %d, want %d", e.Body, e.From, at)
			}
			at = e.After
			out = append(out, e)
		}
		if n := len(b.Runs()); n > 1 || n == 1 && b.Runs()[0].To != at {
			t.Fatalf("runs %+v end at %d", b.Runs(), at)
		}
		b.Release()
		if !full {
			break
		}
	}
	if r.Off != int64(at) {
		t.Fatalf("Off is %d after events up to %d", r.Off, at)
	}
	return out
}

func TestLines(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		maxLine int
		end     End
		want    []string
	}{
		"lines":                             {"a\nbb\n\nccc\n", 100, Wait, []string{"a", "bb", "", "ccc"}},
		"a half line waits":                 {"a\nhalf", 100, Wait, []string{"a"}},
		"the last line may lack its end":    {"a\nhalf", 100, Last, []string{"a", "half"}},
		"a torn line is marked":             {"a\nhalf", 100, Torn, []string{"a", "~half"}},
		"windows line ends":                 {"a\r\n\r\nb\r\n", 100, Wait, []string{"a", "", "b"}},
		"a lone CR stays":                   {"a\rb\n\r\n", 100, Wait, []string{"a\rb", ""}},
		"long lines are split":              {"0123456789abcdef\nx\n", 5, Wait, []string{"~01234", "~56789", "~abcde", "~f", "x"}},
		"a line of just the size is whole":  {"01234\n01234\r\nx\n", 5, Wait, []string{"01234", "01234", "x"}},
		"a long line without end":           {"0123456789abcd", 5, Wait, []string{"~01234", "~56789"}},
		"a long last line":                  {"0123456789ab", 5, Last, []string{"~01234", "~56789", "~ab"}},
		"nothing":                           {"", 5, Last, []string{}},
		"flush leaves a half line":          {"a\nhalf", 100, Flush, []string{"a"}},
		"any bytes":                         {"\x00\xff\xfe\n\x80\n", 100, Wait, []string{"\x00\xff\xfe", "\x80"}},
		"line of one byte more is two":      {"012345\n", 5, Wait, []string{"~01234", "~5"}},
		"no character is torn":              {"가나다라\n🚗🚗\n", 5, Wait, []string{"~가", "~나", "~다", "~라", "~🚗", "~🚗"}},
		"half a character is kept":          {"abcde\x80\x80\x80\xea\xb0\n", 6, Wait, []string{"~abcde\x80", "~\x80\x80\xea\xb0"}},
		"an end right behind a split piece": {"0123456789\n", 5, Wait, []string{"~01234", "~56789"}},
	} {
		for _, lim := range []Limits{{4096, 1 << 20}, {1, 1 << 20}, {4096, 3}} {
			t.Run(fmt.Sprint(name, lim), func(t *testing.T) {
				r := &Reader{Key: "k", MaxLine: tt.maxLine}
				if diff := cmp.Diff(tt.want, bodies(readAll(t, r, tt.text, lim, tt.end))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestEventsOfSeveralLines(t *testing.T) {
	first := regexp.MustCompile(`^\d`)
	for name, tt := range map[string]struct {
		text    string
		maxLine int
		end     End
		want    []string
	}{
		"the last event waits":          {"1 a\n  b\n2 c\n", 100, Wait, []string{"1 a\n  b"}},
		"flush ends it":                 {"1 a\n  b\n2 c\n d\nhalf", 100, Flush, []string{"1 a\n  b", "2 c\n d"}},
		"a start without first line":    {" x\n y\n1 a\n", 100, Last, []string{" x\n y", "1 a"}},
		"the end of the file":           {"1 a\n b", 100, Last, []string{"1 a\n b"}},
		"torn":                          {"1 a\n b", 100, Torn, []string{"~1 a\n b"}},
		"too many lines make two":       {"1 a\n bbbb\n cccc\n2 d\n", 10, Last, []string{"~1 a\n bbbb", "~ cccc", "2 d"}},
		"windows line ends stay inside": {"1 a\r\n b\r\n2 c\r\n", 100, Last, []string{"1 a\r\n b", "2 c"}},
	} {
		for _, lim := range []Limits{{4096, 1 << 20}, {1, 1 << 20}, {4096, 3}} {
			t.Run(fmt.Sprint(name, lim), func(t *testing.T) {
				r := &Reader{Key: "k", MaxLine: tt.maxLine, First: first}
				if diff := cmp.Diff(tt.want, bodies(readAll(t, r, tt.text, lim, tt.end))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestEncodings(t *testing.T) {
	want := []string{"차량 B0042", "", "상태 \n정보"}
	wide := func(big bool) string {
		var buf bytes.Buffer
		for _, c := range "\ufeff차량 B0042\r\n\n상태 \u0a0a정보\n" {
			if c == '\u0a0a' { // both bytes look like a line end
				c = '\u0a0a'
			}
			if big {
				buf.Write([]byte{byte(c >> 8), byte(c)})
			} else {
				buf.Write([]byte{byte(c), byte(c >> 8)})
			}
		}
		return buf.String()
	}
	korea, err := korean.EUCKR.NewEncoder().String("차량 B0042\r\n\n상태 정보\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"utf-16": wide(false), "utf-16be": wide(true), "euc-kr": korea, "cp949": korea} {
		for _, lim := range []Limits{{4096, 1 << 20}, {1, 1 << 20}} {
			t.Run(fmt.Sprint(name, lim), func(t *testing.T) {
				enc, err := NewEncoding(name)
				if err != nil {
					t.Fatal(err)
				}
				mid := "\u0a0a"
				if !enc.wide {
					mid = ""
				}
				want[2] = "상태 " + mid + "정보"
				got := bodies(readAll(t, &Reader{Key: "k", MaxLine: 1000, Encoding: enc}, text, lim, Wait))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	if _, err := NewEncoding("klingon"); err == nil {
		t.Error("an unknown encoding was accepted")
	}
}

// counting counts the bytes that were read.
type counting struct {
	io.ReaderAt
	n int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += n
	return n, err
}

func TestAGrowingHalfLineIsNotReadAgain(t *testing.T) {
	text := strings.Repeat("x", 20000)
	r := &Reader{Key: "k", MaxLine: 1 << 20}
	src := &counting{ReaderAt: strings.NewReader(text + "\n")}
	pool := flow.NewPool(1 << 20)
	b := pool.Get()
	for end := int64(10); end <= int64(len(text)); end += 10 {
		if _, err := r.Fill(b, src, end, Limits{4096, 1 << 20}, Wait); err != nil || b.Len() != 0 {
			t.Fatal(err, b.Len())
		}
	}
	if src.n > 2*len(text) {
		t.Errorf("%d bytes were read for a line of %d", src.n, len(text))
	}
	if _, err := r.Fill(b, src, int64(len(text))+1, Limits{4096, 1 << 20}, Wait); err != nil || b.Len() != 1 {
		t.Fatal(err, b.Len())
	}
	b.Release()
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n0123456789\nhalf"), uint8(5), uint8(3))
	f.Add([]byte("\r\r\n\n\r"), uint8(1), uint8(1))
	f.Add([]byte("가나다라\n🚗🚗🚗"), uint8(4), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, maxLine, cut uint8) {
		if len(text) > 500 {
			return
		}
		r := &Reader{Key: "k", MaxLine: int(maxLine) + 1}
		var got []event
		// The file grows in steps; the events must not depend on them.
		for end := 0; ; end = min(end+int(cut)+1, len(text)) {
			got = append(got, readAll(t, r, string(text[:end]), Limits{7, 64}, Wait)...)
			if end == len(text) {
				break
			}
		}
		got = append(got, readAll(t, r, string(text), Limits{7, 64}, Last)...)
		whole := readAll(t, &Reader{Key: "k", MaxLine: int(maxLine) + 1}, string(text), Limits{4096, 1 << 20}, Last)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Fatal(diff)
		}
		var joined []byte
		for _, e := range got {
			joined = append(joined, text[e.From:e.After]...)
			if len(e.Body) > r.MaxLine {
				t.Fatalf("a body of %d bytes", len(e.Body))
			}
		}
		if !bytes.Equal(joined, text) {
			t.Fatal("events do not cover the text")
		}
	})
}

func BenchmarkLines(b *testing.B) {
	line := strings.Repeat("x", 174) + "\n"
	text := strings.Repeat(line, 100000)
	pool := flow.NewPool(8 << 20)
	src := strings.NewReader(text)
	b.SetBytes(int64(len(text)))
	n := 0
	start := time.Now()
	for b.Loop() {
		r := &Reader{Key: "k", MaxLine: 1 << 20}
		for full := true; full; {
			batch := pool.Get()
			var err error
			if full, err = r.Fill(batch, src, int64(len(text)), Limits{4096, 1 << 20}, Wait); err != nil {
				b.Fatal(err)
			}
			n += batch.Len()
			batch.Release()
		}
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "events/s")
}
