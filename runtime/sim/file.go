package sim

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"collect/runtime/flow"
)

// file is an open file.
type file struct {
	d    *Disk
	life int
	n    *node
	name string
	path string
}

func (f *file) Name() string { return f.name }

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.d.begin(f.life, "read", f.path); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.write(off, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *file) WriteVec(off int64, bufs [][]byte) error {
	var all []byte
	for _, b := range bufs {
		all = append(all, b...)
	}
	return f.write(off, all)
}

// write writes; one that fails may have written a part.
func (f *file) write(off int64, p []byte) error {
	err := f.d.begin(f.life, "write", f.path)
	if errors.Is(err, ErrCrashed) {
		return err
	}
	if err != nil {
		f.d.mu.Lock()
		defer f.d.mu.Unlock()
		if f.d.life == f.life && len(p) > 0 {
			_ = f.fill(off, p[:f.d.rand.IntN(len(p))]) // it fails in any case
		}
		return err
	}
	defer f.d.mu.Unlock()
	return f.fill(off, p)
}

// fill writes what there is room for. The caller holds the lock.
func (f *file) fill(off int64, p []byte) error {
	size := int64(len(f.n.data))
	grow := off + int64(len(p)) - size
	if short := grow - f.d.take(grow); grow > 0 && short > 0 {
		if fits := int64(len(p)) - short; fits > 0 {
			f.n.write(off, p[:fits])
		}
		return &fs.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
	}
	f.n.write(off, p)
	return nil
}

func (f *file) Allocate(off, n int64) error {
	if err := f.d.begin(f.life, "allocate", f.path); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if off+n <= int64(len(f.n.data)) {
		return nil
	}
	if grow := off + n - int64(len(f.n.data)); f.d.take(grow) < grow {
		return &fs.PathError{Op: "allocate", Path: f.path, Err: syscall.ENOSPC}
	}
	f.n.resize(off + n)
	return nil
}

func (f *file) Sync() error {
	err := f.d.begin(f.life, "sync", f.path)
	var held *heldError
	if errors.As(err, &held) {
		f.n.syncFailed()
		f.d.mu.Unlock()
		return held.error
	}
	if err != nil {
		return err
	}
	f.n.sync()
	f.d.mu.Unlock()
	return nil
}

func (f *file) Truncate(size int64) error {
	if err := f.d.begin(f.life, "write", f.path); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	now := int64(len(f.n.data))
	if f.d.take(size-now) < size-now {
		return &fs.PathError{Op: "truncate", Path: f.path, Err: syscall.ENOSPC}
	}
	if size < now { // what comes after the cut is lost only when the cut is durable
		f.n.touch(size, now-size)
	}
	f.n.resize(size)
	return nil
}

func (f *file) Stat() (flow.Info, error) {
	if err := f.d.begin(f.life, "stat", f.path); err != nil {
		return flow.Info{}, err
	}
	defer f.d.mu.Unlock()
	return info(f.name, f.n), nil
}

func (f *file) Lock() (bool, error) {
	if err := f.d.begin(f.life, "lock", f.path); err != nil {
		return false, err
	}
	defer f.d.mu.Unlock()
	if f.n.lock != nil && f.n.lock != f {
		return false, nil
	}
	f.n.lock = f
	return true, nil
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.n.lock == f {
		f.n.lock = nil
	}
	return nil
}
