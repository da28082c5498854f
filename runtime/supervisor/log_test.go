package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"collect/runtime/supervisor/internal/process"
)

// A log stays small while its process runs: at most two files, no record is lost between them or cut.
func TestALogIsBoundedWhileItsProcessRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	f, err := process.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, ok := KeepSmall(f, path).(*boundedLog)
	if !ok {
		t.Fatal("the log is not bounded")
	}
	const most, writers, each = 4096, 4, 1000
	l.most, l.left = most, most
	var all bytes.Buffer // what was put aside, and the last file
	keep := func() {
		raw, err := os.ReadFile(path + ".1")
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 0 && !bytes.HasSuffix(all.Bytes(), raw) {
			all.Write(raw)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				mu.Lock()
				before := l.left
				if _, err := fmt.Fprintf(l, "writer %d record %04d\n", w, i); err != nil {
					t.Error(err)
				}
				if l.left > before {
					keep()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	last, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(last)
	lines := strings.Split(strings.TrimSpace(all.String()), "\n")
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line] = true
	}
	if len(lines) != writers*each || len(seen) != writers*each {
		t.Errorf("%d records, %d different ones, want %d", len(lines), len(seen), writers*each)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 2 {
		t.Errorf("files: %v %v", files, err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Size() > most+100 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file.Name(), info, err)
		}
	}
}

func TestOutputsThatAreNotTheLogStayAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.log")
	other, err := os.Create(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if KeepSmall(other, path) != other {
		t.Error("a file without a log of that name")
	}
	if err := os.Symlink("other", path); err != nil {
		t.Fatal(err)
	}
	if KeepSmall(other, path) != other {
		t.Error("a link")
	}
	if KeepSmall(pipe, path) != pipe {
		t.Error("a pipe")
	}
	var buf bytes.Buffer
	if KeepSmall(&buf, path) != &buf {
		t.Error("a buffer")
	}
}

// A log that cannot be put aside goes on growing, and its process goes on.
func TestALogThatCannotBePutAsideGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	f, err := process.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, ok := KeepSmall(f, path).(*boundedLog)
	if !ok {
		t.Fatal("the log is not bounded")
	}
	l.most, l.left = 160, 160
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := fmt.Fprintln(l, strings.Repeat("x", 19)); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Count(raw, []byte("xxx\n")) != 20 || !bytes.Contains(raw, []byte("put aside")) {
		t.Errorf("%q %v", raw, err)
	}
	if err := os.RemoveAll(path + ".1"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := fmt.Fprintln(l, strings.Repeat("y", 19)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path + ".1"); err != nil {
		t.Error(err)
	}
}
