package spooldir

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// candidate is a file in the folder.
type candidate struct {
	dir   *watched.Folder
	info  flow.Info
	since time.Time // when it was first seen like this
}

func (c candidate) path() string { return path.Join(c.dir.Dir.Path(), c.info.Name) }

// keepAbsent is how long a file that is gone is remembered: its disk may not be mounted for a while.
const keepAbsent = 7 * 24 * time.Hour

// loadNotes reads what earlier runs left.
func (s *Source) loadNotes() {
	s.begun = false
	for _, key := range s.env.Positions.Keys() {
		pos, raw, _ := s.env.Positions.Frontier(key)
		note, err := watched.DecodeNote(raw)
		if err != nil {
			s.env.Log.Warn("the note of a position is not readable; its file is read from the beginning", "key", key, "err", err)
			s.env.Positions.Forget(key)
			continue
		}
		s.noted[note.ID()] = &job{key: key, note: note, pos: int64(pos), saved: true}
		s.begun = s.begun || note.State == stateReading
	}
}

// look lists the folder and gives the files to read now, in order.
func (s *Source) look() []*job {
	now := time.Now()
	s.tree.Begin()
	seen := map[watched.ID]candidate{}
	finished := map[watched.ID]bool{}
	if root := s.tree.Root(s.cfg.Path); root != nil {
		s.walk(root, 0, seen, finished)
	}
	s.tree.End()
	s.due = time.Time{}
	fresh := s.settled(seen, now)
	if s.plan != nil && !s.window { // only what an earlier run began
		fresh = slices.DeleteFunc(fresh, func(c candidate) bool {
			j := s.noted[watched.IDOf(c.info)]
			return j == nil || j.note.State != stateReading
		})
		s.settling, s.due = map[watched.ID]candidate{}, time.Time{}
	}
	s.window = s.window && len(s.settling) > 0
	var take []*job
	for _, c := range fresh {
		j, err := s.take(c)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				s.report(c.path(), err)
			}
			continue
		}
		if j != nil {
			take = append(take, j)
		}
	}
	s.absent(seen, finished, now)
	s.looked = true
	return take
}

// maxDepth bounds how deep folders are read.
const maxDepth = 64

func (s *Source) walk(d *watched.Folder, depth int, seen map[watched.ID]candidate, finished map[watched.ID]bool) {
	for _, info := range d.List {
		switch {
		case info.Mode.IsDir() && s.cfg.Recursive && depth < maxDepth && !strings.HasPrefix(info.Name, "."):
			if sub := s.tree.Sub(d, info.Name); sub != nil {
				s.walk(sub, depth+1, seen, finished)
			}
		case !info.Mode.IsRegular():
		case strings.HasSuffix(info.Name, Completed):
			finished[watched.IDOf(info)] = true
		case matches(s.cfg.Include, info.Name) && !matches(s.cfg.Ignore, info.Name):
			seen[watched.IDOf(info)] = candidate{dir: d, info: info}
		}
	}
}

// matches says whether a name has one of the patterns. As in a shell, a leading dot must be written.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(p, ".") {
			return false
		}
		ok, err := doublestar.Match(p, name)
		return ok && err == nil
	})
}

// settled gives the files that are new and have not changed for a while, in order.
func (s *Source) settled(seen map[watched.ID]candidate, now time.Time) []candidate {
	var fresh []candidate
	still := map[watched.ID]candidate{}
	for id, c := range seen {
		if j := s.jobs[id]; j != nil {
			j.dir, j.name = c.dir, c.info.Name
			s.watchDone(j, c)
			if s.jobs[id] != nil {
				continue
			}
		}
		c.since = now
		if was, ok := s.settling[id]; ok && was.info.Size == c.info.Size && was.info.ModTime.Equal(c.info.ModTime) {
			c.since = was.since
		}
		// A file whose last change is long ago need not be looked at twice.
		from := c.since
		if c.info.ModTime.Before(from) {
			from = c.info.ModTime
		}
		if at := from.Add(s.cfg.Settle); now.Before(at) {
			still[id] = c
			if s.due.IsZero() || at.Before(s.due) {
				s.due = at
			}
			continue
		}
		fresh = append(fresh, c)
	}
	s.settling = still
	slices.SortFunc(fresh, s.before)
	return fresh
}

// before is the order in which files are read.
func (s *Source) before(a, b candidate) int {
	name := cmp.Or(cmp.Compare(a.info.Name, b.info.Name), cmp.Compare(a.dir.Dir.Path(), b.dir.Dir.Path()))
	switch s.cfg.Order {
	case "youngest":
		return cmp.Or(b.info.ModTime.Compare(a.info.ModTime), name)
	case "name":
		return name
	default:
		return cmp.Or(a.info.ModTime.Compare(b.info.ModTime), name)
	}
}

// watchDone looks whether a file that is remembered, or set aside, became another one.
func (s *Source) watchDone(j *job, c candidate) {
	if !changed(j.note, c.info) || j.note.State == stateReading || j.note.State == stateRead {
		return
	}
	j.pos = max(j.pos, j.rd.Off)
	delete(s.jobs, watched.IDOf(c.info))
	s.noted[watched.IDOf(c.info)] = j
}

func changed(n *watched.Note, info flow.Info) bool {
	return n.Size != info.Size || n.ModTime != info.ModTime.UnixNano()
}

// take begins a file, or goes on with one that an earlier run began. nil: there is nothing to read.
func (s *Source) take(c candidate) (*job, error) {
	h, info, err := s.guard.Open(c.dir.Dir, c.info.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // it was only read
	id := watched.IDOf(info)
	if id != watched.IDOf(c.info) || info.Size != c.info.Size || !info.ModTime.Equal(c.info.ModTime) {
		return nil, fs.ErrNotExist // it changed since the listing; the next one tells
	}
	j := s.noted[id]
	if j != nil {
		same, err := watched.NewContent(h).Is(j.note)
		if err != nil {
			return nil, err
		}
		delete(s.noted, id)
		// Positions of one format mean nothing in another one.
		if other := j.note.Format != s.cfg.Format && j.note.State != stateDone; !same || other {
			s.env.Positions.Forget(j.key)
			j = nil
		}
	}
	if j == nil {
		j = &job{key: watched.NewKey(s.env.Rand), note: &watched.Note{Name: c.path(), State: stateReading, Format: s.cfg.Format}}
		j.note.Size, j.note.ModTime = info.Size, info.ModTime.UnixNano()
		if err := j.note.LearnHead(h); err != nil {
			return nil, err
		}
	}
	moved := j.note.Path != "" && j.note.Path != c.path()
	missed := j.note.Gone > 0
	j.dir, j.name = c.dir, c.info.Name
	j.note.At(c.path(), info)
	if missed { // and may be missed again: that counts from then on
		s.env.Positions.Note(j.key, j.note.Encode())
	}
	s.jobs[id] = j
	return s.resume(j, info, moved), nil
}

// resume decides what is to be done with a file that is known by its content.
func (s *Source) resume(j *job, info flow.Info, moved bool) *job {
	j.rd = lines.Reader{Key: j.key, MaxLine: int(s.cfg.MaxLine), Meta: &flow.Meta{File: j.note.Name, Counted: s.cfg.Format == "avro"}}
	j.rd.Off = j.pos
	switch {
	case j.note.State == stateAside && !moved:
		return nil
	case j.note.State == stateAside: // the user put it in again
		j.note.State, j.note.Why = stateReading, ""
		j.note.Size, j.note.ModTime = info.Size, info.ModTime.UnixNano()
		j.saved = false
	case changed(j.note, info):
		s.setAside(j, errors.New("it changed after it was begun"))
		return nil
	case j.note.State == stateDone:
		return nil
	}
	return j
}

// absent forgets files that are not there any more.
func (s *Source) absent(seen map[watched.ID]candidate, finished map[watched.ID]bool, now time.Time) {
	for _, j := range ordered(s.jobs) {
		id := j.note.ID()
		if _, ok := seen[id]; ok || j.note.State == stateReading || j.note.State == stateRead {
			continue
		}
		delete(s.jobs, id)
		s.noted[id] = j
	}
	if s.tree.Missing() {
		return
	}
	for _, j := range ordered(s.noted) {
		id := j.note.ID()
		if _, ok := seen[id]; ok {
			continue
		}
		if j.note.Gone == 0 {
			j.note.Gone = now.Unix()
			s.env.Positions.Note(j.key, j.note.Encode())
		}
		// Under its new name it was completed just before a crash.
		if finished[id] || now.Sub(time.Unix(j.note.Gone, 0)) >= keepAbsent {
			delete(s.noted, id)
			s.env.Positions.Forget(j.key)
		}
	}
}
