package tail

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"collect/providers/internal/watched"
)

// idleHandle is how long the handle of a file that does not change stays open. When more than maxOpen files are followed, a file is only
// open while it is looked at, unless it lost its name: then the handle is the only way to it.
const (
	idleHandle = 5 * time.Minute
	maxOpen    = 2000
)

// settle ends what is over: files that lost their name, files to be deleted, handles that nobody needs.
func (s *Source) settle() {
	now := time.Now()
	for _, f := range slices.Clone(s.order) {
		if (f.known || f.size > 0) && !(f.known && f.readOut()) {
			continue
		}
		quiet := later(f.rotated, f.changed).Add(s.cfg.RotateWait)
		switch {
		case !f.rotated.IsZero() && now.Before(quiet):
			s.wake(quiet)
		case !f.rotated.IsZero() && !f.present:
			s.drop(f)
		case s.cfg.Delete == "after_ack" && f.present && f.size > 0:
			s.remove(f, now, quiet)
		case !f.rotated.IsZero() || s.many() || now.Sub(f.changed) > idleHandle:
			s.rest(f)
		}
	}
}

// many says whether more files are followed than may be open.
func (s *Source) many() bool { return len(s.order) > s.maxOpen }

// spare closes the handle of a file that can be opened again.
func (s *Source) spare(f *file) {
	if s.many() && f.present && f.rotated.IsZero() && !f.note.Packed {
		s.rest(f)
	}
}

// rest closes the handle of a file that does not change; it is looked at by name from then on.
func (s *Source) rest(f *file) {
	if f.h == nil {
		return
	}
	if f.dirty && f.saved {
		_ = f.learn() // the note may be older than what was read
		s.env.Positions.Note(f.rd.Key, f.note.Encode())
	}
	f.closeHandle()
}

// readOut says whether all of the file, as seen last, became events.
func (f *file) readOut() bool {
	if f.note.Packed {
		return f.flushed
	}
	return f.rd.Off >= f.size
}

// remove deletes a file when all its events are acknowledged and it is still what was read.
func (s *Source) remove(f *file, now, quiet time.Time) {
	if now.Before(quiet) {
		s.wake(quiet)
		return
	}
	if f.torn != nil { // the rest may come, and what is damaged cannot be read again once it is gone
		s.report(f.path(), fmt.Errorf("not deleted after it was read: %w", f.torn))
		return
	}
	if f.awaited = !s.isDone(f.rd.Key, f.led); f.awaited {
		s.wake(now.Add(pollPause / 4))
		return
	}
	info, err := f.dir.Dir.Stat(f.name)
	if err != nil || watched.IDOf(info) != f.note.ID() || info.Size != f.size || !info.ModTime.Equal(f.mtime) {
		return
	}
	if err := errors.Join(f.dir.Dir.Remove(f.name), f.dir.Dir.Sync()); err != nil {
		s.report(f.path(), fmt.Errorf("delete after acknowledgement: %w", err))
		s.wake(now.Add(pollPause))
		return
	}
	s.leave(f)
	s.env.Positions.Forget(f.rd.Key)
}
