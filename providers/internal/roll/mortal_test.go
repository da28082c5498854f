package roll

import (
	"errors"
	"io/fs"
	"sync"

	"collect/runtime/flow"
)

var errDead = errors.New("the process is dead")

// mortal is a file layer that works until its n-th change; that one is done by half, and from then on nothing is. It is what a kill
// at that moment leaves.
type mortal struct {
	flow.FS
	mu    sync.Mutex // guards all below
	left  int
	ended bool
	died  chan struct{}
	sync  bool // a kill loses nothing that was not synced, so without a power cut syncing would only take time
}

// step counts a change. half says that this is the last one.
func (m *mortal) step() (half bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left <= 0 {
		if !m.ended {
			m.ended = true
			close(m.died)
		}
		return false, errDead
	}
	m.left--
	return m.left == 0, nil
}

func (m *mortal) OpenDir(p string) (flow.Dir, error) {
	d, err := m.FS.OpenDir(p)
	return mortalDir{d, m}, err
}

func (m *mortal) MkdirAll(p string, perm fs.FileMode) error {
	if _, err := m.step(); err != nil {
		return err
	}
	return m.FS.MkdirAll(p, perm)
}

type mortalDir struct {
	flow.Dir
	m *mortal
}

func (d mortalDir) OpenDir(n string) (flow.Dir, error) {
	s, err := d.Dir.OpenDir(n)
	return mortalDir{s, d.m}, err
}

func (d mortalDir) Mkdir(n string, perm fs.FileMode) error {
	if _, err := d.m.step(); err != nil {
		return err
	}
	return d.Dir.Mkdir(n, perm)
}

func (d mortalDir) file(f flow.File, err error) (flow.File, error) {
	if err != nil {
		return nil, err
	}
	return mortalFile{f, d.m}, nil
}

func (d mortalDir) Create(n string, perm fs.FileMode) (flow.File, error) {
	if _, err := d.m.step(); err != nil {
		return nil, err
	}
	return d.file(d.Dir.Create(n, perm))
}

func (d mortalDir) OpenWrite(n string, create bool, perm fs.FileMode) (flow.File, error) {
	return d.file(d.Dir.OpenWrite(n, create, perm))
}

func (d mortalDir) Rename(n string, to flow.Dir, nn string) error {
	if _, err := d.m.step(); err != nil {
		return err
	}
	return d.Dir.Rename(n, to.(mortalDir).Dir, nn)
}

func (d mortalDir) RenameNew(n string, to flow.Dir, nn string) error {
	if _, err := d.m.step(); err != nil {
		return err
	}
	return d.Dir.RenameNew(n, to.(mortalDir).Dir, nn)
}

func (d mortalDir) Remove(n string) error {
	if _, err := d.m.step(); err != nil {
		return err
	}
	return d.Dir.Remove(n)
}

func (d mortalDir) Sync() error {
	if _, err := d.m.step(); err != nil || !d.m.sync {
		return err
	}
	return d.Dir.Sync()
}

type mortalFile struct {
	flow.File
	m *mortal
}

func (f mortalFile) WriteAt(p []byte, off int64) (int, error) {
	half, err := f.m.step()
	if err != nil {
		return 0, err
	}
	if half {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, errDead
	}
	return f.File.WriteAt(p, off)
}

func (f mortalFile) WriteVec(off int64, bufs [][]byte) error {
	half, err := f.m.step()
	if err != nil {
		return err
	}
	if half && len(bufs) > 0 {
		_, _ = f.File.WriteAt(bufs[0][:len(bufs[0])/2], off)
		return errDead
	}
	return f.File.WriteVec(off, bufs)
}

func (f mortalFile) Sync() error {
	if _, err := f.m.step(); err != nil || !f.m.sync {
		return err
	}
	return f.File.Sync()
}
