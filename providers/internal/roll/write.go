package roll

import (
	"context"
	"errors"
	"fmt"
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
	partly   bool // some of its files are final
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
		h.b.Done(flow.Result{Err: err, Unknown: g.partly})
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
