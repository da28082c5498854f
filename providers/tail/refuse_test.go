package tail

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"collect/providers/internal/watched"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestWhatIsNoRegularFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	appendTo(t, secret, "secret\n")
	if err := os.Symlink(secret, filepath.Join(dir, "link.log")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "a.log"), "good\n")
	out, r := follow(t, config(dir+"/*.log"), providertest.Env(t))
	out.Wait(1)
	appendTo(t, filepath.Join(dir, "a.log"), "more\n")
	out.Wait(2)
	r.Stop()
	equal(t, []string{"good", "more"}, out.Bodies())
}

func TestForeignFilesInSharedFoldersAreRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // that is the case under test
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	appendTo(t, secret, "secret\n")
	if err := os.Link(secret, filepath.Join(dir, "hard.log")); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "foreign.log"), "foreign\n")
	if err := os.Chown(filepath.Join(dir, "foreign.log"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "own.log"), "own\n")
	env := providertest.Env(t)
	out, r := follow(t, config(dir+"/*.log"), env)
	out.Wait(1)
	providertest.Until(t, "both refusals are reported", func() bool { return env.Stats.Snapshot().Errors == 2 })
	r.Stop()
	equal(t, []string{"own"}, out.Bodies())
}

func TestAFileSwappedForALinkGivesNoForeignByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	secret := filepath.Join(t.TempDir(), "secret")
	appendTo(t, secret, "secret\n")
	out, r := follow(t, config(dir+"/*.log"), providertest.Env(t))
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		appendTo(t, name, "own\n")
		remove(t, name)
		if err := os.Symlink(secret, name); err != nil {
			t.Fatal(err)
		}
		remove(t, name)
	}
	r.Stop()
	if slices.Contains(out.Bodies(), "secret") {
		t.Error("the file behind the link was read")
	}
}

// faultyFS fails some operations.
type faultyFS struct {
	flow.FS
	open, read atomic.Int32 // how many more times they fail
	skip       atomic.Int32 // how many reads work before
}

func (f *faultyFS) OpenDir(name string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(name)
	return &faultyDir{d, f}, err
}

type faultyDir struct {
	flow.Dir
	fs *faultyFS
}

func (d *faultyDir) Open(name string) (flow.File, error) {
	if d.fs.open.Add(-1) >= 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	f, err := d.Dir.Open(name)
	return &faultyFile{f, d.fs}, err
}

type faultyFile struct {
	flow.File
	fs *faultyFS
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fs.skip.Add(-1) < 0 && f.fs.read.Add(-1) >= 0 {
		return 0, &fs.PathError{Op: "read", Path: "x", Err: syscall.ESTALE}
	}
	return f.File.ReadAt(p, off)
}

func TestAFileThatCannotBeReadIsPickedUpLater(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	env := providertest.Env(t)
	faulty := &faultyFS{FS: env.FS}
	env.FS = faulty
	faulty.open.Store(3)
	text, want := numbered(0, 100)
	appendTo(t, name, text)
	out, r := follow(t, config(name), env)
	providertest.Until(t, "the file can be opened", func() bool {
		appendTo(t, filepath.Dir(name)+"/other", "") // so that the folder is looked at again
		_ = os.Remove(filepath.Dir(name) + "/other")
		return faulty.open.Load() < 0
	})
	out.Wait(100)
	if n := env.Stats.Snapshot().Errors; n != 1 {
		t.Errorf("%d errors were reported, want one", n)
	}
	faulty.read.Store(3)
	text, bodies := numbered(100, 100)
	appendTo(t, name, text)
	out.Wait(200)
	r.Stop()
	equal(t, append(want, bodies...), out.Bodies())
}

// Whichever read fails when a file is found again: it goes on where it was, and is not taken for a new one.
func TestAFileThatCannotBeReadAfterAStartGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for works := range int32(6) {
		t.Run(fmt.Sprint(works, " reads work"), func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "app.log")
			env := providertest.Env(t)
			text, _ := numbered(0, 100)
			appendTo(t, name, text)
			out, r := follow(t, config(name), env)
			out.Wait(100)
			r.Stop()
			text, want := numbered(100, 100)
			appendTo(t, name, text)
			env = again(env)
			faulty := &faultyFS{FS: env.FS}
			faulty.skip.Store(works)
			faulty.read.Store(1)
			env.FS = faulty
			out, r = follow(t, config(name), env)
			out.Wait(100)
			r.Stop()
			equal(t, want, out.Bodies())
		})
	}
}

// A file that was moved away is only reachable by its open handle: a read error must not make us let go of it.
func TestAReadErrorDoesNotLoseAFileThatWasMovedAway(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	faulty := &faultyFS{FS: env.FS}
	env.FS = faulty
	text, want := numbered(0, 100)
	appendTo(t, name, text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(1)
	r := providertest.Start(t, providertest.Make(t, New, config(name), env), out)
	out.Wait(10) // and the next batch waits for room
	rename(t, name, name+".old")
	faulty.read.Store(2)
	providertest.Until(t, "the rest is read", func() bool {
		out.Ack(-1, flow.Durable)
		return len(out.Bodies()) >= 100
	})
	r.Stop()
	equal(t, want, out.Bodies())
}

// Whatever cannot be read at first: when the first event of a file is emitted, what the file is known by is durable.
func TestAFileIsKnownBeforeItsFirstEvent(t *testing.T) {
	t.Parallel()
	for fails := range int32(5) {
		t.Run(fmt.Sprint(fails, " reads fail"), func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "app.log")
			env := providertest.Env(t)
			faulty := &faultyFS{FS: env.FS}
			env.FS = faulty
			faulty.read.Store(fails)
			text, want := numbered(0, 100)
			appendTo(t, name, text)
			pos := env.Positions.(*providertest.Positions)
			out := providertest.NewOut(t, pos).Hold(1)
			r := providertest.Start(t, providertest.Make(t, New, config(name), env), out)
			out.Wait(100)
			saved := pos.Killed()
			out.Ack(-1, flow.Durable)
			r.Stop()
			equal(t, want, out.Bodies())
			for _, key := range saved.Keys() {
				_, raw, _ := saved.Frontier(key)
				if note, err := watched.DecodeNote(raw); err != nil || !note.Distinctive() {
					t.Errorf("the note is %s (%v)", raw, err)
				}
			}
		})
	}
}
