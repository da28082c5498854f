package position

import (
	"slices"
	"testing"

	"collect/runtime/channel/disk/internal/frame"
)

func TestTableKnowsWhatNoFrameSays(t *testing.T) {
	t.Parallel()
	p := NewTable(map[string]uint64{"old": 5})
	p.Note("old", 4) // it is farther already
	if _, dirty := p.Dirty(); dirty {
		t.Error("nothing was noted")
	}
	p.Note("b", 0)
	p.Note("a", 7)
	p.Forget("old")
	p.Forget("unknown")
	want := []frame.Position{{Key: "a", To: 7}, {Key: "b", To: 0}, {Key: "old", To: frame.Forgotten}}
	first := p.Unwritten()
	if !slices.Equal(first, want) || !slices.Equal(p.All(), want) {
		t.Errorf("%v and %v, want %v", first, p.All(), want)
	}
	p.Note("a", 8)
	p.Written(first)
	if got := p.Unwritten(); !slices.Equal(got, []frame.Position{{Key: "a", To: 8}}) {
		t.Errorf("%v, want what was noted since", got)
	}
	p.Put("a", 3) // a frame that was on its way
	p.Put("b", 9)
	if to, ok := p.Get("a"); !ok || to != 8 {
		t.Errorf("position %d, want the farther one", to)
	}
	if to, _ := p.Get("b"); to != 9 || len(p.Unwritten()) != 0 {
		t.Errorf("position %d, want 9; %v is not written", to, p.Unwritten())
	}
}
