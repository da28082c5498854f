package recovery

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow/host"
)

// A segment that was never finished goes. One that has lost its head is set aside, but for who only looks.
func TestSegmentsWithoutAHead(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := host.FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	begun, lost := segment.Name(1), segment.Name(2)
	for name, content := range map[string][]byte{begun: make([]byte, 2*segment.HeadBytes), lost: bytes.Repeat([]byte("x"), 2*segment.HeadBytes)} {
		if err := os.WriteFile(filepath.Join(path, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, keep := range []bool{true, false} {
		s, err := Read(dir, keep)
		if err != nil || !slices.Equal(s.Remove, []string{begun}) || s.Lost != 1 || len(s.Segs) != 0 {
			t.Errorf("keep %v: %+v %v", keep, s, err)
		}
		if damaged := len(s.Damage) == 1 && s.Damage[0].Segment == lost; damaged != keep {
			t.Errorf("keep %v: damage %+v", keep, s.Damage)
		}
		_, err = os.Stat(filepath.Join(path, lost))
		if stays := err == nil; stays != keep {
			t.Errorf("keep %v: %v", keep, err)
		}
	}
	if s, err := Read(dir, true); err != nil || s.HighestNumber() != 2 {
		t.Errorf("a number is given away again: %d %v", s.HighestNumber(), err)
	}
}

func TestOneHolderOfTheLock(t *testing.T) {
	t.Parallel()
	dir, err := host.FS().OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	first, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); err == nil {
		t.Error("locked twice")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
