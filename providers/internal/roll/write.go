package roll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"collect/hclspec/expr"
	"collect/providers/internal/codec"
	"collect/runtime/flow"
)

// file is one file under its temporary name.
type file struct {
	rel        string // the events' path below the root
	dir, base  string
	temp       string
	name       Name
	f          File
	w          codec.Writer
	buf        []byte // encoded and not written yet
	bufEvents  int
	bytes      int64
	events     int
	begun      time.Time
	last       time.Time
	handleOpen bool
	group      *group
}

// group is a set of files that share batches, and those batches.
type group struct {
	files    []*file
	batches  []held
	intended bool // may be in the intent: its files must not be removed any more
}

// held is a batch whose files are not published yet.
type held struct {
	b      *flow.Batch
	id     flow.ID
	failed []flow.EventResult
}

// fail ends all batches of a group.
func (g *group) fail(err error) {
	for _, h := range g.batches {
		h.b.Done(flow.Result{Err: err})
	}
	g.batches = nil
}

// plan says which events of the batch at hand go into which file.
type plan struct {
	ev      flow.Event
	scratch expr.Scratch
	rel     []byte
	targets []target
	byRel   map[string]int
	spans   []span
	failed  []flow.EventResult
	group   *group // of all files touched
	bufs    [][]byte
}

type target struct {
	rel   string
	bytes int64
}

// span is a run of events for one target; with ends set, its last event ends the file.
type span struct {
	target, lo, hi int
	ends           bool
}

// split fills the plan from a batch.
func (s *Sink) split(b *flow.Batch) {
	p := &s.plan
	p.ev.Host = s.env.Host
	p.targets, p.spans, p.failed, p.group = p.targets[:0], p.spans[:0], nil, nil
	if p.byRel == nil {
		p.byRel = map[string]int{}
	}
	clear(p.byRel)
	if s.o.Path.IsConst() && s.o.CloseWhen == nil {
		p.targets = append(p.targets, target{rel: s.o.Path.konst, bytes: b.Bytes() + int64(b.Len())})
		p.spans = append(p.spans, span{hi: b.Len()})
		return
	}
	for i := range b.Len() {
		s.place(b, i)
	}
}

// place adds one event to the plan.
func (s *Sink) place(b *flow.Batch, i int) {
	p := &s.plan
	p.scratch.Reset()
	p.ev.Seek(b, i)
	rel, err := s.o.Path.Append(p.rel[:0], &p.ev, &p.scratch)
	p.rel = rel
	if err != nil {
		p.failed = append(p.failed, flow.EventResult{Index: i, Err: flow.Permanent(fmt.Errorf("path: %w", err))})
		return
	}
	ends := false
	if s.o.CloseWhen != nil {
		ends, err = s.o.CloseWhen.Bool(&p.ev, &p.scratch)
		ends = ends && err == nil // a condition without a value is false
	}
	t, ok := p.byRel[string(rel)]
	if !ok {
		t = len(p.targets)
		name := string(rel)
		p.byRel[name] = t
		p.targets = append(p.targets, target{rel: name})
	}
	p.targets[t].bytes += int64(len(b.Body(i)) + 1)
	if n := len(p.spans); n > 0 && p.spans[n-1].target == t && p.spans[n-1].hi == i && !p.spans[n-1].ends {
		p.spans[n-1].hi, p.spans[n-1].ends = i+1, ends
		return
	}
	p.spans = append(p.spans, span{target: t, lo: i, hi: i + 1, ends: ends})
}

// write writes a batch. After an error the caller abandons what the plan has touched.
func (s *Sink) write(ctx context.Context, b *flow.Batch) error {
	s.split(b)
	p := &s.plan
	p.group = &group{}
	if size := s.o.Limits.Size; size > 0 {
		for _, t := range p.targets {
			if f := s.open[t.rel]; f != nil && f.bytes > 0 && f.bytes+t.bytes > size {
				s.seal(f.group)
			}
		}
	}
	full := false
	for _, sp := range p.spans {
		ended, err := s.writeSpan(ctx, b, sp)
		if err != nil {
			return err
		}
		full = full || ended
	}
	h := held{b: b, id: b.ID(), failed: p.failed}
	if len(p.failed) == 0 {
		b.Unload() // otherwise its events are needed for the dead-letter channel
	}
	p.group.batches = append(p.group.batches, h)
	s.held++
	if len(p.failed) > 0 {
		s.pinned++
	}
	switch {
	case s.held > maxHeld || s.pinned > maxPinned:
		s.seal(p.group)
		s.sealAll()
		s.pinned = 0
	case full || len(p.group.files) == 0:
		s.seal(p.group)
	}
	return nil
}

// writeSpan writes events into the file of their target, or files when one fills up. It says whether a file ended.
func (s *Sink) writeSpan(ctx context.Context, b *flow.Batch, sp span) (ended bool, err error) {
	p := &s.plan
	for lo := sp.lo; lo < sp.hi; {
		f, err := s.fileFor(ctx, b, p.targets[sp.target].rel)
		if err != nil && s.eventsFault(err) {
			for i := lo; i < sp.hi; i++ {
				p.failed = append(p.failed, flow.EventResult{Index: i, Err: flow.Permanent(err)})
			}
			return ended, nil
		}
		if err != nil {
			return ended, err
		}
		n := sp.hi - lo
		if max := s.o.Limits.Events; max > 0 {
			n = min(n, max-f.events)
		}
		if err := s.encode(f, b, lo, lo+n); err != nil {
			return ended, fmt.Errorf("write %s: %w", s.url(f.dir, f.temp), err)
		}
		lo += n
		f.last = time.Now()
		done := lo == sp.hi && sp.ends || s.o.Limits.Events > 0 && f.events >= s.o.Limits.Events ||
			s.o.Limits.Size > 0 && f.bytes >= s.o.Limits.Size
		if done {
			s.forget(f)
			ended = true
		}
	}
	return ended, nil
}

// eventsFault says whether an error comes from what the events made of the path, so that trying again is useless.
func (s *Sink) eventsFault(err error) bool {
	if s.o.Path.IsConst() {
		return false
	}
	return errors.Is(err, ErrTooManyDirs) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, flow.ErrNotRegular)
}

const fileBuffer = 32 << 10

// encode writes events lo to hi-1 into a file.
func (s *Sink) encode(f *file, b *flow.Batch, lo, hi int) error {
	f.events += hi - lo
	if lo == 0 && hi == b.Len() {
		bufs, ok := s.o.Codec.Raw(b, s.plan.bufs[:0])
		s.plan.bufs = bufs
		if ok {
			if err := f.flush(); err != nil {
				return err
			}
			for _, p := range bufs {
				f.bytes += int64(len(p))
			}
			err := f.w.WriteBlocks(bufs, hi-lo)
			clear(s.plan.bufs) // do not keep the batch's memory alive
			return err
		}
	}
	for i := lo; i < hi; i++ {
		before := len(f.buf)
		f.buf = s.o.Codec.Append(f.buf, b, i)
		f.bytes += int64(len(f.buf) - before)
		f.bufEvents++
		if len(f.buf) >= 16*fileBuffer {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
	if len(f.buf) >= fileBuffer {
		return f.flush()
	}
	return nil
}

func (f *file) flush() error {
	if len(f.buf) == 0 {
		return nil
	}
	err := f.w.WriteBlocks([][]byte{f.buf}, f.bufEvents)
	f.buf, f.bufEvents = f.buf[:0], 0
	if cap(f.buf) > 2*fileBuffer {
		f.buf = nil
	}
	return err
}

// finish makes the content durable and closes the handle.
func (s *Sink) finish(f *file) error {
	if !f.handleOpen {
		return nil
	}
	err := f.flush()
	if err == nil {
		err = f.w.Close()
	}
	if err == nil {
		f.handleOpen = false
		s.handles.Add(-1)
		err = f.f.Close()
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", s.url(f.dir, f.temp), err)
	}
	return nil
}

// drop closes the handle of a file that does not count any more, and removes the file. What cannot be removed now is removed at
// the next Open.
func (s *Sink) drop(ctx context.Context, f *file) {
	if f.handleOpen {
		f.handleOpen = false
		f.f.Discard()
		s.handles.Add(-1)
	}
	if err := s.backend.Remove(ctx, f.dir, f.temp); err != nil {
		s.mu.Lock()
		s.leftover = append(s.leftover, move{Dir: f.dir, Temp: f.temp})
		s.mu.Unlock()
		s.env.Log.Warn("temporary file stays until the next start", "file", s.url(f.dir, f.temp), "err", err)
	}
}

// fileFor gives the open file of a path, or begins one, and joins its group with the plan's.
func (s *Sink) fileFor(ctx context.Context, b *flow.Batch, rel string) (*file, error) {
	f := s.open[rel]
	if f == nil {
		var err error
		if f, err = s.begin(ctx, b.ID(), rel); err != nil {
			return nil, err
		}
	}
	s.plan.group = s.join(s.plan.group, f.group)
	return f, nil
}

// join merges two groups.
func (s *Sink) join(a, b *group) *group {
	if a == b {
		return a
	}
	if len(a.files)+len(a.batches) < len(b.files)+len(b.batches) {
		a, b = b, a
	}
	for _, f := range b.files {
		f.group = a
	}
	a.files = append(a.files, b.files...)
	a.batches = append(a.batches, b.batches...)
	b.files, b.batches = nil, nil
	return a
}

// begin makes a new file in a group of its own.
func (s *Sink) begin(ctx context.Context, id flow.ID, rel string) (*file, error) {
	if err := s.makeRoom(ctx); err != nil {
		return nil, err
	}
	f := &file{rel: rel, dir: rel, begun: time.Now()}
	if s.o.FileNamed {
		if i := strings.LastIndexByte(rel, '/'); i >= 0 {
			f.dir, f.base = rel[:i], rel[i+1:]
		} else {
			f.dir, f.base = "", rel
		}
	}
	f.name = Name{Base: f.base, Unique: s.unique(id), Ext: s.o.Files.Extension()}
	f.temp = s.tempName(s.o.Final(f.name))
	if err := s.record(f.dir, f.temp); err != nil {
		return nil, fmt.Errorf("note a temporary file: %w", err)
	}
	h, err := s.backend.Create(ctx, f.dir, f.temp)
	if err != nil {
		return nil, err
	}
	f.f, f.handleOpen = h, true
	s.handles.Add(1)
	f.group = &group{files: []*file{f}}
	f.w, err = codec.NewWriter(h, s.o.Files)
	if err != nil {
		s.discard(ctx, f.group)
		return nil, fmt.Errorf("begin %s: %w", s.url(f.dir, f.temp), err)
	}
	s.open[rel] = f
	s.list = append(s.list, f)
	select {
	case s.wake <- struct{}{}:
	default: // the clock runs already
	}
	return f, nil
}

// record writes the name of a file that is about to be made into the list of temporary files.
func (s *Sink) record(dir, name string) error {
	if s.temps.n >= 1000 {
		return s.rewriteTemps(move{Dir: dir, Temp: name})
	}
	return s.temps.add(dir, name)
}

// rewriteTemps begins the list anew with all files that may exist.
func (s *Sink) rewriteTemps(more ...move) error {
	s.mu.Lock()
	groups := append([]*group(nil), s.queue...)
	if s.current != nil {
		groups = append(groups, s.current)
	}
	more = append(more, s.leftover...)
	s.mu.Unlock()
	for _, f := range s.list {
		if n := len(groups); n == 0 || groups[n-1] != f.group {
			groups = append(groups, f.group)
		}
	}
	if s.plan.group != nil {
		groups = append(groups, s.plan.group)
	}
	seen := map[string]bool{}
	var names []move
	for _, g := range groups {
		for _, f := range g.files {
			if !seen[f.temp] {
				seen[f.temp] = true
				names = append(names, move{Dir: f.dir, Temp: f.temp})
			}
		}
	}
	names = append(names, more...)
	t, err := openTemps(s.dir, s.o.Path.URL(), names)
	if err != nil {
		return err
	}
	err = s.temps.close()
	s.temps = t
	return err
}

// makeRoom keeps the number of open files within its limit: the group that was not written to for the longest time is published;
// when the batch at hand alone has too many files, they are closed where they are.
func (s *Sink) makeRoom(ctx context.Context) error {
	for s.handles.Load() >= int64(s.o.MaxOpen) {
		s.mu.Lock()
		idle, publishing := s.finishedOne, len(s.queue) > 0 || s.current != nil
		s.mu.Unlock()
		if g := s.oldestGroup(); g != nil {
			s.seal(g)
			continue
		}
		if err := s.closePlanned(); err != nil {
			return err
		}
		if s.handles.Load() < int64(s.o.MaxOpen) || !publishing {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// oldestGroup gives the group that waits longest for an event, other than the plan's.
func (s *Sink) oldestGroup() *group {
	var old *file
	for _, f := range s.list {
		if f.group != s.plan.group && (old == nil || f.last.Before(old.last)) {
			old = f
		}
	}
	if old == nil {
		return nil
	}
	return old.group
}

func (s *Sink) closePlanned() error {
	for _, f := range s.plan.group.files {
		if !f.handleOpen {
			continue
		}
		if err := s.finish(f); err != nil {
			return err
		}
		s.forget(f)
	}
	return nil
}

// forget takes a file from those that take events; it stays in its group.
func (s *Sink) forget(f *file) {
	if s.open[f.rel] != f {
		return
	}
	delete(s.open, f.rel)
	for i, o := range s.list {
		if o == f {
			s.list = append(s.list[:i], s.list[i+1:]...)
			return
		}
	}
}

// seal hands a group to the publisher.
func (s *Sink) seal(g *group) {
	for _, f := range g.files {
		s.forget(f)
	}
	s.held -= len(g.batches)
	if s.plan.group == g {
		s.plan.group = &group{}
	}
	s.mu.Lock()
	s.queue = append(s.queue, g)
	s.queued++
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default: // the publisher knows already
	}
}

// sealAll hands over all groups, in the order in which their files were begun.
func (s *Sink) sealAll() {
	for len(s.list) > 0 {
		s.seal(s.list[0].group)
	}
}

// abandonPlan gives up all files of the batch that could not be written, and hurries the others, so that the pipeline can start again
// in order.
func (s *Sink) abandonPlan(ctx context.Context) *group {
	g := s.plan.group
	s.plan.group = nil
	if g != nil {
		s.held -= len(g.batches)
		s.discard(ctx, g)
	}
	s.sealAll()
	return g
}

// discard closes and removes the files of a group.
func (s *Sink) discard(ctx context.Context, g *group) {
	for _, f := range g.files {
		s.forget(f)
		s.drop(ctx, f)
	}
}
