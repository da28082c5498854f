package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnEarlierNameOfAConfigurationIsFound(t *testing.T) {
	all := t.TempDir()
	installed := func(name, root string, agents ...string) {
		dir := filepath.Join(all, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Prepare(dir, Myself(name, true, root), time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, a := range agents {
			if err := os.MkdirAll(filepath.Join(dir, "agents", a), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	installed("old", "/conf", "a-1")
	installed("destroyed", "/conf")
	installed("foreign", "/other", "a-1")
	if err := os.MkdirAll(filepath.Join(all, "nobodys", "agents", "a-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"old"}, Beside(filepath.Join(all, "new"), "/conf")); diff != "" {
		t.Error(diff)
	}
	installed("new", "/conf", "a-1")
	if got := Beside(filepath.Join(all, "old"), "/conf"); len(got) != 1 || got[0] != "new" {
		t.Errorf("got %v", got)
	}
	if got := Beside(filepath.Join(all, "no", "where"), "/conf"); got != nil {
		t.Errorf("got %v", got)
	}
}
