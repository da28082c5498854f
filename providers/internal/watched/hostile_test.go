package watched

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

// Watched files: another user who may write the folder has us read no byte of what he may not read himself, whatever he puts under
// the name and however fast he exchanges it; and nothing that he puts there holds us up.
func TestWatchedFilesOfAnotherUserGiveNoForeignByte(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	const other = 65534
	for name, tt := range map[string]struct {
		owner int
		mode  os.FileMode
		own   bool // what the other user wrote himself is read
	}{
		"his own folder":              {other, 0o755, true},
		"his own folder, open to all": {other, 0o777, true},
		"a folder that all may write": {0, 0o777, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "watched") // every user gets there
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			secret := filepath.Join(t.TempDir(), "secret")
			write(t, secret, "secret")
			write(t, filepath.Join(dir, "mine"), "mine")
			err = errors.Join(os.Chown(filepath.Join(dir, "mine"), other, other), os.Link(secret, filepath.Join(dir, "hard")), os.Chown(dir, tt.owner, tt.owner), os.Chmod(dir, tt.mode))
			if err != nil {
				t.Fatal(err)
			}
			var end atomic.Bool
			done := make(chan int, 1)
			go exchange(dir, secret, other, &end, done)
			g := NewGuard(flow.Env{FS: host.FS(), Dir: t.TempDir()})
			d := openDir(t, dir)
			got := map[string]int{}
			for range 20_000 {
				got[look(t, g, d)]++
			}
			end.Store(true)
			swaps := <-done
			if got["secret"] > 0 || (got["mine"] > 0) != tt.own || got["refused"]+got["not regular"] == 0 || swaps < 100 {
				t.Errorf("%v in %d exchanges", got, swaps)
			}
		})
	}
}

// look opens and reads the file once.
func look(t *testing.T, g Guard, d flow.Dir) string {
	f, info, err := g.Open(d, "a")
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "missing"
	case errors.Is(err, flow.ErrNotRegular):
		return "not regular"
	case errors.Is(err, ErrRefused):
		return "refused"
	case err != nil:
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exchange puts one thing after the other under the name, as another user, until told to end. Its thread ends with it.
func exchange(dir, secret string, uid int, end *atomic.Bool, done chan<- int) {
	runtime.LockOSThread()
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		done <- 0
		return
	}
	_ = unix.Symlink(secret, filepath.Join(dir, "link"))
	_ = unix.Symlink("/dev/zero", filepath.Join(dir, "device"))
	_ = unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644)
	_ = unix.Mkdir(filepath.Join(dir, "folder"), 0o755)
	name, swaps := filepath.Join(dir, "a"), 0
	for !end.Load() {
		for _, what := range []string{"mine", "link", "hard", "fifo", "device", "folder"} {
			from := filepath.Join(dir, what)
			if unix.Rename(from, name) == nil && unix.Rename(name, from) == nil {
				swaps++
			}
		}
	}
	done <- swaps
}
