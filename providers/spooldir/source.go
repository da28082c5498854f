package spooldir

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// Source reads a folder.
type Source struct {
	cfg    Config
	env    flow.Env
	plan   cron.Schedule // nil: always
	guard  watched.Guard
	limits lines.Limits

	tree     *watched.Tree
	jobs     map[watched.ID]*job      // files that were begun, and those that are remembered
	noted    map[watched.ID]*job      // what an earlier run left and was not seen yet
	settling map[watched.ID]candidate // files that are not taken yet, as seen first
	told     map[string]string        // errors that were reported, by name
	looked   bool                     // the folder was listed at least once
	begun    bool                     // an earlier run left files that it had begun
	nextLook time.Time                // when the schedule says so
	window   bool                     // it said so, and files that it found have not settled yet
	due      time.Time                // when a file will have settled

	mu   sync.Mutex // guards all below, and the ledgers of jobs
	wake func()     // ends the present sleep
	poke bool       // something was acknowledged since the last round
}

var _ flow.Source = (*Source)(nil)

// New makes the source.
func New(cfg Config, env flow.Env) (flow.Source, error) {
	s := &Source{cfg: cfg, env: env, limits: lines.Limits{Events: env.Batch.MaxEvents, Bytes: env.Batch.MaxBytes}}
	if cfg.Schedule != "" {
		var err error
		if s.plan, err = cron.ParseStandard(cfg.Schedule); err != nil {
			return nil, fmt.Errorf("schedule: %w", err)
		}
	}
	return s, nil
}

// How long the source sleeps: shortly after something happened, then longer and longer. A watcher that works wakes it early.
const (
	shortPause = 50 * time.Millisecond
	pollPause  = time.Second
	watchPause = 10 * time.Second
)

// Run reads files until ctx ends.
func (s *Source) Run(ctx context.Context, out flow.Emitter) error {
	s.guard = watched.NewGuard(s.env)
	s.tree = watched.NewTree(s.env, s.report)
	s.jobs, s.noted, s.settling, s.told = map[watched.ID]*job{}, map[watched.ID]*job{}, map[watched.ID]candidate{}, map[string]string{}
	s.looked = false
	defer s.close()
	s.loadNotes()
	// A run before in this process may have noted keys that it could not make durable. Here they pass for durable.
	if err := s.env.Positions.Save(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("save positions: %w", err)
	}
	s.window = false
	if s.plan != nil {
		s.nextLook = s.plan.Next(time.Now().UTC())
	}
	pause, ready := shortPause, false
	for ctx.Err() == nil {
		progress, err := s.round(ctx, out, &ready)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if progress {
			pause = shortPause
		}
		s.sleep(ctx, pause)
		pause = min(pause*2, pollPause)
		if s.tree.Watched() && s.plan == nil {
			pause = min(pause*2, watchPause)
		}
	}
	return nil
}

// round looks for files, reads those that may be taken, and ends those that are acknowledged.
func (s *Source) round(ctx context.Context, out flow.Emitter, ready *bool) (progress bool, err error) {
	s.mu.Lock()
	s.poke = false
	s.mu.Unlock()
	var take []*job
	if s.lookDue() {
		take = s.look()
	}
	if !*ready {
		*ready = true
		s.env.Ready()
	}
	if len(take) > 0 {
		if err := s.readAll(ctx, out, take); err != nil {
			return true, err
		}
	}
	done := s.finishAll()
	s.tell()
	return len(take) > 0 || done, nil
}

// lookDue says whether the folder may be looked into now. Outside the schedule that is only to go on with what was begun.
func (s *Source) lookDue() bool {
	if s.plan == nil || !s.looked && s.begun {
		return true
	}
	if now := time.Now(); !now.Before(s.nextLook) {
		s.nextLook, s.window = s.plan.Next(now.UTC()), true
	}
	return s.window
}

// sleep waits until something may have changed: in the folder, or by an acknowledgement.
func (s *Source) sleep(ctx context.Context, pause time.Duration) {
	if !s.due.IsZero() {
		pause = min(pause, max(time.Until(s.due), time.Millisecond))
	}
	if s.plan != nil {
		pause = min(pause, max(time.Until(s.nextLook), time.Millisecond))
	}
	waitCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.wake = cancel
	if s.poke {
		cancel()
	}
	s.mu.Unlock()
	s.tree.Wait(waitCtx, pause)
	s.mu.Lock()
	s.wake = nil
	s.mu.Unlock()
}

// readAll reads files one after the other; small ones share a batch.
func (s *Source) readAll(ctx context.Context, out flow.Emitter, take []*job) error {
	w := &writer{s: s, out: out}
	defer w.drop()
	for len(take) > 0 {
		n := min(len(take), maxShare)
		if err := s.introduce(ctx, take[:n]); err != nil {
			return err
		}
		for _, j := range take[:n] {
			if err := s.read(ctx, w, j); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		s.finishAll()
		take = take[n:]
	}
	return nil
}

// maxShare is how many files become known in one step.
const maxShare = 256

// introduce makes the keys of new files durable before anything of them is emitted.
func (s *Source) introduce(ctx context.Context, take []*job) error {
	fresh := false
	for _, j := range take {
		if !j.saved {
			s.env.Positions.Note(j.key, j.note.Encode())
			fresh = true
		}
	}
	if !fresh {
		return nil
	}
	if err := s.env.Positions.Save(ctx); err != nil {
		return fmt.Errorf("save the positions of new files: %w", err)
	}
	for _, j := range take {
		j.saved = true
	}
	return nil
}

// maxTold bounds how many errors are remembered, so that each is told once.
const maxTold = 10_000

// report tells of an error once, until it changes.
func (s *Source) report(name string, err error) {
	if s.told[name] == err.Error() {
		return
	}
	if len(s.told) >= maxTold { // names come and go where others may make them
		clear(s.told)
	}
	s.told[name] = err.Error()
	s.env.Stats.Error(err)
	s.env.Log.Warn("spooling folder", "file", name, "err", err)
}

// tell reports how the source is.
func (s *Source) tell() {
	open, aside := 0, 0
	for _, j := range s.jobs {
		switch j.note.State {
		case stateAside:
			aside++
		case stateDone:
		default:
			open++
		}
	}
	s.env.Stats.SetFacts(
		flow.Fact{Label: "open files", Value: strconv.Itoa(open)},
		flow.Fact{Label: "set aside", Value: strconv.Itoa(aside)},
	)
	switch {
	case s.tree.Missing():
		s.env.Stats.SetHealth(flow.Waiting, "the folder is not there: "+s.cfg.Path)
	case aside > 0:
		s.env.Stats.SetHealth(flow.OK, strconv.Itoa(aside)+" files are set aside because of errors")
	default:
		s.env.Stats.SetHealth(flow.OK, "")
	}
}

// close ends a run.
func (s *Source) close() {
	if err := s.tree.Close(); err != nil { // nothing is lost: only reading handles
		s.env.Log.Debug("close", "err", err)
	}
}
