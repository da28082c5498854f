package tail

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// handlesFS counts the files that are open.
type handlesFS struct {
	flow.FS
	open, most *atomic.Int32
}

func (f handlesFS) OpenDir(name string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(name)
	return handlesDir{d, f}, err
}

type handlesDir struct {
	flow.Dir
	fs handlesFS
}

func (d handlesDir) Open(name string) (flow.File, error) {
	f, err := d.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	n := d.fs.open.Add(1)
	for most := d.fs.most.Load(); n > most && !d.fs.most.CompareAndSwap(most, n); most = d.fs.most.Load() {
	}
	return handlesFile{f, d.fs}, nil
}

type handlesFile struct {
	flow.File
	fs handlesFS
}

func (f handlesFile) Close() error {
	f.fs.open.Add(-1)
	return f.File.Close()
}

// Ten thousand files must not take ten thousand handles: sockets and disk channels need some, too.
func TestManyFilesTakeFewHandles(t *testing.T) {
	t.Parallel()
	const files, limit, rotated = 150, 40, 20
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 100
	counted := handlesFS{env.FS, &atomic.Int32{}, &atomic.Int32{}}
	env.FS = counted
	var want []string
	add := func(files int) {
		for i := range files {
			text, bodies := numbered(len(want), 3)
			want = append(want, bodies...)
			appendTo(t, filepath.Join(dir, fmt.Sprintf("%03d.log", i)), text)
		}
	}
	add(files)
	src := providertest.Make(t, New, config(dir+"/*.log"), env).(*Source)
	src.maxOpen = limit
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	r := providertest.Start(t, src, out)
	out.Wait(len(want))
	add(files)
	out.Wait(len(want))
	rename(t, filepath.Join(dir, "007.log"), filepath.Join(dir, "renamed.log"))
	add(files)
	out.Wait(len(want))
	for i := range rotated { // out of the patterns, with what was written just before
		text, bodies := numbered(len(want), 3)
		want = append(want, bodies...)
		appendTo(t, filepath.Join(dir, fmt.Sprintf("%03d.log", i)), text)
		rename(t, filepath.Join(dir, fmt.Sprintf("%03d.log", i)), filepath.Join(dir, fmt.Sprintf("%03d.old", i)))
	}
	add(files)
	out.Wait(len(want))
	r.Stop()
	got := out.Bodies()
	slices.Sort(got)
	equal(t, want, got)
	if n := counted.most.Load(); n > limit+rotated+5 {
		t.Errorf("%d files were open at once, %d are allowed", n, limit)
	}
	if n := counted.open.Load(); n != 0 {
		t.Errorf("%d handles were left open", n)
	}
}
