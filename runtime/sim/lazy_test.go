package sim_test

import (
	"io/fs"

	"collect/runtime/flow"
)

// lazily makes a disk that does not do some operations and says that it did.
func lazily(skip func(op, path string) bool) func(flow.FS) flow.FS {
	return func(f flow.FS) flow.FS { return lazyFS{FS: f, skip: skip} }
}

type lazyFS struct {
	flow.FS
	skip func(op, path string) bool
}

func (f lazyFS) OpenDir(path string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return &lazyDir{d, f}, nil
}

type lazyDir struct {
	flow.Dir
	fs lazyFS
}

func (d *lazyDir) Unwrap() flow.Dir { return d.Dir }

func (d *lazyDir) Sync() error {
	if d.fs.skip("syncdir", d.Path()) {
		return nil
	}
	return d.Dir.Sync()
}

func (d *lazyDir) Remove(name string) error {
	if d.fs.skip("remove", d.Path()+"/"+name) {
		return nil
	}
	return d.Dir.Remove(name)
}

func (d *lazyDir) file(f flow.File, name string, err error) (flow.File, error) {
	if err != nil {
		return nil, err
	}
	return &lazyFile{f, d.Path() + "/" + name, d.fs}, nil
}

func (d *lazyDir) Open(name string) (flow.File, error) {
	f, err := d.Dir.Open(name)
	return d.file(f, name, err)
}

func (d *lazyDir) OpenWrite(name string, create bool, perm fs.FileMode) (flow.File, error) {
	f, err := d.Dir.OpenWrite(name, create, perm)
	return d.file(f, name, err)
}

func (d *lazyDir) Create(name string, perm fs.FileMode) (flow.File, error) {
	f, err := d.Dir.Create(name, perm)
	return d.file(f, name, err)
}

func (d *lazyDir) OpenDir(name string) (flow.Dir, error) {
	sub, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &lazyDir{sub, d.fs}, nil
}

type lazyFile struct {
	flow.File
	path string
	fs   lazyFS
}

func (f *lazyFile) Sync() error {
	if f.fs.skip("sync", f.path) {
		return nil
	}
	return f.File.Sync()
}
