package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) flow.Dir {
	t.Helper()
	d, err := host.FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	if err := os.WriteFile(filepath.Join(path, "real"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(path, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"real": nil, "link": flow.ErrNotRegular, "fifo": flow.ErrNotRegular, "folder": flow.ErrNotRegular,
		"none": fs.ErrNotExist, "../x": fs.ErrInvalid, "..": fs.ErrInvalid, "": fs.ErrInvalid, "a\x00b": fs.ErrInvalid,
	} {
		for how, opener := range map[string]func() (flow.File, error){
			"read":  func() (flow.File, error) { return d.Open(name) },
			"write": func() (flow.File, error) { return d.OpenWrite(name, false, 0) },
		} {
			f, err := opener()
			if !errors.Is(err, want) {
				t.Errorf("%s %q: got %v, want %v", how, name, err, want)
			}
			if err == nil {
				_ = f.Close()
				continue
			}
			var pe *fs.PathError
			if !errors.As(err, &pe) || !strings.HasPrefix(pe.Path, path) {
				t.Errorf("%s %q: %v does not name the full path", how, name, err)
			}
		}
	}
}

func TestCreatingInARemovedDirectoryIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone")
	if err := host.FS().MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := host.FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.OpenWrite("f", true, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestPermissionsDoNotDependOnUmask(t *testing.T) {
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil { // the test's folder suffered from the umask too
		t.Fatal(err)
	}
	d := open(t, path)
	f, err := d.Create("f", 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.Mkdir("d", 0o750); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"f": 0o644, "d": 0o750 | fs.ModeDir} {
		if fi, err := d.Stat(name); err != nil || fi.Mode != want {
			t.Errorf("%s: got %v %v, want %v", name, fi.Mode, err, want)
		}
	}
}

func TestWriteVecWritesAllBuffersInOrder(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	f, err := d.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var bufs [][]byte
	var want []byte
	for i := range 2500 { // more than the kernel takes at once
		b := bytes.Repeat([]byte{byte(i)}, i%7)
		bufs, want = append(bufs, b), append(want, b...)
	}
	if err := f.WriteVec(10, bufs); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 10); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if len(bufs[1]) != 1 {
		t.Error("the caller's list of buffers was changed")
	}
}

func TestAllocateGrowsTheFileAndKeepsItsContent(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	f, err := d.OpenWrite("f", true, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Allocate(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	if fi, err := f.Stat(); err != nil || fi.Size != 1<<20 {
		t.Errorf("size %d, %v", fi.Size, err)
	}
	got := make([]byte, 4)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "abc\x00" {
		t.Errorf("got %q %v", got, err)
	}
	if err := errors.Join(f.Sync(), f.Truncate(3)); err != nil {
		t.Fatal(err)
	}
	if n, err := f.ReadAt(got, 0); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("after truncating: %d %v", n, err)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	if err := d.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	sub, err := d.OpenDir("sub")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for _, n := range []string{"a", "b"} {
		f, err := d.Create(n, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	if err := d.RenameNew("a", d, "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto an existing name: got %v, want ErrExist", err)
	}
	if err := d.RenameNew("a", sub, "c"); err != nil {
		t.Error(err)
	}
	if err := d.Rename("b", sub, "c"); err != nil {
		t.Error(err)
	}
	if err := sub.Rename("c", d, "../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("out of the folder: got %v, want ErrInvalid", err)
	}
	infos, err := sub.ReadDir()
	if err != nil || len(infos) != 1 || infos[0].Name != "c" {
		t.Errorf("got %v %v", infos, err)
	}
}

func TestReadDirIsSortedAndRepeatable(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	for _, n := range []string{"z", "a", "m"} {
		f, err := d.Create(n, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	for range 2 {
		infos, err := d.ReadDir()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, i := range infos {
			got += i.Name
		}
		if got != "amz" {
			t.Errorf("got %q, want amz", got)
		}
	}
	if _, err := d.Create("a", 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create again: got %v, want ErrExist", err)
	}
	if err := errors.Join(d.Remove("a"), d.Sync()); err != nil {
		t.Error(err)
	}
	if free, err := d.Free(); err != nil || free <= 0 {
		t.Errorf("free: %d %v", free, err)
	}
}

func TestMkdirAllMakesOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	path := filepath.Join(base, "a", "b", "c")
	for range 2 {
		if err := host.FS().MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("got %v %v", fi, err)
	}
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := host.FS().MkdirAll(filepath.Join(base, "file", "x"), 0o700); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: got %v, want ENOTDIR", err)
	}
	if err := host.FS().MkdirAll("relative", 0o700); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("relative: got %v", err)
	}
}

func TestLockConflictsWithinAProcess(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	first, err := d.OpenWrite("lock", true, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.OpenWrite("lock", true, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if ok, err := first.Lock(); !ok || err != nil {
		t.Fatalf("first: %v %v", ok, err)
	}
	if ok, err := second.Lock(); ok || err != nil {
		t.Fatalf("second while the first is open: %v %v", ok, err)
	}
	_ = first.Close()
	if ok, err := second.Lock(); !ok || err != nil {
		t.Fatalf("second after the first closed: %v %v", ok, err)
	}
	if err := first.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("sync of a closed file: got %v, want ErrClosed", err)
	}
}

func TestWatchHintsAtChanges(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	w, err := host.FS().Watch()
	if err != nil {
		t.Skip("no inotify here:", err)
	}
	if err := w.Add(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := os.WriteFile(filepath.Join(path, "new"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(ctx); err != nil {
		t.Error("no hint:", err)
	}
	if err := errors.Join(w.Remove(path), w.Close()); err != nil {
		t.Error(err)
	}
	for err == nil { // a hint may be left over
		err = w.Wait(ctx)
	}
	if !errors.Is(err, flow.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}

func TestNetAndRand(t *testing.T) {
	t.Parallel()
	l, err := host.Net().Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := host.Net().Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Close(), l.Close()
	p, err := host.Net().ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	var a, b [16]byte
	host.Rand().Read(a[:])
	host.Rand().Read(b[:])
	first, second := host.Rand().Uint64(), host.Rand().Uint64()
	if a == b || first == second {
		t.Error("random numbers repeat")
	}
}
