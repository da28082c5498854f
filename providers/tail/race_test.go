package tail

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// cutFS does something right after the first large read of a file, or the first listing of a folder.
type cutFS struct {
	flow.FS
	once   sync.Once
	cut    func()
	listed bool
	before func() // before a listing; nil: nothing
}

type cutDir struct {
	flow.Dir
	fs *cutFS
}

type cutFile struct {
	flow.File
	fs *cutFS
}

func (c *cutFS) OpenDir(path string) (flow.Dir, error) {
	d, err := c.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return &cutDir{d, c}, nil
}

func (d *cutDir) Open(name string) (flow.File, error) {
	f, err := d.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return &cutFile{f, d.fs}, nil
}

func (d *cutDir) ReadDir() ([]flow.Info, error) {
	if d.fs.before != nil {
		d.fs.before()
	}
	list, err := d.Dir.ReadDir()
	if d.fs.listed {
		d.fs.once.Do(d.fs.cut)
	}
	return list, err
}

func (f *cutFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if n > 2000 && !f.fs.listed && f.fs.cut != nil {
		f.fs.once.Do(f.fs.cut)
	}
	return n, err
}

func TestAFileThatIsCopiedAndCutWhileItIsReadIsReadOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	text, want := numbered(0, 200)
	more, bodies := numbered(500, 20)
	appendTo(t, name, text)
	env := providertest.Env(t)
	env.FS = &cutFS{FS: env.FS, cut: func() {
		appendTo(t, name+".1", text)
		if err := os.Truncate(name, 0); err != nil {
			t.Error(err)
		}
		appendTo(t, name, more)
	}}
	out, r := follow(t, config(name+"*"), env)
	out.Wait(220)
	untilDecided(t, env, 2)
	r.Stop()
	equal(t, append(want, bodies...), out.Bodies())
}

func TestAFileThatWasCutBeforeItsFirstAcknowledgementKeepsItsKey(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	text, want := numbered(0, 20)
	appendTo(t, name, text)
	env := providertest.Env(t)
	pos := env.Positions.(*providertest.Positions)
	out := providertest.NewOut(t, pos).Hold(10)
	r := providertest.Start(t, providertest.Make(t, New, config(name+"*"), env), out)
	out.Wait(20)
	env.Positions = pos.Killed()
	before := out.Events()[0].Key
	out.Ack(-1, flow.Durable)
	r.Stop()

	appendTo(t, name+".1", text)
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	out, r = follow(t, config(name+"*"), env)
	out.Wait(20)
	r.Stop()
	equal(t, want, out.Bodies())
	if got := out.Events()[0].Key; got != before {
		t.Error("the copy has another key: a channel that holds the lines takes them once more")
	}
}

func TestFilesThatAreRenamedWhileTheyAreLookedForAreReadOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{filepath.Join(dir, "app.1.gz"), filepath.Join(dir, "app.2.gz"), filepath.Join(dir, "app.3.gz")}
	for i, name := range []string{names[1], names[0]} { // the older one first
		text, _ := numbered(100*i, 100)
		appendTo(t, name, string(pack(t, name, text)))
		if err := os.Chtimes(name, time.Time{}, time.Now().Add(time.Duration(i-2)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	env := providertest.Env(t)
	out, r := follow(t, config(dir+"/*.gz"), env)
	out.Wait(200)
	r.Stop()

	env = again(env)
	env.FS = &cutFS{FS: env.FS, listed: true, cut: func() {
		rename(t, names[1], names[2])
		rename(t, names[0], names[1])
	}}
	out = providertest.NewOut(t, env.Positions.(*providertest.Positions))
	s := providertest.Make(t, New, config(dir+"/*.gz"), env).(*Source)
	r = providertest.Start(t, s, out)
	untilDecided(t, env, 2)
	r.Stop()
	equal(t, []string{}, out.Bodies())
	if len(s.order) != 2 || len(s.files) != 2 {
		t.Errorf("%d files are read, of %d that are known", len(s.order), len(s.files))
	}
}

func TestACopyInTheInodeOfAFileThatWasFollowedIsNotReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	text, want := numbered(0, 20)
	other, others := numbered(50, 5)
	more, bodies := numbered(100, 30)
	appendTo(t, path("app.log"), text)
	appendTo(t, path("other.log"), other)
	env := providertest.Env(t)
	var armed atomic.Bool
	env.FS = &cutFS{FS: env.FS, before: func() {
		if !armed.CompareAndSwap(true, false) {
			return
		}
		rename(t, path("old.log"), path("app.1.log")) // the file is gone, and the copy has its inode
		if err := errors.Join(os.Truncate(path("app.1.log"), 0), os.Truncate(path("app.log"), 0)); err != nil {
			t.Error(err)
		}
		appendTo(t, path("app.1.log"), text)
		appendTo(t, path("app.log"), more)
	}}
	out, r := follow(t, config(dir+"/*.log"), env)
	out.Wait(25)
	rename(t, path("other.log"), path("old.log"))
	providertest.Until(t, "it is quiet and closed", func() bool { return !isOpen(path("old.log")) })
	armed.Store(true)
	appendTo(t, path("x"), "") // the folder is looked at
	out.Wait(55)
	untilDecided(t, env, 2)
	r.Stop()
	equal(t, sorted(slices.Concat(want, others, bodies)), sorted(out.Bodies()))
	for _, e := range out.Events() {
		if e.Body == bodies[0] && e.File != path("app.log") {
			t.Errorf("%q is said to be of %s", e.Body, e.File)
		}
	}
}

func TestALogInTheInodeOfACompressedFileIsRead(t *testing.T) {
	t.Parallel()
	for name, live := range map[string]string{"under another name": "app.log", "under the same name": "app.2.gz"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := func(name string) string { return filepath.Join(dir, name) }
			text, want := numbered(0, 20)
			more, bodies := numbered(100, 30)
			appendTo(t, path("app.1.gz"), string(pack(t, ".gz", text)))
			env := providertest.Env(t)
			var armed atomic.Bool
			env.FS = &cutFS{FS: env.FS, before: func() {
				if !armed.CompareAndSwap(true, false) {
					return
				}
				rename(t, path("app.2.gz"), path(live)) // the oldest is gone, and the new log has its inode
				if err := os.Truncate(path(live), 0); err != nil {
					t.Error(err)
				}
				appendTo(t, path(live), more)
			}}
			out, r := follow(t, config(dir+"/app*"), env)
			out.Wait(20)
			rename(t, path("app.1.gz"), path("app.2.gz"))
			providertest.Until(t, "it is quiet and closed", func() bool { return !isOpen(path("app.2.gz")) })
			armed.Store(true)
			appendTo(t, path("x"), "") // the folder is looked at
			out.Wait(50)
			r.Stop()
			equal(t, append(want, bodies...), out.Bodies())
		})
	}
}
