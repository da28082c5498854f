package cursor

import "testing"

func TestWithinCountsWhatIsCommittedBeyondTheFrontier(t *testing.T) {
	t.Parallel()
	// Frames 1 to 20 of 10 events each; 1 and 2 are delivered, and ahead of them 5 to 8 and 12.
	p := Progress{Frontier: 2, Events: 20, Spans: []Span{
		{Lo: 5, Hi: 8, Events: 40, After: 80},
		{Lo: 12, Hi: 12, Events: 10, After: 120},
	}}
	for _, tc := range []struct {
		name                  string
		first, last, from, to uint64
		want                  uint64
	}{
		{"nothing there", 3, 4, 20, 40, 0},
		{"a whole range", 4, 9, 30, 90, 40},
		{"two ranges", 3, 20, 20, 200, 50},
		{"the begin of a range", 3, 6, 20, 60, 20},
		{"the end of a range", 7, 10, 60, 100, 20},
		{"its middle", 6, 7, 50, 70, 20},
	} {
		if got := p.Within(tc.first, tc.last, tc.from, tc.to); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestProgressCoversWhatIsCommittedAsAWhole(t *testing.T) {
	t.Parallel()
	p := Progress{Frontier: 2, Spans: []Span{{Lo: 5, Hi: 8}}}
	for s, want := range map[Span]bool{
		{Lo: 1, Hi: 2}: true, {Lo: 5, Hi: 8}: true, {Lo: 6, Hi: 7}: true, {Lo: 2, Hi: 3}: false, {Lo: 7, Hi: 9}: false,
	} {
		if p.Covers(s) != want {
			t.Errorf("frames %d to %d: %v", s.Lo, s.Hi, !want)
		}
	}
}
