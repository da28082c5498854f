package tail

import (
	"os"
	"path/filepath"
	"sync"
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
	list, err := d.Dir.ReadDir()
	if d.fs.listed {
		d.fs.once.Do(d.fs.cut)
	}
	return list, err
}

func (f *cutFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if n > 2000 && !f.fs.listed {
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
