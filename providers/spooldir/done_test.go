package spooldir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestAFileIsRenamedWhenItsLastEventIsAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, bodies := numbered(0, 25)
	put(t, dir, "a.txt", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(100)
	r := providertest.Start(t, providertest.Make(t, New, config(dir), env), out)
	out.Wait(25)
	out.Ack(2, flow.Durable)
	put(t, dir, "b.txt", "later\n") // is read meanwhile
	out.Wait(26)
	if got := names(t, dir); !slices.Equal(got, []string{"a.txt", "b.txt"}) {
		t.Errorf("the folder holds %v before all is acknowledged", got)
	}
	out.Ack(-1, flow.Delivered)
	untilNames(t, dir, "a.txt.COMPLETED", "b.txt.COMPLETED")
	r.Stop()
	equal(t, append(bodies, "later"), out.Bodies())
	if keys := env.Positions.Keys(); len(keys) != 0 {
		t.Errorf("positions of finished files are kept: %v", keys)
	}
}

func TestDone(t *testing.T) {
	t.Parallel()
	for done, want := range map[string][]string{"rename": {"a.COMPLETED"}, "delete": nil, "track": {"a"}} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a", "1\n2\n")
			out, r := follow(t, cfg, env)
			out.Wait(2)
			untilNames(t, dir, want...)
			r.Stop()
			env = again(env)
			put(t, dir, "b", "3\n")
			out, r = follow(t, cfg, env)
			out.Wait(1)
			r.Stop()
			equal(t, []string{"3"}, out.Bodies())
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "a.COMPLETED", "precious")
	put(t, dir, "a", "1\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(1)
	untilNames(t, dir, "a.1.COMPLETED", "a.COMPLETED")
	r.Stop()
	if raw, err := os.ReadFile(filepath.Join(dir, "a.COMPLETED")); err != nil || string(raw) != "precious" {
		t.Errorf("the file that had the name holds %q (%v)", raw, err)
	}
}

func TestASourceThatReplacesAnotherCompletesOnlyWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	for _, done := range []string{"rename", "delete", "track"} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a.txt", "1\n2\n")
			pos := env.Positions.(*providertest.Positions)
			out := providertest.NewOut(t, pos).Hold(100)
			r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
			out.Wait(2)
			r.Stop()
			env.Positions, env.Stats = pos.Replaced(), &flow.Stats{}
			r = providertest.Start(t, providertest.Make(t, New, cfg, env), out)
			put(t, dir, "b.txt", "3\n")
			out.Wait(3) // it has looked at everything
			put(t, dir, "c.txt", "4\n")
			out.Wait(4)
			if got := names(t, dir); !slices.Equal(got, []string{"a.txt", "b.txt", "c.txt"}) {
				t.Errorf("nothing is acknowledged, and the folder holds %v", got)
			}
			r.Stop()
			crashed := env // what nobody acknowledged comes again
			crashed.Positions = pos.Stopped()
			second := providertest.NewOut(t, crashed.Positions.(*providertest.Positions))
			r = providertest.Start(t, providertest.Make(t, New, cfg, crashed), second)
			second.Wait(4)
			r.Stop()
			equal(t, []string{"1", "2", "3", "4"}, second.Bodies())
			out.Ack(-1, flow.Delivered)
		})
	}
}

// orderFS calls a function before directories are synced.
type orderFS struct {
	flow.FS
	sync func() error
}

func (f orderFS) OpenDir(p string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(p)
	return orderDir{d, f}, err
}

type orderDir struct {
	flow.Dir
	fs orderFS
}

func (d orderDir) RenameNew(name string, _ flow.Dir, newName string) error {
	return d.Dir.RenameNew(name, d.Dir, newName)
}

func (d orderDir) Sync() error {
	if err := d.fs.sync(); err != nil {
		return err
	}
	return d.Dir.Sync()
}

// A power cut may undo a rename that is not durable. Then the file is there again, and its key must be known.
func TestAKeyIsForgottenOnlyWhenTheRenameIsDurable(t *testing.T) {
	t.Parallel()
	for _, done := range []string{"rename", "delete"} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			pos := env.Positions.(*providertest.Positions)
			var syncs, early atomic.Int32
			env.FS = orderFS{env.FS, func() error {
				if syncs.Add(1); len(pos.Keys()) == 0 {
					early.Add(1)
				}
				return nil
			}}
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a.txt", "1\n2\n")
			_, r := follow(t, cfg, env)
			providertest.Until(t, "the key is forgotten", func() bool { return syncs.Load() > 0 && len(pos.Keys()) == 0 })
			r.Stop()
			if early.Load() > 0 {
				t.Error("the key was forgotten before the change of the folder was durable")
			}
		})
	}
}

func untilDone(t testing.TB, env flow.Env, files int) {
	t.Helper()
	providertest.Until(t, fmt.Sprint(files, " files are remembered as done"), func() bool {
		done := 0
		for _, key := range env.Positions.Keys() {
			if _, note, _ := env.Positions.Frontier(key); strings.Contains(string(note), `"state":"done"`) {
				done++
			}
		}
		return done == files
	})
}

func TestAFileThatCannotBeRenamedIsReadOnceAndRenamedLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	var broken atomic.Bool
	broken.Store(true)
	env.FS = renameFS{env.FS, &broken}
	put(t, dir, "a", "1\n")
	out, r := follow(t, config(dir), env)
	providertest.Until(t, "the error is told", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "complete "+dir+"/a") })
	r.Stop()
	env = again(env)
	next, r := follow(t, config(dir), env)
	broken.Store(false)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"1"}, append(out.Bodies(), next.Bodies()...))
}

// renameFS cannot rename as long as broken.
type renameFS struct {
	flow.FS
	broken *atomic.Bool
}

func (f renameFS) OpenDir(p string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(p)
	return renameDir{d, f.broken}, err
}

type renameDir struct {
	flow.Dir
	broken *atomic.Bool
}

func (d renameDir) RenameNew(name string, _ flow.Dir, newName string) error {
	if d.broken.Load() {
		return &fs.PathError{Op: "rename", Path: name, Err: syscall.EROFS}
	}
	return d.Dir.RenameNew(name, d.Dir, newName)
}
