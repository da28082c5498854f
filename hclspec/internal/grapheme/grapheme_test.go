package grapheme

import "testing"

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text    string
		from, n int
		want    string
	}{
		{"hello", 1, 3, "ell"},
		{"hello", -3, 2, "ll"},
		{"hello", 3, -1, "lo"},
		{"hello", 9, 1, ""},
		{"hello", -9, 2, "he"},
		{"añb", 1, 1, "ñ"},
		{"e\u0301x", 0, 1, "e\u0301"},
		{"\r\nx", 0, 1, "\r\n"},
		{"a\xffb", 1, 1, "\xff"},
	} {
		if got := string(Cut([]byte(c.text), c.from, c.n)); got != c.want {
			t.Errorf("%q from %d, %d: got %q, want %q", c.text, c.from, c.n, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "안녕": 2, "👨‍👩‍👧": 1, "a\r\nb": 3} {
		if got := Count([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
