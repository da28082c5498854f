package roll

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"collect/providers/internal/roll/internal/journal"
	"collect/runtime/flow"
)

// publisher publishes queued groups, one after the other, until ctx ends.
func (s *Sink) publisher(ctx context.Context) {
	for {
		g := s.next()
		if g == nil {
			select {
			case <-s.kick:
				continue
			case <-ctx.Done():
				return
			}
		}
		if err := s.publish(ctx, g); err != nil && ctx.Err() != nil {
			return // Close decides what becomes of the group
		} else if err != nil {
			s.give(ctx, g, err)
		}
		s.mu.Lock()
		s.current = nil
		s.finished++
		close(s.finishedOne)
		s.finishedOne = make(chan struct{})
		s.mu.Unlock()
	}
}

func (s *Sink) next() *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || s.closed {
		return nil
	}
	s.current = s.queue[0]
	s.queue = slices.Delete(s.queue, 0, 1)
	return s.current
}

// give gives a group up: nothing of it was published, or not all.
func (s *Sink) give(ctx context.Context, g *group, err error) {
	s.drop(ctx, g)
	g.fail(err)
}

// publish makes the files of a group final and ends its batches. An error means that they are to be written again.
func (s *Sink) publish(ctx context.Context, g *group) error {
	for _, f := range g.files {
		if err := s.finish(f); err != nil {
			return err
		}
	}
	moves := make([]journal.Move, len(g.files))
	err := s.persist(ctx, func() error { return s.chooseNames(ctx, g.files, moves) })
	if err != nil {
		return err
	}
	ids := make([]flow.ID, 0, len(g.batches))
	for _, h := range g.batches {
		ids = append(ids, h.id)
	}
	after := s.done.With(ids)
	for _, h := range g.batches {
		after.Note(h.id, h.failed)
	}
	if len(g.files) > 0 {
		// The names of the temps must be durable before the intent: a missing one is taken for renamed.
		if err := s.syncTemps(ctx, moves); err != nil {
			return err
		}
		g.intended = true
		if err := s.intend(ctx, moves, after); err != nil {
			return err
		}
		if err := s.renameAll(ctx, g, moves, after); err != nil {
			return err
		}
	}
	s.done = after
	s.end(ctx, g)
	return nil
}

// end tells that the batches of a published group are delivered.
func (s *Sink) end(ctx context.Context, g *group) {
	for _, h := range g.batches {
		h.b.Done(flow.Result{Events: h.failed})
	}
	g.batches = nil
	if s.o.Published == nil {
		return
	}
	for _, f := range g.files {
		s.o.Published(ctx, f.dir, f.base)
	}
}

func (s *Sink) intend(ctx context.Context, moves []journal.Move, after *journal.Delivered) error {
	return s.persist(ctx, func() error {
		err := journal.WriteIntent(s.dir, s.o.Path.URL(), moves, after)
		if err != nil {
			return fmt.Errorf("record the roll: %w", err)
		}
		return nil
	})
}

// chooseNames gives each file a final name that nothing has.
func (s *Sink) chooseNames(ctx context.Context, files []*file, moves []journal.Move) error {
	taken := map[journal.Move]bool{}
	for i, f := range files {
		for {
			m := journal.Move{Dir: f.dir, Final: s.o.Final(f.name)}
			exists, err := s.backend.Exists(ctx, m.Dir, m.Final)
			if err != nil {
				return fmt.Errorf("look for %s: %w", s.url(m.Dir, m.Final), err)
			}
			if exists || taken[m] {
				f.name.Part++
				continue
			}
			taken[m] = true
			m.Temp = f.temp
			moves[i] = m
			break
		}
	}
	return nil
}

// renameAll renames what the intent names. Once that is recorded there is no way back but one: a temporary file that somebody else
// removed.
func (s *Sink) renameAll(ctx context.Context, g *group, moves []journal.Move, after *journal.Delivered) error {
	for i := range moves {
		tried := false // and its outcome is unknown
		err := s.persist(ctx, func() error {
			err := s.backend.Publish(ctx, moves[i].Dir, moves[i].Temp, moves[i].Final)
			for errors.Is(err, fs.ErrExist) {
				if err := s.chooseNames(ctx, g.files[i:i+1], moves[i:i+1]); err != nil {
					return err
				}
				if err := s.intend(ctx, moves, after); err != nil {
					return err
				}
				err = s.backend.Publish(ctx, moves[i].Dir, moves[i].Temp, moves[i].Final)
			}
			if errors.Is(err, fs.ErrNotExist) {
				there, lerr := s.backend.Exists(ctx, moves[i].Dir, moves[i].Final)
				if lerr == nil && there && tried {
					return nil // the earlier try did it
				}
				if lerr == nil {
					return vanished{s.url(moves[i].Dir, moves[i].Temp)}
				}
			}
			if err != nil {
				tried = true
				return fmt.Errorf("rename %s: %w", s.url(moves[i].Dir, moves[i].Temp), err)
			}
			return nil
		})
		if v := (vanished{}); errors.As(err, &v) {
			return s.retract(ctx, v)
		}
		if err != nil {
			return err
		}
		g.partly = true
	}
	return s.persist(ctx, func() error { return syncWhatIsThere(ctx, s.backend, dirsOf(moves)) })
}

// syncTemps makes the names of temporary files durable. Where a directory is gone, they are gone too.
func (s *Sink) syncTemps(ctx context.Context, moves []journal.Move) error {
	return s.persist(ctx, func() error {
		err := s.backend.SyncDirs(ctx, dirsOf(moves))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, m := range moves {
			there, lerr := s.backend.Exists(ctx, m.Dir, m.Temp)
			if lerr == nil && !there {
				return vanished{s.url(m.Dir, m.Temp)}
			}
		}
		return err
	})
}

func dirsOf(moves []journal.Move) []string {
	dirs := make([]string, 0, len(moves))
	for _, m := range moves {
		dirs = append(dirs, m.Dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// vanished says that a temporary file was removed by somebody else.
type vanished struct{ file string }

func (v vanished) Error() string {
	return "the temporary file " + v.file + " was removed by somebody else; its events are written again"
}

// retract takes a roll back out of the intent, so that its batches can be written again.
func (s *Sink) retract(ctx context.Context, v vanished) error {
	if err := s.intend(ctx, nil, s.done); err != nil {
		return err
	}
	return v
}

// persist tries until it succeeds or ctx ends. What nobody can mend by trying again is returned.
func (s *Sink) persist(ctx context.Context, f func() error) error {
	wait := 100 * time.Millisecond
	for failed := false; ; failed = true {
		err := f()
		if err == nil {
			if failed && s.env.Stats != nil {
				s.env.Stats.SetHealth(flow.OK, "")
			}
			return nil
		}
		if v := (vanished{}); ctx.Err() != nil || errors.As(err, &v) {
			return err
		}
		if s.env.Stats != nil {
			s.env.Stats.Error(err)
			s.env.Stats.SetHealth(flow.Retrying, err.Error())
		}
		s.env.Log.Warn("cannot publish files, trying again", "err", err, "wait", wait)
		if !pause(ctx, wait) {
			return err
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// pause waits and says whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// clock seals groups whose files are old or idle.
func (s *Sink) clock(ctx context.Context) {
	l := s.o.Limits
	if l.Idle == 0 && l.Interval == 0 {
		return
	}
	period := l.Idle
	if period == 0 || l.Interval > 0 && l.Interval < period {
		period = l.Interval
	}
	period = min(max(period/8, 10*time.Millisecond), time.Second)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		for s.tick(ctx) {
			if !pause(ctx, period) {
				return
			}
		}
	}
}

// tick says whether files are open still.
func (s *Sink) tick(ctx context.Context) bool {
	if s.gate.Enter(ctx) != nil {
		return false
	}
	defer s.gate.Leave()
	now := time.Now()
	for i := 0; i < len(s.list); {
		f := s.list[i]
		l := s.o.Limits
		if l.Idle > 0 && now.Sub(f.last) >= l.Idle || l.Interval > 0 && now.Sub(f.begun) >= l.Interval {
			s.seal(f.group) // changes the list
			i = 0
			continue
		}
		i++
	}
	return len(s.list) > 0
}
