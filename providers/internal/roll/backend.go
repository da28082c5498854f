package roll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"collect/runtime/flow"
)

// Backend is where the files are. Directories are given relative to the root, with "" for the root itself, and need not exist.
// Every call ends within a bounded time. Its errors say what was being done, and to which file on which machine.
type Backend interface {
	// Open reaches the place and makes the root.
	Open(ctx context.Context) error
	// Create makes a new file, and its directory.
	Create(ctx context.Context, dir, name string) (File, error)
	// Exists says whether there is a file of that name.
	Exists(ctx context.Context, dir, name string) (bool, error)
	// Publish renames a closed file within its directory. A target that exists is fs.ErrExist, a file that does not fs.ErrNotExist.
	Publish(ctx context.Context, dir, temp, final string) error
	// SyncDirs makes renames and removals durable. A directory that does not exist is fs.ErrNotExist; the others are synced then too.
	SyncDirs(ctx context.Context, dirs []string) error
	// Remove removes a file; one that does not exist is no error.
	Remove(ctx context.Context, dir, name string) error
	Close() error
}

// File is a file that is being written.
type File interface {
	WriteBlocks(bufs [][]byte) error
	// Close returns when the content is durable.
	Close() error
	// Discard gives the file up without waiting for anything.
	Discard()
}

// ErrTooManyDirs says that events made more new directories in an hour than any honest configuration needs.
var ErrTooManyDirs = errors.New("events made too many new directories within an hour")

// maxNewDirs bounds the directories that events can make in an hour.
const maxNewDirs = 10_000

// DirBudget counts the new directories of the last hour.
type DirBudget struct {
	Max   int // 0: maxNewDirs
	since time.Time
	made  int
}

// Take allows one more, or gives ErrTooManyDirs.
func (b *DirBudget) Take() error {
	if now := time.Now(); now.Sub(b.since) >= time.Hour {
		b.since, b.made = now, 0
	}
	if b.made >= cmp.Or(b.Max, maxNewDirs) {
		return ErrTooManyDirs
	}
	b.made++
	return nil
}

// Tree is a directory of the local file system below which files are made. Names are resolved one segment at a time from an open
// handle, and links are never followed below it, so nothing outside can be reached.
type Tree struct {
	fs     flow.FS
	path   string
	root   flow.Dir
	budget DirBudget
	known  map[string]bool // directories that are durable, by path below the root
}

// maxKnown bounds the directories that a tree remembers; it costs a sync each when it has forgotten them.
const maxKnown = 4096

// NewTree makes a tree; Open opens it.
func NewTree(files flow.FS, path string) *Tree { return &Tree{fs: files, path: path} }

// Open makes the root when it is not there, and opens it.
func (t *Tree) Open(context.Context) error {
	if t.root != nil {
		return nil
	}
	if err := t.fs.MkdirAll(t.path, 0o755); err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok && p.Path == t.path {
			err = p.Err // the path is said already
		}
		return fmt.Errorf("make directory %s: %w", t.path, err)
	}
	d, err := t.fs.OpenDir(t.path)
	if err != nil {
		return fmt.Errorf("open directory %s: %w", t.path, err)
	}
	t.root = d
	return nil
}

// Close closes the root.
func (t *Tree) Close() error {
	if t.root == nil {
		return nil
	}
	d := t.root
	t.root = nil
	return d.Close()
}

// Within calls f with an open directory below the root. With make set, missing directories are made, durably.
func (t *Tree) Within(rel string, make bool, f func(flow.Dir) error) error {
	if t.root == nil {
		return fmt.Errorf("directory %s: %w", t.path, fs.ErrClosed)
	}
	d, at := t.root, 0
	if rel != "" {
		for name := range strings.SplitSeq(rel, "/") {
			at += len(name) + 1
			sub, err := t.enter(d, name, rel[:at-1], make)
			if d != t.root {
				err = errors.Join(err, d.Close())
			}
			if err != nil {
				return err
			}
			d = sub
		}
	}
	err := f(d)
	if d != t.root {
		err = errors.Join(err, d.Close())
	}
	return err
}

// enter opens a directory in d; path is its path below the root. One that is made, or that another run may have made just before it
// ended, is durable before it is used: else a power cut took the files in it away, whatever is done for these.
func (t *Tree) enter(d flow.Dir, name, path string, make bool) (flow.Dir, error) {
	sub, err := d.OpenDir(name)
	if !make || err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && t.known[path] {
		return sub, err
	}
	if err != nil {
		if err := t.budget.Take(); err != nil {
			return nil, err
		}
		if err := d.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if sub, err = d.OpenDir(name); err != nil {
			return nil, err
		}
	}
	if err := d.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("sync directory %s: %w", d.Path(), err), sub.Close())
	}
	t.remember(path)
	return sub, nil
}

func (t *Tree) remember(path string) {
	if t.known == nil {
		t.known = map[string]bool{}
	}
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[path] = true
}

// Local is the backend for directories of this machine.
type Local struct{ *Tree }

var _ Backend = Local{}

// Create makes a new file.
func (l Local) Create(_ context.Context, dir, name string) (File, error) {
	var out *localFile
	err := l.Within(dir, true, func(d flow.Dir) error {
		f, err := d.Create(name, 0o644)
		if err != nil {
			return err
		}
		out = &localFile{f: f}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create file: %w", err)
	}
	return out, nil
}

// Exists says whether a name is taken.
func (l Local) Exists(_ context.Context, dir, name string) (bool, error) {
	err := l.Within(dir, false, func(d flow.Dir) error {
		_, err := d.Stat(name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Publish renames without replacing.
func (l Local) Publish(_ context.Context, dir, temp, final string) error {
	return l.Within(dir, false, func(d flow.Dir) error { return d.RenameNew(temp, d, final) })
}

// SyncDirs syncs directories.
func (l Local) SyncDirs(_ context.Context, dirs []string) error {
	var gone error
	for _, dir := range dirs {
		err := l.Within(dir, false, flow.Dir.Sync)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sync directory: %w", err)
		}
		gone = errors.Join(gone, err)
	}
	return gone
}

// Remove removes a file.
func (l Local) Remove(_ context.Context, dir, name string) error {
	err := l.Within(dir, false, func(d flow.Dir) error { return d.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type localFile struct {
	f    flow.File
	size int64
}

func (l *localFile) WriteBlocks(bufs [][]byte) error {
	var n int64
	for _, b := range bufs {
		n += int64(len(b))
	}
	if err := l.f.WriteVec(l.size, bufs); err != nil {
		return err
	}
	l.size += n
	return nil
}

func (l *localFile) Close() error {
	err := l.f.Sync()
	if cerr := l.f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (l *localFile) Discard() {
	_ = l.f.Close() // nothing in it counts any more
}
