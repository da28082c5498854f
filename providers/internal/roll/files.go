package roll

import (
	"context"
	"fmt"
	"strings"
	"time"

	"collect/providers/internal/codec"
	"collect/providers/internal/roll/internal/journal"
	"collect/runtime/flow"
)

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

// discard gives up a group that takes events.
func (s *Sink) discard(ctx context.Context, g *group) {
	for _, f := range g.files {
		s.forget(f)
	}
	s.drop(ctx, g)
}

// drop closes and removes the files of a group, durably. What cannot be removed now is removed at the next Open.
func (s *Sink) drop(ctx context.Context, g *group) {
	var removed []journal.Temp
	for _, f := range g.files {
		if f.handleOpen {
			f.handleOpen = false
			f.f.Discard()
			s.handles.Add(-1)
		}
		t := s.tempOf(f)
		if err := s.backend.Remove(ctx, f.dir, f.temp); err != nil {
			s.keepListed(t)
			s.env.Log.Warn("temporary file stays until the next start", "file", s.url(f.dir, f.temp), "err", err)
			continue
		}
		removed = append(removed, t)
	}
	if err := syncRemoved(ctx, s.backend, removed); err != nil {
		s.keepListed(removed...) // a power cut brings them back
	}
}

func (s *Sink) keepListed(t ...journal.Temp) {
	s.mu.Lock()
	s.leftover = append(s.leftover, t...)
	s.mu.Unlock()
}

func (s *Sink) tempOf(f *file) journal.Temp {
	return journal.Temp{Root: s.o.Path.URL(), Dir: f.dir, Name: f.temp}
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
	if err := s.record(ctx, f); err != nil {
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
func (s *Sink) record(ctx context.Context, f *file) error {
	if s.temps.Worn() {
		s.retryLeftover(ctx)
		return s.rewriteTemps(s.tempOf(f))
	}
	return s.temps.Add(s.tempOf(f))
}

// retryLeftover tries again to remove what could not be removed, so that the list does not grow for ever.
func (s *Sink) retryLeftover(ctx context.Context) {
	s.mu.Lock()
	left := s.leftover
	s.leftover = nil
	s.mu.Unlock()
	for i, t := range left {
		if t.Root != s.o.Path.URL() {
			s.keepListed(t)
			continue
		}
		if err := removeTemps(ctx, s.backend, left[i:i+1]); err != nil {
			s.keepListed(left[i:]...)
			return
		}
	}
}

// rewriteTemps begins the list anew with all files that may exist.
func (s *Sink) rewriteTemps(names ...journal.Temp) error {
	s.mu.Lock()
	groups := append([]*group(nil), s.queue...)
	if s.current != nil {
		groups = append(groups, s.current)
	}
	names = append(names, s.leftover...)
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
	for _, g := range groups {
		for _, f := range g.files {
			if !seen[f.temp] {
				seen[f.temp] = true
				names = append(names, s.tempOf(f))
			}
		}
	}
	t, err := journal.OpenTemps(s.dir, names)
	if err != nil {
		return err
	}
	err = s.temps.Close()
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
