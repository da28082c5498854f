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
	r := providertest.Start(t, newSource(t, config(dir), env), out)
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

func TestAFileThatChangesWhileReadIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, _ := numbered(0, 30)
	full := put(t, dir, "a", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(1)
	r := providertest.Start(t, newSource(t, config(dir), env), out)
	out.Wait(10)
	f, err := os.OpenFile(full, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("more\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "b", "other\n")
	providertest.Until(t, "the other file is read", func() bool {
		out.Ack(-1, flow.Delivered)
		return slices.Contains(out.Bodies(), "other")
	})
	providertest.Until(t, "only the other file is renamed", func() bool {
		out.Ack(-1, flow.Delivered)
		return slices.Equal(names(t, dir), []string{"a", "b.COMPLETED"})
	})
	r.Stop()
	if s := env.Stats.Snapshot(); !strings.Contains(s.LastError, "changed while it was read") || s.Errors != 1 {
		t.Errorf("%d errors, the last one %q", s.Errors, s.LastError)
	}
	out, r = follow(t, config(dir), again(env))
	put(t, dir, "c", "third\n")
	out.Wait(1)
	r.Stop()
	equal(t, []string{"third"}, out.Bodies())
}

func TestAFileThatWasSetAsideGoesOnUnderAnotherName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	full := put(t, dir, "a", "1\n2\n")
	out, r := follow(t, cfg, env)
	out.Wait(2)
	providertest.Until(t, "the file is done", func() bool {
		keys := env.Positions.Keys()
		_, note, _ := env.Positions.Frontier(keys[0])
		return strings.Contains(string(note), `"state":"done"`)
	})
	f, _ := os.OpenFile(full, os.O_APPEND|os.O_WRONLY, 0)
	if _, err := f.WriteString("3\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	providertest.Until(t, "the file is set aside", func() bool {
		return strings.Contains(env.Stats.Snapshot().LastError, "is set aside")
	})
	if err := os.Rename(full, filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	out.Wait(3)
	r.Stop()
	equal(t, []string{"1", "2", "3"}, out.Bodies())
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
			r := providertest.Start(t, newSource(t, cfg, env), out)
			out.Wait(2)
			r.Stop()
			env.Positions, env.Stats = pos.Replaced(), &flow.Stats{}
			r = providertest.Start(t, newSource(t, cfg, env), out)
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
			r = providertest.Start(t, newSource(t, cfg, crashed), second)
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

// rewrite gives a file other content, without giving it another identity.
func rewrite(t testing.TB, full, text string) {
	t.Helper()
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
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

// A folder that may not be changed: the same file gets the next day's content, which begins with the same head.
func TestARememberedFileThatIsWrittenAnewIsReadAnew(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("the same head in each file\n", 50)
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprint("while down ", down), func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = "track"
			full := put(t, dir, "a", head+"monday\n")
			out, r := follow(t, cfg, env)
			out.Wait(51)
			untilDone(t, env, 1)
			if down {
				r.Stop()
				env = again(env)
			}
			rewrite(t, full, head+"tuesday, and more\n")
			if down {
				out, r = follow(t, cfg, env)
				out.Wait(51)
			} else {
				out.Wait(102)
			}
			untilDone(t, env, 1)
			r.Stop()
			if got := out.Bodies(); got[len(got)-1] != "tuesday, and more" {
				t.Errorf("the last event is %q", got[len(got)-1])
			}
			if n := env.Stats.Snapshot().Errors; n != 0 {
				t.Errorf("%d errors: %s", n, env.Stats.Snapshot().LastError)
			}
		})
	}
}

func TestARememberedFileThatGrowsIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	full := put(t, dir, "a", "1\n")
	out, r := follow(t, cfg, env)
	out.Wait(1)
	untilDone(t, env, 1)
	rewrite(t, full, "1\n2\n")
	providertest.Until(t, "the file is set aside", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "set aside") })
	put(t, dir, "b", "3\n")
	out.Wait(2)
	r.Stop()
	equal(t, []string{"1", "3"}, out.Bodies())
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

// Positions count bytes in one format and records in another: a file that was begun in one is begun anew in the other.
func TestAFileIsBegunAnewWhenTheFormatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, _ := numbered(0, 100)
	put(t, dir, "a", text)
	cfg := config(dir)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(2)
	r := providertest.Start(t, newSource(t, cfg, env), out)
	out.Wait(20)
	out.Ack(1, flow.Durable)
	out.Wait(30)
	r.Stop()
	out.Ack(-1, flow.Abandoned)
	env = again(env)
	cfg.Format = "whole"
	next, r := follow(t, cfg, env)
	next.Wait(1)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	if e := next.Events()[0]; e.Body != text || e.From != 0 {
		t.Errorf("%d bytes from %d, want all %d", len(e.Body), e.From, len(text))
	}
	if keys := env.Positions.Keys(); len(keys) != 0 {
		t.Errorf("keys are left: %v", keys)
	}
}

// What was set aside because the format was the wrong one is read once that is mended.
func TestAFileOfTheWrongFormatIsReadInTheRightOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Format = "avro"
	put(t, dir, "a", "1\n2\n")
	_, r := follow(t, cfg, env)
	providertest.Until(t, "the file is set aside", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "set aside") })
	r.Stop()
	cfg.Format = "line"
	out, r := follow(t, cfg, again(env))
	out.Wait(2)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}
