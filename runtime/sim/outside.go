package sim

import (
	"io/fs"
	"path"
)

// What follows is for those who write files that an agent reads: other programs, which live on when the agent is killed. They are
// careful: what they do is durable at once, no fault strikes them, and everybody sees each change whole.

// Append adds to a file, which is made when it is not there, with its directories.
func (d *Disk) Append(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.outside(name)
	size := int64(len(n.data))
	n.write(size, content)
	n.sync()
}

// Truncate makes a file empty.
func (d *Disk) Truncate(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.outside(name)
	n.resize(0)
	n.mtime = d.now()
	n.sync()
}

// Move renames a file, perhaps over another.
func (d *Disk) Move(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, b := d.folder(path.Dir(from)), d.folder(path.Dir(to))
	n := a.names[path.Base(from)]
	if n == nil {
		return
	}
	d.settle(a, path.Base(from))
	d.settle(b, path.Base(to))
	d.change(entry{a, path.Base(from), nil}, entry{b, path.Base(to), n})
	d.settle(a, path.Base(from))
}

// Delete removes a file.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.folder(path.Dir(name))
	if f.names[path.Base(name)] == nil {
		return
	}
	d.change(entry{f, path.Base(name), nil})
	d.settle(f, path.Base(name))
}

// outside gives a file, made durably when it is not there. The caller holds the lock.
func (d *Disk) outside(name string) *node {
	f, base := d.folder(path.Dir(name)), path.Base(name)
	n := f.names[base]
	if n == nil {
		n = d.newNode(false, 0o644)
		d.change(entry{f, base, n})
		d.settle(f, base)
	}
	return n
}

// folder gives a directory, made durably when it is not there. The caller holds the lock.
func (d *Disk) folder(name string) *node { return d.mkdirAll(name, 0o755) }

func (d *Disk) mkdirAll(name string, perm fs.FileMode) *node {
	n := d.root
	for _, part := range parts(name) {
		c := n.names[part]
		if c == nil {
			c = d.newNode(true, perm)
			n.names[part], n.durable[part] = c, c
		}
		if !c.dir {
			return nil
		}
		d.settle(n, part)
		n.durable[part] = c
		n = c
	}
	return n
}
