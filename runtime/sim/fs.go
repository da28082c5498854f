package sim

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"collect/runtime/flow"
)

// FS gives the disk to one life of a process: after the next crash it only gives ErrCrashed.
func (d *Disk) FS() flow.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fileSystem{d, d.life}
}

type fileSystem struct {
	d    *Disk
	life int
}

func (f fileSystem) OpenDir(name string) (flow.Dir, error) {
	if err := f.d.begin(f.life, "open", name); err != nil {
		return nil, err
	}
	defer f.d.mu.Unlock()
	n, err := f.d.walk(name)
	if err != nil {
		return nil, err
	}
	return &dir{d: f.d, life: f.life, n: n, path: path.Clean(name)}, nil
}

// Open opens a file; the simulated disk has no links.
func (f fileSystem) Open(name string) (flow.File, error) {
	d, err := f.OpenDir(path.Dir(name))
	if err != nil {
		return nil, err
	}
	file, err := d.Open(path.Base(name))
	return file, errors.Join(err, d.Close())
}

func (f fileSystem) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.d.begin(f.life, "mkdir", name); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if f.d.mkdirAll(name, perm) == nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	return nil
}

var errNoWatcher = errors.New("the simulated machine tells of no changes")

// Watch gives no watcher: polling must do.
func (f fileSystem) Watch() (flow.Watcher, error) { return nil, errNoWatcher }

// settle makes pending changes of one name durable. The caller holds the lock.
func (d *Disk) settle(n *node, name string) {
	d.flush(func(e entry) bool { return e.dir == n && e.name == name })
}

// flush applies all pending changes that have an entry for which which says true.
func (d *Disk) flush(which func(entry) bool) {
	kept := d.pending[:0]
	for _, c := range d.pending {
		hit := false
		for _, e := range c.entries {
			hit = hit || which(e)
		}
		if hit {
			c.apply()
			continue
		}
		kept = append(kept, c)
	}
	d.pending = kept
}

// change makes a change of names: seen at once, durable later.
func (d *Disk) change(entries ...entry) {
	for _, e := range entries {
		if e.to == nil {
			delete(e.dir.names, e.name)
		} else {
			e.dir.names[e.name] = e.to
		}
		e.dir.mtime = d.now()
	}
	d.pending = append(d.pending, &change{entries})
}

// dir is an open directory.
type dir struct {
	d    *Disk
	life int
	n    *node
	path string
}

func (d *dir) Path() string { return d.path }
func (d *dir) Close() error { return nil }

func (d *dir) begin(op, name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return d.err(op, name, fs.ErrInvalid)
	}
	return d.d.begin(d.life, op, path.Join(d.path, name))
}

func (d *dir) err(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: path.Join(d.path, name), Err: err}
}

func (d *dir) Open(name string) (flow.File, error) { return d.open(name, false, false, 0) }

func (d *dir) OpenWrite(name string, create bool, perm fs.FileMode) (flow.File, error) {
	return d.open(name, create, false, perm)
}

func (d *dir) Create(name string, perm fs.FileMode) (flow.File, error) {
	return d.open(name, true, true, perm)
}

func (d *dir) open(name string, create, exclusive bool, perm fs.FileMode) (flow.File, error) {
	op := "open"
	if exclusive {
		op = "create"
	}
	if err := d.begin(op, name); err != nil {
		return nil, err
	}
	defer d.d.mu.Unlock()
	n := d.n.names[name]
	switch {
	case n == nil && !create:
		return nil, d.err(op, name, fs.ErrNotExist)
	case n != nil && exclusive:
		return nil, d.err(op, name, fs.ErrExist)
	case n != nil && n.dir:
		return nil, flow.ErrNotRegular
	case n == nil:
		if d.d.full() {
			return nil, d.err(op, name, syscall.ENOSPC)
		}
		n = d.d.newNode(false, perm)
		d.d.change(entry{d.n, name, n})
	}
	return &file{d: d.d, life: d.life, n: n, name: name, path: path.Join(d.path, name)}, nil
}

func (d *dir) OpenDir(name string) (flow.Dir, error) {
	if err := d.begin("open", name); err != nil {
		return nil, err
	}
	defer d.d.mu.Unlock()
	n := d.n.names[name]
	if n == nil {
		return nil, d.err("open", name, fs.ErrNotExist)
	}
	if !n.dir {
		return nil, d.err("open", name, syscall.ENOTDIR)
	}
	return &dir{d: d.d, life: d.life, n: n, path: path.Join(d.path, name)}, nil
}

func (d *dir) Mkdir(name string, perm fs.FileMode) error {
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	defer d.d.mu.Unlock()
	if d.n.names[name] != nil {
		return d.err("mkdir", name, fs.ErrExist)
	}
	d.d.change(entry{d.n, name, d.d.newNode(true, perm)})
	return nil
}

func (d *dir) ReadDir() ([]flow.Info, error) {
	if err := d.d.begin(d.life, "readdir", d.path); err != nil {
		return nil, err
	}
	defer d.d.mu.Unlock()
	var list []flow.Info
	for _, name := range sortedNames(d.n.names) {
		list = append(list, info(name, d.n.names[name]))
	}
	return list, nil
}

func (d *dir) Stat(name string) (flow.Info, error) {
	if err := d.begin("stat", name); err != nil {
		return flow.Info{}, err
	}
	defer d.d.mu.Unlock()
	n := d.n.names[name]
	if n == nil {
		return flow.Info{}, d.err("stat", name, fs.ErrNotExist)
	}
	return info(name, n), nil
}

func (d *dir) Rename(name string, to flow.Dir, newName string) error {
	return d.rename(name, to, newName, false)
}

func (d *dir) RenameNew(name string, to flow.Dir, newName string) error {
	return d.rename(name, to, newName, true)
}

func (d *dir) rename(name string, to flow.Dir, newName string, fresh bool) error {
	target, ok := under(to)
	if !ok {
		return d.err("rename", name, syscall.EXDEV)
	}
	if err := d.begin("rename", name); err != nil {
		return err
	}
	defer d.d.mu.Unlock()
	n := d.n.names[name]
	if n == nil {
		return d.err("rename", name, fs.ErrNotExist)
	}
	if fresh && target.n.names[newName] != nil {
		return d.err("rename", name, fs.ErrExist)
	}
	d.d.change(entry{d.n, name, nil}, entry{target.n, newName, n})
	return nil
}

// under finds the simulated directory below wrappers.
func under(to flow.Dir) (*dir, bool) {
	for {
		switch x := to.(type) {
		case *dir:
			return x, true
		case interface{ Unwrap() flow.Dir }:
			to = x.Unwrap()
		default:
			return nil, false
		}
	}
}

func (d *dir) Remove(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	defer d.d.mu.Unlock()
	n := d.n.names[name]
	switch {
	case n == nil:
		return d.err("remove", name, fs.ErrNotExist)
	case n.dir && len(n.names) > 0:
		return d.err("remove", name, syscall.ENOTEMPTY)
	}
	d.d.change(entry{d.n, name, nil})
	return nil
}

func (d *dir) Sync() error {
	if err := d.d.begin(d.life, "syncdir", d.path); err != nil {
		return err
	}
	defer d.d.mu.Unlock()
	d.d.flush(func(e entry) bool { return e.dir == d.n })
	return nil
}

func (d *dir) Free() (int64, error) {
	if err := d.d.begin(d.life, "stat", d.path); err != nil {
		return 0, err
	}
	defer d.d.mu.Unlock()
	if d.d.room >= 0 {
		return d.d.room, nil
	}
	return 1 << 40, nil
}

func (d *dir) Stats() (flow.Info, error) {
	if err := d.d.begin(d.life, "stat", d.path); err != nil {
		return flow.Info{}, err
	}
	defer d.d.mu.Unlock()
	return info(path.Base(d.path), d.n), nil
}

func info(name string, n *node) flow.Info {
	return flow.Info{Name: name, Size: int64(len(n.data)), Mode: n.mode, ModTime: n.mtime, Dev: 1, Ino: n.ino, Links: 1}
}
