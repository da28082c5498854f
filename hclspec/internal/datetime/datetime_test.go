package datetime

import (
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func FuzzTimeText(f *testing.F) {
	for _, s := range []string{
		"2026-11-22T17:39:22Z", "2024-02-29T23:59:59.5+05:30", "2023-02-29T00:00:00Z", "1969-12-31T23:59:59.999999999-11:00",
		"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22t17:39:22z", "2026-11-22T24:00:00Z", "2026-11-22T17:39:22.Z", "2026-1-2T3:4:5Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := Parse([]byte(s))
		// The library of HCL reads the strict form; package time also takes an hour of one digit.
		_, werr := stdlib.FormatDate(cty.StringVal("Z"), cty.StringVal(s))
		if ok != (werr == nil) {
			t.Fatalf("%q: got %v, want %v", s, ok, werr)
		}
		if werr != nil {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		_, off := want.Zone()
		if got.sec != want.Unix() || int(got.nsec) != want.Nanosecond() || int(got.off) != off {
			t.Fatalf("%q: got %+v, want %v", s, got, want)
		}
		back, ok := Parse(got.AppendText(nil))
		if !ok || back != got {
			t.Fatalf("%q: written as %q, read back as %+v", s, got.AppendText(nil), back)
		}
	})
}

func TestCalendarAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for sec := int64(-62135596800); sec < 253402300800; sec += 86400*13 + 3607 {
		want := time.Unix(sec, 0).UTC()
		c := Instant{sec: sec}.civil()
		got := civil{want.Year(), int(want.Month()), want.Day(), want.Hour(), want.Minute(), want.Second(), int(want.Weekday())}
		if c != got {
			t.Fatalf("%v: got %+v", want, c)
		}
		c.weekday = 0
		if back, ok := seconds(c); !ok || back != sec {
			t.Fatalf("%v: back to %d", want, back)
		}
	}
}

func TestLayoutsAgreeWithTerraform(t *testing.T) {
	t.Parallel()
	layouts := []string{
		"YYYYMMDD", "YY-M-D", "MMM D, YYYY", "EEEE, DD-MMMM-YY hh:mm:ss ZZZ", "EEE H:mm AA", "HH aa h hh m mm s ss", "YYYY-MM-DD'T'hh:mm:ssZ",
		"'it''s' YYYY ''", "ZZZZ ZZZZZ Z ZZZ", "...", "", "YYYY/MM/DD", "hh'h'",
		"Y", "YYY", "MMMMM", "DDD", "EE", "x", "hhh", "A", "SS", "ZZ", "'open", "DD-yy",
	}
	for _, l := range layouts {
		for _, text := range []string{"2026-11-22T00:05:09Z", "2024-02-29T12:00:00.25+09:00", "1999-01-03T23:59:59-03:30", "2026-07-04T13:00:00Z"} {
			want, werr := stdlib.FormatDate(cty.StringVal(l), cty.StringVal(text))
			p, gerr := ParseLayout(l)
			if (werr == nil) != (gerr == nil) {
				t.Fatalf("%q: got %v, want %v", l, gerr, werr)
			}
			if werr != nil {
				continue
			}
			at, ok := Parse([]byte(text))
			if !ok {
				t.Fatal(text)
			}
			seen := new(Cache)
			if got := string(seen.Append(nil, p, at)); got != want.AsString() {
				t.Errorf("%q of %s: got %q, want %q", l, text, got, want.AsString())
			}
			if got := string(seen.Append(nil, p, at)); got != want.AsString() {
				t.Errorf("%q of %s for the second time: got %q, want %q", l, text, got, want.AsString())
			}
		}
	}
}

func TestDatesThatAreRememberedStayRight(t *testing.T) {
	t.Parallel()
	seen := new(Cache)
	for _, l := range []string{"YYYYMMDD", "hh", "hh:mm", "hh:mm:ss", "DD AA", "YYYYMMDD Z"} {
		p, err := ParseLayout(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []time.Duration{time.Millisecond * 300, time.Second * 7, time.Minute * 11, -time.Hour * 5} {
			at := Of(-5 * 1e9)
			for i := range 200 {
				at = at.Add(step)
				at.off = int32(i%3) * 1800
				if got, want := string(seen.Append(nil, p, at)), string(p.format(nil, at)); got != want {
					t.Fatalf("%s %+v: got %s, want %s", l, at, got, want)
				}
			}
		}
	}
}

func TestZonesChangeAtTheRightSecond(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	seen := new(Cache)
	change := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).Unix()
	for _, d := range []int64{-86400, -1, 0, 1, 86400, -2, 10} {
		_, want := time.Unix(change+d, 0).In(loc).Zone()
		if got := seen.offset(loc, change+d); int(got) != want {
			t.Errorf("%+d s: got %d, want %d", d, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ layout, text, want string }{
		{"YYYYMMDDhhmmss", "20261122173922", "2026-11-22T17:39:22Z"},
		{"YYYY-MM-DD hh:mm:ss", "2026-11-22 17:39:22.125", "2026-11-22T17:39:22.125000000Z"},
		{"YYYY-MM-DD hh:mm:ss", "2026-11-22 17:39:22,5", "2026-11-22T17:39:22.500000000Z"},
		{"DD/MMM/YYYY:hh:mm:ss ZZZZ", "22/nov/2026:17:39:22 +0900", "2026-11-22T17:39:22+09:00"},
		{"EEEE, D MMMM YY H:mm AA", "Sunday, 2 February 26 12:05 am", "2026-02-02T00:05:00Z"},
		{"EEE D MMM YYYY H:mm aa ZZZ", "Mon 12 Oct 2026 11:05 PM UTC", "2026-10-12T23:05:00Z"},
		{"YYYY-MM-DD'T'hh:mm:ssZ", "2026-11-22T17:39:22-03:30", "2026-11-22T17:39:22-03:30"},
		{"YYYYMMDD", "20260229", ""},
		{"YYYYMMDD", "2026022", ""},
		{"YYYYMMDD", "20260228x", ""},
		{"hh:mm", "24:00", ""},
		{"MMM", "Foo", ""},
		{"hh.mm.ss", "10.20.30.", ""},
		{"H AA", "13 PM", ""},
		{"Z", "+9:00", ""},
	} {
		l, err := ParseLayout(c.layout)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if at, ok := l.Parse([]byte(c.text), time.UTC); ok {
			got = string(at.AppendText(nil))
		}
		if got != c.want {
			t.Errorf("%s of %q: got %q, want %q", c.layout, c.text, got, c.want)
		}
	}
}
