package tail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sync"
	"time"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// Source follows files.
type Source struct {
	cfg      Config
	env      flow.Env
	include  []pattern
	exclude  []pattern
	first    *regexp.Regexp
	flushing time.Duration // how long an event of several lines waits
	guard    watched.Guard
	limits   lines.Limits
	maxOpen  int           // files
	fullScan time.Duration // pause between looks at all folders

	keepOfName int // absent files of one name that are remembered

	tree    *watched.Tree
	files   map[watched.ID]*file // what is followed
	order   []*file              // the same, in order of discovery
	lost    []*lostFile          // what was followed and is not there any more, or began anew
	refused map[string]string    // why a file is not read, by path
	began   bool                 // the first scan is over
	restart bool                 // an earlier run left notes
	sorting bool                 // files are adopted that notes name

	told     counts
	failed   bool // the last scan came upon a file that cannot be read just now
	scanned  time.Time
	scanCost time.Duration
	due      time.Time // something waits for this time; zero: nothing
	notedAt  time.Time // when changed notes were handed over last

	mu sync.Mutex // guards all ledgers
}

// ledger counts, for one position key, the batches that are not acknowledged.
type ledger struct {
	open      int
	abandoned bool
}

var _ flow.Source = (*Source)(nil)

// New makes the source.
func New(cfg Config, env flow.Env) (flow.Source, error) {
	s := &Source{
		cfg: cfg, env: env, flushing: defaultMultilineTimeout,
		limits: lines.Limits{Events: env.Batch.MaxEvents, Bytes: env.Batch.MaxBytes}, maxOpen: maxOpen, fullScan: fullScanPause, keepOfName: keepOfName,
	}
	for _, text := range cfg.Include {
		p, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("include: %w", err)
		}
		s.include = append(s.include, p)
	}
	for _, text := range cfg.Exclude {
		p, err := parseExclude(text)
		if err != nil {
			return nil, fmt.Errorf("exclude: %w", err)
		}
		s.exclude = append(s.exclude, p)
	}
	if m := cfg.Multiline; m != nil {
		re, err := regexp.Compile(m.FirstLine)
		if err != nil {
			return nil, fmt.Errorf("multiline.first_line: %w", err)
		}
		s.first = re
		if m.Timeout > 0 {
			s.flushing = m.Timeout
		}
	}
	return s, nil
}

// Run follows the files until ctx ends.
func (s *Source) Run(ctx context.Context, out flow.Emitter) error {
	s.open()
	defer s.close()
	s.loadNotes()
	// A run before in this process may have noted keys that it could not make durable. Here they pass for durable.
	if err := s.env.Positions.Save(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("save positions: %w", err)
	}
	s.scan()
	if err := s.rememberStart(ctx); err != nil {
		return err
	}
	s.env.Ready()
	pause := shortPause
	for ctx.Err() == nil {
		start := time.Now()
		progress, err := s.round(ctx, out)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if progress {
			pause = shortPause
		}
		s.wait(ctx, start, progress, pause)
		pause = min(pause*2, s.longPause())
	}
	return nil
}

// open begins a run.
func (s *Source) open() {
	s.guard = watched.NewGuard(s.env)
	s.tree = watched.NewTree(s.env, s.report)
	s.files, s.refused = map[watched.ID]*file{}, map[string]string{}
	s.order, s.lost, s.began, s.restart = nil, nil, false, false
	s.told = counts{files: -1}
}

// How long the source sleeps: briefly after something happened, then longer and longer. A watcher that works wakes it early.
const (
	shortPause    = 50 * time.Millisecond
	pollPause     = time.Second      // longest, when nothing tells of changes
	watchPause    = 10 * time.Second // longest, when the watcher works
	gatherPause   = 25 * time.Millisecond
	minScanPause  = 50 * time.Millisecond
	fullScanPause = 10 * time.Second
	noteEvery     = time.Second
)

func (s *Source) longPause() time.Duration {
	if s.tree.Watched() {
		return watchPause
	}
	return pollPause
}

// wait sleeps until something may have changed. Lines that trickle in are gathered for a moment, so that they share a batch, and a
// round that costs much is repeated less often.
func (s *Source) wait(ctx context.Context, start time.Time, progress bool, pause time.Duration) {
	cost := time.Since(start)
	if progress {
		cost = 0
	}
	if gap := max(min(s.env.Batch.MaxWait/4, gatherPause), 10*cost); gap > 0 {
		watched.Sleep(ctx, gap)
		pause -= gap
	}
	if !s.due.IsZero() {
		pause = min(pause, time.Until(s.due))
	}
	if pause <= 0 {
		return
	}
	s.tree.Wait(ctx, pause)
}

// round looks once at everything and emits what is there.
func (s *Source) round(ctx context.Context, out flow.Emitter) (progress bool, err error) {
	s.due = time.Time{}
	if s.scanDue() {
		s.scan()
	}
	ready, bytes := s.poll()
	if len(ready) > 0 {
		if progress, err = s.read(ctx, out, ready, bytes); err != nil {
			return progress, err
		}
	}
	s.settle()
	s.saveNotes(false)
	s.tell()
	return progress, nil
}

// poll finds the files that have something to read, and how many bytes about.
func (s *Source) poll() (ready []*file, bytes int64) {
	now := time.Now()
	for _, f := range s.order {
		n, err := s.look(f, now)
		switch {
		case err != nil:
			s.trouble(f, err)
		case n > 0:
			ready = append(ready, f)
			bytes += n
		}
		s.spare(f)
	}
	return ready, bytes
}

// wake asks for a round at a certain time.
func (s *Source) wake(at time.Time) {
	if s.due.IsZero() || at.Before(s.due) {
		s.due = at
	}
}

// read takes a batch from each file in turn until all that is ready was read. Small pieces of many files share a batch.
func (s *Source) read(ctx context.Context, out flow.Emitter, ready []*file, bytes int64) (progress bool, err error) {
	if ready, err = s.introduce(ctx, ready); err != nil {
		return false, err
	}
	var b *flow.Batch
	var in []*ledger
	for len(ready) > 0 {
		rest := ready[:0]
		for _, f := range ready {
			if b == nil {
				b, in = s.batch(bytes), nil
			}
			before := b.Len()
			full, err := s.fill(b, f)
			if b.Len() > before {
				in = append(in, f.led)
			}
			switch {
			case errors.Is(err, errCut):
				s.renew(f)
				s.wake(time.Now())
			case errors.Is(err, fs.ErrNotExist): // it lost its name before it was opened; the next scan finds out
				full = false
			case err != nil:
				s.trouble(f, err)
				full = false
			}
			if !full && b.Len() < s.limits.Events && len(b.Arena()) < s.limits.Bytes {
				continue
			}
			if full {
				rest = append(rest, f)
			}
			progress = true
			if err := s.emit(ctx, out, b, in); err != nil {
				return progress, err
			}
			b = nil
		}
		ready = rest
	}
	if b == nil {
		return progress, nil
	}
	if b.Len() == 0 {
		b.Release()
		return progress, nil
	}
	return true, s.emit(ctx, out, b, in)
}

// batch gives a batch with room for what is ready: a trickle must not pin a large block.
func (s *Source) batch(bytes int64) *flow.Batch {
	room := min(bytes+bytes/8+4096, int64(s.limits.Bytes)+128<<10)
	b := s.env.Pool.GetSized(int(room))
	b.SetBase(time.Now().UnixNano())
	return b
}

// emit hands a batch over and counts it as open for each of its keys.
func (s *Source) emit(ctx context.Context, out flow.Emitter, b *flow.Batch, in []*ledger) error {
	s.mu.Lock()
	for _, l := range in {
		l.open++
	}
	s.mu.Unlock()
	b.OnAck(func(o flow.Outcome) { s.acked(in, o) })
	return out.Emit(ctx, b)
}

func (s *Source) acked(in []*ledger, o flow.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range in {
		l.open--
		l.abandoned = l.abandoned || o == flow.Abandoned
	}
}

// isDone says whether all batches of a key are acknowledged for good, those too of a source that this one replaced.
func (s *Source) isDone(key string, l *ledger) bool {
	s.mu.Lock()
	done := l.open == 0 && !l.abandoned
	s.mu.Unlock()
	return done && s.env.Positions.Settled(key)
}

// introduce makes the keys of new files durable before anything of them is emitted: else a crash would leave events in channels
// whose key nobody knows, and the file would be read again under another one. A file of which nothing can be noted to know it by has to wait. It gives the others.
func (s *Source) introduce(ctx context.Context, ready []*file) ([]*file, error) {
	fresh, known := false, ready[:0]
	for _, f := range ready {
		if !f.saved {
			if err := s.know(ctx, f); ctx.Err() != nil {
				return nil, err
			} else if err != nil {
				if !errors.Is(err, fs.ErrNotExist) { // else the next scan finds out
					s.trouble(f, err)
				}
				continue
			}
			s.env.Positions.Note(f.rd.Key, f.note.Encode())
			fresh = true
		}
		known = append(known, f)
	}
	if !fresh {
		return known, nil
	}
	if err := s.env.Positions.Save(ctx); err != nil {
		return nil, fmt.Errorf("save the positions of new files: %w", err)
	}
	for _, f := range known {
		f.saved = true
	}
	return known, nil
}

// know makes the note of a new file.
func (s *Source) know(ctx context.Context, f *file) error {
	if err := s.openHandle(f); err != nil {
		return err
	}
	defer s.spare(f)
	if err := s.skipHole(ctx, f); err != nil {
		return err
	}
	return f.learn()
}

// saveNotes hands changed notes over, at most once a second.
func (s *Source) saveNotes(now bool) {
	if !now && time.Since(s.notedAt) < noteEvery {
		return
	}
	changed := false
	for _, f := range s.order {
		if !f.saved || !f.dirty {
			continue
		}
		if f.learn() != nil || f.dirty { // it could not be read just now
			continue
		}
		s.env.Positions.Note(f.rd.Key, f.note.Encode())
		changed = true
	}
	if changed {
		s.notedAt = time.Now()
	}
}

// close ends a run.
func (s *Source) close() {
	s.saveNotes(true)
	for _, f := range s.order {
		f.closeHandle()
	}
	if err := s.tree.Close(); err != nil { // nothing is lost: only reading handles
		s.env.Log.Debug("close", "err", err)
	}
}
