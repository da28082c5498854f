package sim

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrCrashed is what every handle gives after a crash.
var ErrCrashed = errors.New("the machine has crashed")

const blockSize = 4096

// Disk is a simulated disk. It outlives crashes; what opens it does not.
type Disk struct {
	mu      sync.Mutex // guards all below; never held while an operation waits
	rand    *rand.Rand
	life    int // counts crashes: handles of an earlier life are dead
	root    *node
	nextIno uint64
	pending []*change
	faults  []*Fault
	room    int64         // bytes by which files may still grow; negative: any number
	skew    time.Duration // how far the wall clock of the machine is from the one of the bubble
	fuse    int           // operations until the machine crashes; 0: it does not
	power   bool          // and whether that is a power cut
	ops     int
	hit     int
}

// node is a file or a directory.
type node struct {
	disk  *Disk
	ino   uint64
	dir   bool
	mode  fs.FileMode
	mtime time.Time
	lock  *file

	// of a directory
	names   map[string]*node
	durable map[string]*node

	// of a file
	data  []byte
	size  int64            // durable size
	old   map[int64][]byte // durable content of blocks that changed since the last Sync; nil: none
	stuck map[int64][]byte // the same for blocks whose Sync failed: no later Sync makes them durable
}

// change is one change of names that is not durable.
type change struct {
	entries []entry
}

type entry struct {
	dir  *node
	name string
	to   *node // nil: removed
}

// NewDisk makes an empty disk. All that happens on it follows from the seed and from the order of operations.
func NewDisk(seed uint64) *Disk {
	d := &Disk{rand: rand.New(rand.NewPCG(seed, 0xd15c)), room: -1}
	d.root = d.newNode(true, 0o700)
	return d
}

func (d *Disk) newNode(dir bool, mode fs.FileMode) *node {
	d.nextIno++
	n := &node{disk: d, ino: d.nextIno, dir: dir, mode: mode, mtime: d.now()}
	if dir {
		n.mode |= fs.ModeDir
		n.names, n.durable = map[string]*node{}, map[string]*node{}
	} else {
		n.old, n.stuck = map[int64][]byte{}, map[int64][]byte{}
	}
	return n
}

// Fault makes operations fail.
type Fault struct {
	Op    string // open, create, read, write, allocate, sync, syncdir, rename, remove, stat, readdir; "" any
	Path  string // part of the path; "" any
	Skip  int    // operations of that kind that still work
	Count int    // operations that fail then
	Err   error
}

// Add adds a fault.
func (d *Disk) Add(f Fault) {
	d.mu.Lock()
	d.faults = append(d.faults, &f)
	d.mu.Unlock()
}

// Heal removes all faults and makes room.
func (d *Disk) Heal() {
	d.mu.Lock()
	d.faults, d.room = nil, -1
	d.mu.Unlock()
}

// SetRoom says by how many bytes files can still grow until the disk is full; negative: by any number.
func (d *Disk) SetRoom(bytes int64) {
	d.mu.Lock()
	d.room = bytes
	d.mu.Unlock()
}

// full says whether a file cannot be made. The caller holds the lock, as for all below.
func (d *Disk) full() bool { return d.room == 0 }

// take uses room for as many of the wanted bytes as there is room for, and gives their number.
func (d *Disk) take(bytes int64) int64 {
	if d.room < 0 || bytes <= 0 {
		return max(bytes, 0)
	}
	bytes = min(bytes, d.room)
	d.room -= bytes
	return bytes
}

// Jump moves the clock that gives files their times, as when somebody sets the clock of the machine: what measures durations goes on.
func (d *Disk) Jump(by time.Duration) {
	d.mu.Lock()
	d.skew += by
	d.mu.Unlock()
}

func (d *Disk) now() time.Time { return time.Now().Add(d.skew) }

// Faults tells how many operations there were and how many failed.
func (d *Disk) Faults() (ops, failed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops, d.hit
}

// fault gives the error that an operation must have. The caller holds the lock.
func (d *Disk) fault(op, path string) error {
	d.ops++
	for _, f := range d.faults {
		if f.Op != "" && f.Op != op || !strings.Contains(path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Count > 0 {
			f.Count--
			d.hit++
			return &fs.PathError{Op: op, Path: path, Err: f.Err}
		}
	}
	return nil
}

// begin starts an operation: it takes its time, finds out whether the machine still lives and whether the operation fails. When it
// gives no error, the lock is held.
func (d *Disk) begin(life int, op, path string) error {
	d.mu.Lock()
	pause := time.Duration(d.rand.Int64N(int64(20 * time.Microsecond)))
	if op == "sync" || op == "syncdir" {
		pause += time.Duration(d.rand.Int64N(int64(5 * time.Millisecond)))
	}
	dead := d.life != life
	d.mu.Unlock()
	if dead {
		return ErrCrashed
	}
	time.Sleep(pause)
	d.mu.Lock()
	if d.fuse > 0 {
		if d.fuse--; d.fuse == 0 {
			d.crash(d.power)
		}
	}
	if d.life != life {
		d.mu.Unlock()
		return ErrCrashed
	}
	if err := d.fault(op, path); err != nil {
		if op == "sync" {
			return d.syncFailed(path, err)
		}
		d.mu.Unlock()
		return err
	}
	return nil
}

// syncFailed keeps the lock for File.Sync, which has to note the blocks.
func (d *Disk) syncFailed(_ string, err error) error { return &heldError{err} }

// heldError is an error with which begin leaves the lock held.
type heldError struct{ error }

func (e *heldError) Unwrap() error { return e.error }

// Crash ends everything that has the disk open. With a power cut what is not durable is lost in part, without one (a kill of the
// process) it stays.
func (d *Disk) Crash(power bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash(power)
}

// CrashIn makes the machine crash at the last of so many operations, which does not happen. The next Crash takes that back.
func (d *Disk) CrashIn(ops int, power bool) {
	d.mu.Lock()
	d.fuse, d.power = ops, power
	d.mu.Unlock()
}

// Life counts crashes.
func (d *Disk) Life() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.life
}

func (d *Disk) crash(power bool) {
	d.life++
	d.fuse = 0
	if !power {
		d.unlock(d.root)
		return
	}
	for _, c := range d.pending {
		if d.rand.IntN(2) == 0 {
			c.apply()
		}
	}
	d.pending = nil
	d.cut(d.root, map[*node]bool{})
}

func (d *Disk) unlock(n *node) {
	n.lock = nil
	for _, c := range n.names {
		d.unlock(c)
	}
}

// apply makes a change durable.
func (c *change) apply() {
	for _, e := range c.entries {
		if e.to == nil {
			delete(e.dir.durable, e.name)
		} else {
			e.dir.durable[e.name] = e.to
		}
	}
}

// cut makes what survived a power cut the present.
func (d *Disk) cut(n *node, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	n.lock = nil
	if !n.dir {
		d.cutFile(n)
		return
	}
	n.names = map[string]*node{}
	for _, name := range sortedNames(n.durable) {
		n.names[name] = n.durable[name]
		d.cut(n.names[name], seen)
	}
}

func (d *Disk) cutFile(n *node) {
	for _, list := range []map[int64][]byte{n.old, n.stuck} {
		for _, b := range sortedNames(list) {
			if d.rand.IntN(2) == 0 {
				n.setBlock(b, list[b])
			}
		}
	}
	if size := int64(len(n.data)); size != n.size && d.rand.IntN(2) == 0 {
		n.resize(n.size)
	}
	n.old, n.stuck, n.size = map[int64][]byte{}, map[int64][]byte{}, int64(len(n.data))
}

// setBlock puts a block's content back; nil are zeros.
func (n *node) setBlock(b int64, content []byte) {
	from := b * blockSize
	if from >= int64(len(n.data)) {
		return
	}
	at := n.data[from:min(from+blockSize, int64(len(n.data)))]
	clear(at[copy(at, content):])
}

func (n *node) resize(size int64) {
	if size <= int64(len(n.data)) {
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

// touch keeps the durable content of the blocks that a change of off to off+n reaches.
func (n *node) touch(off, size int64) {
	for b := off / blockSize; b*blockSize < off+size; b++ {
		if pre, ok := n.stuck[b]; ok {
			n.old[b] = pre
			delete(n.stuck, b)
		}
		if _, ok := n.old[b]; ok {
			continue
		}
		from := b * blockSize
		if from >= int64(len(n.data)) {
			n.old[b] = nil
			continue
		}
		n.old[b] = slices.Clone(n.data[from:min(from+blockSize, int64(len(n.data)))])
	}
	n.mtime = n.disk.now()
}

// write changes content; the file grows as needed.
func (n *node) write(off int64, p []byte) {
	n.touch(off, int64(len(p)))
	if end := off + int64(len(p)); end > int64(len(n.data)) {
		n.resize(end)
	}
	copy(n.data[off:], p)
}

// sync makes the content durable.
func (n *node) sync() {
	clear(n.old)
	n.size = int64(len(n.data))
}

// syncFailed leaves the blocks as they are: changed for all who read, and not durable, whatever happens later.
func (n *node) syncFailed() {
	for b, pre := range n.old {
		n.stuck[b] = pre
	}
	clear(n.old)
}

// Files lists the files below a directory as everybody sees them now, by path, with their content.
func (d *Disk) Files(under string) map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[string][]byte{}
	n, err := d.walk(under)
	if err != nil {
		return found
	}
	collect(n, strings.TrimSuffix(under, "/"), found)
	return found
}

func collect(n *node, path string, into map[string][]byte) {
	for name, c := range n.names {
		if c.dir {
			collect(c, path+"/"+name, into)
			continue
		}
		into[path+"/"+name] = slices.Clone(c.data)
	}
}

// parts cuts a path.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (d *Disk) walk(path string) (*node, error) {
	n := d.root
	for _, part := range parts(path) {
		c := n.names[part]
		if c == nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		if !c.dir {
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
		}
		n = c
	}
	return n, nil
}

func sortedNames[K string | int64, V any](m map[K]V) []K {
	list := make([]K, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
