package tail

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// cutFS does something right after the first large read of a file.
type cutFS struct {
	flow.FS
	once sync.Once
	cut  func()
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

func (f *cutFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if n > 2000 {
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
