package sim_test

import (
	"io/fs"
	"strings"
	"sync"

	"collect/runtime/flow"
)

// lazily makes a disk that does not do some operations and says that it did.
func lazily(skip func(op, path string) bool) func(flow.FS) flow.FS {
	return func(f flow.FS) flow.FS { return lazyFS{FS: f, skip: skip} }
}

type lazyFS struct {
	flow.FS
	skip func(op, path string) bool
	bad  func(op string) bool                       // failures that are not taken for what they are
	late func(path string, sync func() error) error // syncs in place of the file; nil: the file does
}

// badly makes a disk whose failed writes pass for whole ones, and whose failed syncs are tried again.
func badly(bad func(op string) bool) func(flow.FS) flow.FS {
	return func(f flow.FS) flow.FS {
		return lazyFS{FS: f, skip: func(string, string) bool { return false }, bad: bad}
	}
}

// later makes a disk that syncs the channel's files only when settle is called, and from then on as it should.
func later(f flow.FS) flow.FS {
	l := &laterFS{}
	l.lazyFS = lazyFS{FS: f, skip: func(string, string) bool { return false }, late: l.sync}
	return l
}

type laterFS struct {
	lazyFS

	mu      sync.Mutex // guards all below
	settled bool
	waiting []func() error
}

func (l *laterFS) sync(path string, sync func() error) error {
	l.mu.Lock()
	wait := !l.settled && strings.HasPrefix(path, "/data/channel")
	if wait {
		l.waiting = append(l.waiting, sync)
	}
	l.mu.Unlock()
	if wait {
		return nil
	}
	return sync()
}

func (l *laterFS) settle() {
	l.mu.Lock()
	waiting := l.waiting
	l.settled, l.waiting = true, nil
	l.mu.Unlock()
	for _, sync := range waiting {
		_ = sync() // too late to tell anybody
	}
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
	if f.fs.late != nil {
		return f.fs.late(f.path, f.File.Sync)
	}
	err := f.File.Sync()
	if err != nil && f.fs.bad != nil && f.fs.bad("sync") {
		err = f.File.Sync()
	}
	return err
}

func (f *lazyFile) WriteVec(off int64, bufs [][]byte) error {
	err := f.File.WriteVec(off, bufs)
	if err != nil && f.fs.bad != nil && f.fs.bad("write") {
		return nil
	}
	return err
}
