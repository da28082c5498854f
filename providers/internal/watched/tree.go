package watched

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"collect/runtime/flow"
)

// Tree is the folders in which a source looks for files. Their handles stay open; a watcher, where there is one, tells early that
// something changed. Polling stays the truth.
type Tree struct {
	env     flow.Env
	report  func(name string, err error)
	folders map[string]*Folder
	names   []string // of folders, sorted; nil when it is to be made anew
	watch   flow.Watcher
	missing bool
	healthy bool
}

// Folder is an open directory, as of its last listing.
type Folder struct {
	Dir  flow.Dir
	List []flow.Info

	id      ID
	mtime   time.Time
	listed  time.Time
	current bool
}

// racy is how coarse a file system's times may be: a folder that was listed so soon after it changed is listed once more.
const racy = 20 * time.Millisecond

// NewTree begins without folders. report is told of folders that cannot be read.
func NewTree(env flow.Env, report func(name string, err error)) *Tree {
	t := &Tree{env: env, report: report, folders: map[string]*Folder{}}
	w, err := env.FS.Watch()
	if err != nil {
		env.Log.Info("changes are found by polling only", "err", err)
		return t
	}
	t.watch, t.healthy = w, true
	return t
}

// Begin starts a listing of all folders.
func (t *Tree) Begin() {
	t.missing = false
	for _, name := range t.sorted() {
		d := t.folders[name]
		d.current, d.List = false, nil
	}
}

// Root opens and lists a folder by its path; nil when it cannot.
func (t *Tree) Root(name string) *Folder {
	h, err := t.env.FS.OpenDir(name)
	if err != nil {
		t.missing = true
		if !errors.Is(err, fs.ErrNotExist) {
			t.report(name, err)
		}
		return nil
	}
	return t.folder(name, h)
}

// Sub opens and lists a folder inside another one; links are not followed.
func (t *Tree) Sub(d *Folder, name string) *Folder {
	full := path.Join(d.Dir.Path(), name)
	h, err := d.Dir.OpenDir(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.report(full, err)
		}
		return nil
	}
	return t.folder(full, h)
}

// sorted gives the names of all folders: what is done to them is done in the same order in every run.
func (t *Tree) sorted() []string {
	if t.names == nil {
		t.names = slices.Sorted(maps.Keys(t.folders))
	}
	return t.names
}

// Get gives a folder that was listed, by its path.
func (t *Tree) Get(name string) *Folder { return t.folders[name] }

// folder lists a directory. The handle that is kept stays the same as long as the directory is.
func (t *Tree) folder(name string, h flow.Dir) *Folder {
	info, err := h.Stats()
	d := t.folders[name]
	switch {
	case err != nil:
		_ = h.Close() // it was only read
		t.report(name, err)
		return nil
	case d != nil && d.id == IDOf(info):
		_ = h.Close() // a second handle for the same
	default:
		// Files may still be read through the handle of a directory that was replaced. It closes when the last of them is gone.
		d = &Folder{Dir: h, id: IDOf(info)}
		t.folders[name], t.names = d, nil
		t.add(name)
	}
	if !d.current {
		d.current, d.mtime, d.listed = true, info.ModTime, time.Now()
		if d.List, err = d.Dir.ReadDir(); err != nil {
			t.report(name, err)
		}
	}
	return d
}

func (t *Tree) add(name string) {
	if !t.healthy {
		return
	}
	if err := t.watch.Add(name); err != nil {
		t.env.Log.Info("changes are found by polling only", "folder", name, "err", err)
		t.healthy = false
	}
}

// End forgets folders that are gone.
func (t *Tree) End() {
	for _, name := range t.sorted() {
		if t.folders[name].current {
			continue
		}
		delete(t.folders, name)
		t.names = nil
		if t.watch != nil {
			_ = t.watch.Remove(name) // the watcher knows that it is gone
		}
	}
}

// Changed says whether names may have changed since the last listing.
func (t *Tree) Changed() bool {
	for _, name := range t.sorted() {
		d := t.folders[name]
		info, err := d.Dir.Stats()
		if err != nil || !info.ModTime.Equal(d.mtime) || d.listed.Sub(d.mtime) < racy {
			return true
		}
	}
	return false
}

// Missing says that a folder was not there, so that nobody tells of its coming.
func (t *Tree) Missing() bool { return t.missing }

// Watched says whether all changes are told.
func (t *Tree) Watched() bool { return t.healthy && !t.missing }

// Wait sleeps until something may have changed, or for d.
func (t *Tree) Wait(ctx context.Context, d time.Duration) {
	if !t.healthy {
		Sleep(ctx, d)
		return
	}
	waitCtx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if err := t.watch.Wait(waitCtx); err != nil && waitCtx.Err() == nil {
		t.env.Log.Warn("changes are found by polling only", "err", err)
		t.healthy = false
	}
}

// Close ends watching and closes all folders.
func (t *Tree) Close() error {
	var err error
	for _, name := range t.sorted() {
		err = errors.Join(err, t.folders[name].Dir.Close())
	}
	if t.watch != nil {
		err = errors.Join(err, t.watch.Close())
	}
	return err
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
