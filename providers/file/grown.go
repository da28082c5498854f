package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"collect/runtime/flow"
)

// grown is one open file. The gate of its sink guards it, but for what mu guards.
type grown struct {
	rel, dir, name string
	f              flow.File
	dev, ino       uint64 // to notice that somebody moved the file away
	size           int64  // written
	used, looked   time.Time

	// Guarded by the sink's mu.
	pending int64 // size when the last batch was handed to the syncer
	synced  int64 // known to be on the disk
	dirty   bool  // the syncer has it
	syncing bool  // at this moment
	retired bool  // closed, or to be closed by the syncer
	early   bool  // synced and closed before its batch was written as a whole
}

func (f *grown) write(bufs [][]byte) error {
	var n int64
	for _, p := range bufs {
		n += int64(len(p))
	}
	if err := f.f.WriteVec(f.size, bufs); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	f.size += n
	return nil
}

// lookEvery is how often a file is compared with what has its name now.
const lookEvery = time.Second

// fileFor gives the open file of a path, and opens it when it is not, or not any more the one of that name.
func (g *growing) fileFor(ctx context.Context, rel string) (*grown, error) {
	now := time.Now()
	f := g.files[rel]
	if f != nil {
		ok := !f.cut()
		if ok && now.Sub(f.looked) >= lookEvery {
			f.looked, ok = now, g.still(f)
		}
		if !ok {
			if err := g.retire(f); err != nil {
				return nil, err
			}
			f = nil
		}
	}
	if f == nil {
		var err error
		if err = g.makeRoom(ctx); err != nil {
			return nil, err
		}
		if f, err = g.openFile(rel); err != nil {
			return nil, err
		}
		f.looked = now
	}
	f.used = now
	return f, nil
}

// cut says whether somebody cut the file, as rotation by copying does: to write on behind its end would leave a hole.
func (f *grown) cut() bool {
	info, err := f.f.Stat()
	return err == nil && info.Size < f.size
}

// still says whether the name still stands for the open file.
func (g *growing) still(f *grown) bool {
	ok := false
	err := g.tree.Within(f.dir, false, func(d flow.Dir) error {
		info, err := d.Stat(f.name)
		ok = err == nil && info.Dev == f.dev && info.Ino == f.ino
		return nil
	})
	return err == nil && ok
}

// retire takes a file out of use. It is closed now, or by the syncer when batches wait for it.
func (g *growing) retire(f *grown) error {
	delete(g.files, f.rel)
	g.list = slices.DeleteFunc(g.list, func(o *grown) bool { return o == f })
	g.mu.Lock()
	f.retired = true
	busy := f.dirty || f.syncing
	g.mu.Unlock()
	if busy {
		return nil
	}
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.name, err)
	}
	return nil
}

// errNotSynced is what a writer gets while the syncer gives up all files.
var errNotSynced = errors.New("another file could not be synced")

// makeRoom closes the file that was not used for the longest time while too many are open.
func (g *growing) makeRoom(ctx context.Context) error {
	for len(g.list) >= g.maxOpen {
		old := g.list[0]
		for _, f := range g.list {
			if f.used.Before(old.used) {
				old = f
			}
		}
		g.mu.Lock()
		busy, broken, round := old.dirty || old.syncing, g.broken, g.round
		g.mu.Unlock()
		if broken {
			return errNotSynced // and the syncer waits for this writer
		}
		if busy {
			select {
			case <-round:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if g.planned(old) { // one batch for very many files: this one is done with
			if err := old.f.Sync(); err != nil {
				return fmt.Errorf("sync %s: %w", old.name, err)
			}
			old.early = true
		}
		if err := g.retire(old); err != nil {
			return err
		}
	}
	return nil
}

// planned says whether the batch at hand has written to a file.
func (g *growing) planned(f *grown) bool {
	return slices.ContainsFunc(g.parts, func(p part) bool { return p.file == f })
}

func (g *growing) openFile(rel string) (*grown, error) {
	f := &grown{rel: rel, name: rel}
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		f.dir, f.name = rel[:i], rel[i+1:]
	}
	err := g.tree.Within(f.dir, true, func(d flow.Dir) error {
		h, err := d.OpenWrite(f.name, true, 0o644)
		if err != nil {
			return err
		}
		f.f = h
		if err := g.adopt(f); err != nil {
			return errors.Join(err, h.Close())
		}
		if err := d.Sync(); err != nil { // its name may be new
			return errors.Join(err, h.Close())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	f.pending, f.synced = f.size, f.size
	g.files[rel] = f
	g.list = append(g.list, f)
	return f, nil
}

// adopt finds the end of a file: a half line that an earlier run of this sink left there is cut off, one of somebody else is ended.
func (g *growing) adopt(f *grown) error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	f.dev, f.ino, f.size = info.Dev, info.Ino, info.Size
	ours := g.known.size(f.rel, info.Size)
	if err := g.known.note(g.state, f.rel, ours); err != nil {
		return fmt.Errorf("note the file: %w", err)
	}
	end, err := lastLine(f.f, ours, info.Size)
	switch {
	case err != nil:
		return err
	case end == info.Size:
		return nil
	case end < 0: // no newline since ours
		if ours == info.Size {
			return f.write([][]byte{[]byte("\n")})
		}
		end = ours
	}
	f.size = end
	return f.f.Truncate(end)
}

// lastLine gives where the last whole line ends, -1 when no newline lies at or behind from.
func lastLine(f flow.File, from, size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(end-int64(len(buf)), 0)
		n, err := f.ReadAt(buf[:end-start], start)
		if int64(n) < end-start {
			return 0, errors.Join(err, errors.New("the file shrinks"))
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			if at := start + int64(i) + 1; at >= from {
				return at, nil
			}
			return -1, nil
		}
		if start <= from {
			return -1, nil
		}
		end = start
	}
	return -1, nil
}

// syncer makes durable what was written, and ends those batches.
func (g *growing) syncer(ctx context.Context) {
	for {
		select {
		case <-g.kick:
		case <-ctx.Done():
			return
		}
		g.mu.Lock()
		batches, files := g.waiting, g.dirty
		sizes := make([]int64, len(files))
		for i, f := range files {
			sizes[i], f.dirty, f.syncing = f.pending, false, true
		}
		g.waiting, g.dirty = nil, nil
		g.mu.Unlock()
		var err error
		for _, f := range files {
			if serr := f.f.Sync(); serr != nil {
				err = errors.Join(err, fmt.Errorf("sync %s: %w", f.name, serr))
			}
		}
		if err != nil {
			more, ok := g.giveUp(ctx, files)
			if !ok {
				return
			}
			batches = append(batches, more...)
		}
		g.end(batches, files, sizes, err)
	}
}

// end ends the batches of a round.
func (g *growing) end(batches []written, files []*grown, sizes []int64, err error) {
	var retired []*grown
	g.mu.Lock()
	for i, f := range files {
		f.syncing = false
		if err == nil {
			f.synced = sizes[i]
		}
		if f.retired && !f.dirty {
			retired = append(retired, f)
		}
	}
	g.mu.Unlock()
	for _, f := range retired {
		_ = f.f.Close() // synced, or given up
	}
	for _, w := range batches {
		if err != nil {
			w.b.Done(flow.Result{Err: err, Unknown: true})
			continue
		}
		w.b.Done(flow.Result{Events: w.failed})
	}
	g.mu.Lock()
	g.ended += int64(len(batches))
	close(g.round)
	g.round = make(chan struct{})
	g.mu.Unlock()
}

// giveUp gives up all files after one could not be synced: a failed sync says nothing about what is on the disk, and asking again
// would say that all is well. They are cut back to what is known to be there and opened anew. It gives the batches that wait.
func (g *growing) giveUp(ctx context.Context, files []*grown) (more []written, ok bool) {
	g.mu.Lock()
	g.broken = true
	close(g.round) // a writer that waits for a round must let go of the gate
	g.round = make(chan struct{})
	g.mu.Unlock()
	if g.gate.Enter(ctx) != nil {
		return nil, false
	}
	defer g.gate.Leave()
	g.mu.Lock()
	all := slices.Concat(g.list, g.dirty, files)
	more = g.waiting
	g.waiting, g.dirty, g.broken = nil, nil, false
	for _, f := range all {
		f.dirty, f.retired = false, true
	}
	g.mu.Unlock()
	for i, f := range all {
		if slices.Contains(all[:i], f) {
			continue
		}
		if f.size > f.synced {
			_ = f.f.Truncate(f.synced) // otherwise the lines are there twice, which at least once allows
		}
		if !slices.Contains(files, f) { // those are closed at the end of the round
			_ = f.f.Close()
		}
	}
	g.list, g.files = nil, map[string]*grown{}
	return more, true
}
