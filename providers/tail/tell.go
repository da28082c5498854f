package tail

import (
	"strconv"
	"time"

	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// trouble reports an error of one file; the others go on. The file is opened anew, unless it has lost its name: then the handle is the
// only way to what it still holds.
func (s *Source) trouble(f *file, err error) {
	f.closePack()
	if h, info, oerr := s.guard.Open(f.dir.Dir, f.name); oerr == nil {
		if watched.IDOf(info) == f.note.ID() {
			f.closeHandle()
			f.h, h = h, nil
		}
		if h != nil {
			_ = h.Close() // another file, which was only looked at
		}
	}
	f.waits = false // look again, also when it does not change
	s.report(f.path(), err)
	s.wake(time.Now().Add(pollPause))
}

// maxRefused bounds how many errors are remembered, so that each is told once.
const maxRefused = 10_000

// report tells of an error once, until it changes.
func (s *Source) report(path string, err error) {
	if s.refused[path] == err.Error() {
		return
	}
	if len(s.refused) >= maxRefused { // names come and go where others may make them
		clear(s.refused)
	}
	s.refused[path] = err.Error()
	s.env.Stats.Error(err)
	s.env.Log.Warn("file is not read", "file", path, "err", err)
}

// counts are how many files are followed, and what some of them wait for.
type counts struct{ files, held, acked int }

// tell reports how the source is, when that changed.
func (s *Source) tell() {
	now := counts{files: len(s.files)}
	for _, f := range s.order {
		if !f.known && !f.held.IsZero() {
			now.held++
		}
		if f.awaited {
			now.acked++
		}
	}
	if s.told == now {
		return
	}
	s.told = now
	facts := []flow.Fact{{Label: "files", Value: strconv.Itoa(now.files)}}
	if now.held > 0 {
		facts = append(facts, flow.Fact{Label: "perhaps copies", Value: strconv.Itoa(now.held)})
	}
	if now.acked > 0 {
		facts = append(facts, flow.Fact{Label: "deleted when acknowledged", Value: strconv.Itoa(now.acked)})
	}
	s.env.Stats.SetFacts(facts...)
	if now.files == 0 {
		s.env.Stats.SetHealth(flow.Waiting, "no file matches include")
	} else {
		s.env.Stats.SetHealth(flow.OK, "")
	}
}
