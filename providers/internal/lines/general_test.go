package lines

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
)

// encodings are all that change bytes, and how to write them.
var encodings = map[string]encoding.Encoding{
	"utf-16":   unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"euc-kr":   korean.EUCKR,
	"cp949":    korean.EUCKR,
}

func encoded(t *testing.T, name, text string) (string, *Encoding) {
	t.Helper()
	raw, err := encodings[name].NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := NewEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw, enc
}

func TestALongLineOfAnyEncodingIsSplitBetweenCharacters(t *testing.T) {
	for name := range encodings {
		line := strings.Repeat("a차량뷁상태", 10)
		if strings.HasPrefix(name, "utf-16") {
			line = strings.Repeat("a차🚗", 10)
		}
		for maxLine := 16; maxLine < 26; maxLine++ {
			raw, enc := encoded(t, name, line+"\nnext\n")
			got := readAll(t, &Reader{Key: "k", MaxLine: maxLine, Encoding: enc}, raw, Limits{4096, 1 << 20}, Wait)
			whole := ""
			for _, e := range got[:len(got)-1] {
				whole += e.Body
			}
			if whole != line || got[len(got)-1].Body != "next" {
				t.Errorf("%s, at most %d bytes: %q", name, maxLine, bodies(got))
			}
			// The same file, of which the end came only later, and which was read by several processes.
			var steps []event
			off := int64(0)
			for end := range len(raw) + 1 {
				r := &Reader{Key: "k", MaxLine: maxLine, Encoding: enc, Off: off}
				if err := r.Resume(strings.NewReader(raw)); err != nil {
					t.Fatal(err)
				}
				steps = append(steps, readAll(t, r, raw[:end], Limits{4096, 1 << 20}, Wait)...)
				off = r.Off
			}
			if diff := cmp.Diff(got, steps); diff != "" {
				t.Errorf("%s, at most %d bytes, byte by byte:\n%s", name, maxLine, diff)
			}
		}
	}
}

func TestTheLastLineEndIsFoundInAnyEncoding(t *testing.T) {
	for name := range encodings {
		for text, want := range map[string]string{
			"":                                 "",
			"no end":                           "no end",
			"one\n":                            "one\n",
			"one\ntwo\nhalf":                   "one\ntwo\n",
			strings.Repeat("x\n", 50000) + "y": strings.Repeat("x\n", 50000),
		} {
			raw, enc := encoded(t, name, text)
			end, _ := encoded(t, name, want)
			got, err := (&Reader{Encoding: enc}).LastLineEnd(strings.NewReader(raw), int64(len(raw)))
			if err != nil || got != int64(len(end)) {
				t.Errorf("%s, %.20q: %d, want %d (%v)", name, text, got, len(end), err)
			}
		}
	}
	// Half a character may stand at the end of what was written so far.
	for _, name := range []string{"utf-16", "utf-16be"} {
		raw, enc := encoded(t, name, "one\n\u0a0a\u0a00")
		for cut := 8; cut <= len(raw); cut++ {
			got, err := (&Reader{Encoding: enc}).LastLineEnd(strings.NewReader(raw[:cut]), int64(cut))
			if err != nil || got != 8 {
				t.Errorf("%s, %d bytes: %d, want 8 (%v)", name, cut, got, err)
			}
		}
	}
}

func TestReadingResumedInsideALineMarksItsRest(t *testing.T) {
	for name := range encodings {
		raw, enc := encoded(t, name, "abcdef\nnext\n")
		unit := len(raw) / len("abcdef\nnext\n")
		for off, want := range map[int][]string{0: {"abcdef", "next"}, 3: {"~def", "next"}, 6: {"~", "next"}, 7: {"next"}} {
			t.Run(fmt.Sprint(name, off), func(t *testing.T) {
				r := &Reader{Key: "k", MaxLine: 100, Encoding: enc, Off: int64(off * unit)}
				if err := r.Resume(strings.NewReader(raw)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, bodies(readAll(t, r, raw, Limits{4096, 1 << 20}, Wait))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
