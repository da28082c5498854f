package position

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func tracker(t *testing.T) (*Tracker, flow.Dir) {
	t.Helper()
	dir, err := host.FS().OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	file, err := openFile(dir, "tail", host.Rand())
	if err != nil {
		t.Fatal(err)
	}
	return newTracker(file, func([]string) {}), dir
}

// acked gives the position that a new process would go on from.
func acked(t *testing.T, p *Tracker, dir flow.Dir, key string) uint64 {
	t.Helper()
	if err := p.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, err := openFile(dir, "tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	pos, _, _ := newTracker(file, nil).Frontier(key)
	return pos
}

func TestAcknowledgedFrontierIsContiguous(t *testing.T) {
	p, dir := tracker(t)
	emit := func(from, to uint64) []*Flight {
		f := []*Flight{p.Begin("k", from, to)}
		p.Stored(f)
		return f
	}
	a, b, c := emit(5, 10), emit(10, 20), emit(20, 30)
	p.Settle(c, false)
	p.Settle(a, false)
	if got := acked(t, p, dir, "k"); got != 10 {
		t.Errorf("with a gap: %d, want 10", got)
	}
	if got, _, _ := p.Frontier("k"); got != 30 {
		t.Errorf("emitted: %d, want 30", got)
	}
	p.Settle(b, false)
	if got := acked(t, p, dir, "k"); got != 30 {
		t.Errorf("without a gap: %d, want 30", got)
	}
}

func TestAbandonedRunsAreEmittedAgain(t *testing.T) {
	p, dir := tracker(t)
	emit := func(from, to uint64) []*Flight {
		f := []*Flight{p.Begin("k", from, to)}
		p.Stored(f)
		return f
	}
	a, b, c := emit(0, 10), emit(10, 20), emit(20, 30)
	p.Settle(a, false)
	p.Settle(b, true)
	p.Settle(c, false)
	if got, _, _ := p.Frontier("k"); got != 10 {
		t.Errorf("emitted: %d, want 10", got)
	}
	// A source that goes on as if nothing had happened moves nothing.
	d := emit(30, 40)
	p.Settle(d, false)
	if got := acked(t, p, dir, "k"); got != 10 {
		t.Errorf("acknowledged: %d, want 10", got)
	}
	e := emit(10, 40)
	p.Settle(e, false)
	if got := acked(t, p, dir, "k"); got != 40 {
		t.Errorf("acknowledged: %d, want 40", got)
	}
}

func TestForgottenKeysLeaveWithTheirLastBatch(t *testing.T) {
	p, _ := tracker(t)
	var told []string
	p.onGone = func(keys []string) { told = append(told, keys...) }
	f := []*Flight{p.Begin("gone", 0, 10)}
	p.Note("kept", []byte("n"))
	p.Forget("gone")
	if err := p.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(told) != 0 {
		t.Error("channels were told while a batch was in flight")
	}
	if d := cmp.Diff([]string{"kept"}, p.Keys()); d != "" {
		t.Error(d)
	}
	p.Settle(f, false)
	if err := p.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"gone"}, told); d != "" {
		t.Error(d)
	}
}

func TestNotesAndIdentitySurvive(t *testing.T) {
	p, dir := tracker(t)
	p.Note("k", []byte{0, 255, 7})
	if err := p.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := openFile(dir, "tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, note, ok := newTracker(again, nil).Frontier("k"); !ok || string(note) != "\x00\xff\x07" {
		t.Errorf("note %q %v", note, ok)
	}
	if again.id != p.file.id {
		t.Error("another uuid")
	}
	other, err := openFile(dir, "exec", host.Rand())
	if err != nil || len(other.loaded) != 0 {
		t.Errorf("positions of another type of source: %v %v", other, err)
	}
}

func TestDamagedPositionsAreAnError(t *testing.T) {
	good := encode(stored{ID: "x", Type: "tail", Keys: map[string]storedKey{"k": {Pos: 4711}}})
	if _, err := decode(good); err != nil {
		t.Fatal(err)
	}
	for i := range len(good) - 1 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		if s, err := decode(bad); err == nil && cmp.Diff(s.Keys, map[string]storedKey{"k": {Pos: 4711}}) != "" {
			t.Errorf("byte %d: no error", i)
		}
		if _, err := decode(good[:i]); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
	}
	newer := []byte(strings.Replace(string(good), "positions 1", "positions 2", 1))
	if _, err := decode(newer); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("newer: %v", err)
	}
}

func FuzzPositions(f *testing.F) {
	f.Add(encode(stored{ID: "x", Type: "tail", Keys: map[string]storedKey{"k": {Pos: 1, Note: []byte("n")}}}))
	f.Add([]byte("collect-positions 1 00000000\n{}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decode(raw)
		if err != nil {
			return
		}
		if _, err := decode(encode(s)); err != nil {
			t.Error(err)
		}
	})
}

func TestAKeyIsSettledWhenNothingOfItIsInFlightOrAbandoned(t *testing.T) {
	p, _ := tracker(t)
	settled := func(want bool, when string) {
		t.Helper()
		if got := p.Settled("k"); got != want {
			t.Errorf("%s: settled is %v, want %v", when, got, want)
		}
	}
	settled(true, "never emitted")
	a := []*Flight{p.Begin("k", 0, 10)}
	p.Stored(a)
	settled(false, "in flight")
	p.Settle(a, false)
	settled(true, "acknowledged")
	b := []*Flight{p.Begin("k", 10, 20)}
	p.Stored(b)
	p.Settle(b, true)
	settled(false, "abandoned")
	c := []*Flight{p.Begin("k", 10, 20)}
	p.Stored(c)
	p.Settle(c, false)
	settled(true, "emitted again and acknowledged")
}

// slowDir waits in the last step of a save.
type slowDir struct {
	flow.Dir
	came, free chan struct{}
}

func (d slowDir) Rename(from string, _ flow.Dir, to string) error {
	d.came <- struct{}{}
	<-d.free
	return d.Dir.Rename(from, d.Dir, to)
}

// Whoever closes a tracker may open another of the directory: nothing is written after that.
func TestNothingIsSavedAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := tracker(t)
		slow := slowDir{Dir: dir, came: make(chan struct{}), free: make(chan struct{})}
		p.file.dir = slow
		p.Start(t.Context(), func(err error) { t.Error(err) })
		p.Note("k", []byte("n"))
		<-slow.came
		closed := false
		go func() { _ = p.Close(); closed = true }()
		synctest.Wait()
		if closed {
			t.Error("closed while it was saving")
		}
		close(slow.free)
		synctest.Wait()
		if !closed {
			t.Error("not closed")
		}
	})
}
