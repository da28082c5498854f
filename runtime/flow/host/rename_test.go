package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestARenameInStepsGoesOnWhereItWasEnded(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rename := func(name, newName string) error {
		return control(d.(*dir).f, func(fd int) error { return renameInSteps(fd, name, fd, newName) })
	}
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(path, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (all []string) {
		t.Helper()
		list, err := d.ReadDir()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			all = append(all, f.Name)
		}
		return all
	}
	write("a")
	if err := rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(path, "b"), filepath.Join(path, "c")); err != nil { // ended after the first step
		t.Fatal(err)
	}
	if err := rename("b", "c"); err != nil {
		t.Errorf("the second step is not done: %v", err)
	}
	if got := names(); len(got) != 1 || got[0] != "c" {
		t.Errorf("got %v, want only c", got)
	}
	write("other")
	if err := rename("other", "c"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("another file was replaced: %v", err)
	}
	if got := names(); len(got) != 2 {
		t.Errorf("got %v, want c and other", got)
	}
}
