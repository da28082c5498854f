package spooldir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// The states of a file.
const (
	stateReading = "reading"
	stateRead    = "read" // all its events are emitted; only in memory, since a restart reads what is not acknowledged
	stateDone    = "done" // and acknowledged: what done = "track" remembers
	stateAside   = "aside"
)

// job is a file that was begun.
type job struct {
	key   string
	note  *watched.Note
	dir   *watched.Folder
	name  string
	pos   int64 // where to go on
	rd    lines.Reader
	saved bool // its key is durable

	open      int // batches that are not acknowledged
	abandoned bool
}

// errChanged is why a file is set aside.
var errChanged = errors.New("it changed while it was read")

// read emits what a file holds. Only an error of the emitter is returned; one of the file sets it aside, or is tried again.
func (s *Source) read(ctx context.Context, w *writer, j *job) error {
	h, info, err := s.guard.Open(j.dir.Dir, j.name)
	if err == nil {
		if watched.IDOf(info) != j.note.ID() || changed(j.note, info) {
			err = errChanged
		} else {
			err = s.readFormat(ctx, w, j, h)
		}
		if after, statErr := h.Stat(); err == nil && statErr == nil && changed(j.note, after) {
			err = errChanged
		}
		if err == nil && s.cfg.Done == "track" {
			err = j.note.LearnTail(h, j.note.Size)
		}
		err = errors.Join(err, h.Close())
	}
	var emit *emitError
	switch {
	case errors.As(err, &emit):
		return emit.err
	case err == nil:
		j.note.State = stateRead
	case errors.Is(err, errChanged) || errors.Is(err, errContent) || errors.Is(err, watched.ErrRefused) || errors.Is(err, fs.ErrNotExist):
		s.setAside(j, err)
	default: // such as an error of the disk: once more at the next look
		s.report(j.note.Path, fmt.Errorf("read %s: %w", j.note.Path, err))
		s.again(j)
	}
	return nil
}

// again makes the next look take the file once more, from where reading stopped.
func (s *Source) again(j *job) {
	j.pos = j.rd.Off
	delete(s.jobs, j.note.ID())
	s.noted[j.note.ID()] = j
}

// setAside leaves a file where it is and does not read it any more. Under another name it is taken again, from where it stopped.
func (s *Source) setAside(j *job, err error) {
	err = fmt.Errorf("%s is set aside: %w", j.note.Path, err)
	s.report(j.note.Path, err)
	j.note.State, j.note.Why = stateAside, err.Error()
	j.pos = max(j.pos, j.rd.Off)
	s.env.Positions.Note(j.key, j.note.Encode())
}

// errContent marks errors of a file's content, which reading again does not mend.
var errContent = errors.New("wrong content")

func (s *Source) readFormat(ctx context.Context, w *writer, j *job, h flow.File) error {
	switch s.cfg.Format {
	case "whole":
		return s.readWhole(ctx, w, j, h)
	case "avro":
		return s.readAvro(ctx, w, j, h)
	default:
		return s.readLines(ctx, w, j, h)
	}
}

func (s *Source) readLines(ctx context.Context, w *writer, j *job, h flow.File) error {
	if err := j.rd.Resume(h); err != nil {
		return err
	}
	for {
		b := w.batch(j.note.Size - j.rd.Off)
		full, err := j.rd.Fill(b, h, j.note.Size, s.limits, lines.Last)
		w.add(j)
		if err != nil {
			return err
		}
		if !full {
			break
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if j.rd.Off < j.note.Size {
		return errChanged
	}
	return nil
}

func (s *Source) readWhole(ctx context.Context, w *writer, j *job, h flow.File) error {
	size := j.note.Size
	if size > flow.MaxBody {
		return fmt.Errorf("%w: %d bytes are more than the 16 MiB of one event", errContent, size)
	}
	if size == 0 || j.rd.Off == size {
		return nil
	}
	if w.b != nil && int64(len(w.b.Arena()))+size > int64(s.limits.Bytes) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	b := w.batch(size)
	n, err := h.ReadAt(b.Space(int(size))[:size], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if int64(n) < size {
		return errChanged
	}
	b.Begin(j.key, 0, j.rd.Meta)
	b.Add(b.Used(n), n, uint64(n), flow.FlagNoLine)
	w.add(j)
	j.rd.Off = size
	return w.flushFull(ctx)
}

// finishAll ends all files whose last event is acknowledged, and says whether there was one.
func (s *Source) finishAll() bool {
	any := false
	var gone []*job
	for _, j := range ordered(s.jobs) {
		if j.note.State != stateRead || !s.isDone(j) {
			continue
		}
		changed, err := s.finish(j)
		if err != nil {
			s.report(j.note.Path, fmt.Errorf("complete %s: %w", j.note.Path, err))
			continue
		}
		if changed {
			gone = append(gone, j)
		}
		any = true
		delete(s.told, j.note.Path)
		if s.cfg.Done != "track" {
			delete(s.jobs, j.note.ID())
		}
	}
	s.forgetAll(gone)
	return any
}

// forgetAll forgets files that were renamed or deleted, once that is durable: a power cut before would bring them back, and their events
// with them. The keys of those for which it cannot be made durable are forgotten by the next run, which does not find the files.
func (s *Source) forgetAll(gone []*job) {
	synced := map[*watched.Folder]error{}
	for _, j := range gone {
		err, known := synced[j.dir]
		if !known {
			err = j.dir.Dir.Sync()
			synced[j.dir] = err
		}
		if err != nil {
			s.report(j.dir.Dir.Path(), err)
			continue
		}
		s.env.Positions.Forget(j.key)
	}
}

// ordered gives files in an order that is the same in every run.
func ordered(jobs map[watched.ID]*job) []*job {
	return slices.SortedFunc(maps.Values(jobs), func(a, b *job) int {
		return cmp.Or(cmp.Compare(a.note.Path, b.note.Path), cmp.Compare(a.note.Ino, b.note.Ino), cmp.Compare(a.note.Dev, b.note.Dev))
	})
}

// isDone says whether all events of a file are acknowledged, those too that a source which this one replaced has emitted.
func (s *Source) isDone(j *job) bool {
	s.mu.Lock()
	done := j.open == 0 && !j.abandoned
	s.mu.Unlock()
	return done && s.env.Positions.Settled(j.key)
}

// finish renames, deletes or remembers a file, and says whether that changed its folder. A file that is gone was taken away by
// somebody else; it is done, too.
func (s *Source) finish(j *job) (changedFolder bool, err error) {
	if s.cfg.Done == "track" {
		j.note.State = stateDone
		s.env.Positions.Note(j.key, j.note.Encode())
		return false, nil
	}
	info, err := j.dir.Dir.Stat(j.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.env.Positions.Forget(j.key)
		return false, nil
	case err != nil:
		return false, err
	case watched.IDOf(info) != j.note.ID():
		s.env.Positions.Forget(j.key) // another file has the name now; it is found by itself
		return false, nil
	case changed(j.note, info):
		s.setAside(j, errors.New("it changed after it was read"))
		return false, nil
	}
	if s.cfg.Done == "delete" {
		err = j.dir.Dir.Remove(j.name)
	} else {
		err = renameNew(j.dir.Dir, j.name)
	}
	return err == nil, err
}

// renameNew gives a file its final name. What has that name is never replaced: then a number comes in between.
func renameNew(d flow.Dir, name string) error {
	err := d.RenameNew(name, d, name+Completed)
	for n := 1; errors.Is(err, fs.ErrExist) && n < 1000; n++ {
		err = d.RenameNew(name, d, fmt.Sprintf("%s.%d%s", name, n, Completed))
	}
	return err
}

// writer collects events of several files in one batch.
type writer struct {
	s    *Source
	out  flow.Emitter
	b    *flow.Batch
	jobs []*job // that have events in b
}

// batch gives the batch to write into, with room for about n more bytes.
func (w *writer) batch(n int64) *flow.Batch {
	if w.b == nil {
		w.b = w.s.env.Pool.GetSized(int(min(n+n/8+4096, int64(w.s.limits.Bytes)+128<<10)))
		w.b.SetBase(time.Now().UnixNano())
	}
	return w.b
}

// add notes that the batch may hold events of j.
func (w *writer) add(j *job) {
	runs := w.b.Runs()
	if len(runs) > 0 && runs[len(runs)-1].Key == j.key && (len(w.jobs) == 0 || w.jobs[len(w.jobs)-1] != j) {
		w.jobs = append(w.jobs, j)
	}
}

// emitError is an error of the emitter, which ends the run.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }

// flush emits what is there.
func (w *writer) flush(ctx context.Context) error {
	b, jobs := w.b, w.jobs
	w.b, w.jobs = nil, nil
	if b == nil {
		return nil
	}
	if b.Len() == 0 {
		b.Release()
		return nil
	}
	s := w.s
	s.mu.Lock()
	for _, j := range jobs {
		j.open++
	}
	s.mu.Unlock()
	b.OnAck(func(o flow.Outcome) { s.acked(jobs, o) })
	if err := w.out.Emit(ctx, b); err != nil {
		return &emitError{err}
	}
	return nil
}

// flushFull emits when the batch has reached a limit.
func (w *writer) flushFull(ctx context.Context) error {
	if w.b.Len() >= w.s.limits.Events || len(w.b.Arena()) >= w.s.limits.Bytes {
		return w.flush(ctx)
	}
	return nil
}

// drop gives back a batch that was not emitted: its events are read again.
func (w *writer) drop() {
	if w.b != nil {
		w.b.Release()
		w.b = nil
	}
}

func (s *Source) acked(jobs []*job, o flow.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		j.open--
		j.abandoned = j.abandoned || o == flow.Abandoned
	}
	s.poke = true
	if s.wake != nil {
		s.wake()
	}
}
