package tail

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"

	"collect/providers/internal/watched"
)

// replaced says whether a file that seems to have another name now is another one, in the inode of the first: that can be when its handle
// was closed.
func (s *Source) replaced(f *file, at found) bool {
	if f.h != nil {
		return false
	}
	if f.note.Packed {
		return at.info.Size != f.size || !at.info.ModTime.Equal(f.mtime)
	}
	if !f.knowsTail() {
		return false
	}
	if at.info.Size < f.rd.Off {
		return true
	}
	h, info, err := s.guard.Open(at.dir.Dir, at.info.Name)
	if err != nil {
		return false
	}
	defer func() { _ = h.Close() }() // it was only read
	now, err := watched.Tail(h, f.rd.Off)
	return err == nil && watched.IDOf(info) == f.note.ID() && !bytes.Equal(now, f.rd.Tail)
}

// giveUp ends following a file whose inode holds something else now, which is found as a new file.
func (s *Source) giveUp(f *file) {
	if f.rd.Off > 0 && f.knowsTail() {
		f.note.SetTail(f.rd.Tail, f.rd.Off)
	}
	f.note.State = stateCut
	s.leave(f)
	s.lose(f, keepAbsent)
}

// findRotated looks, once after a start, for files that were renamed out of the patterns while nobody followed them. A folder that is
// not there, or empty, may not be mounted yet: it is looked through when it is.
func (s *Source) findRotated(now time.Time) {
	for _, l := range slices.Clone(s.lost) {
		if !l.unsought {
			continue
		}
		folderName, _ := path.Split(l.note.Path)
		d := s.tree.Get(path.Clean(folderName))
		if d == nil || len(d.List) == 0 {
			continue
		}
		l.unsought = false
		if !s.included(l.note.Path) || l.note.State == stateDeleted || s.files[l.note.ID()] != nil { // the file holds something else now
			continue
		}
		for _, info := range d.List {
			if watched.IDOf(info) != l.note.ID() || !info.Mode.IsRegular() || info.Size <= l.pos && !l.note.Packed {
				continue
			}
			err := s.adoptRotated(found{dir: d, info: info, caps: s.captures(l.note.Name)}, now)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				l.unsought = errors.Is(err, errMoved)
			case err != nil:
				l.unsought = !errors.Is(err, watched.ErrRefused) // such as too many open files
				s.failed = s.failed || l.unsought
				s.report(l.note.Path, err)
			}
		}
	}
}

// adoptRotated follows a file to its end under a name that no pattern has.
func (s *Source) adoptRotated(at found, now time.Time) error {
	f, err := s.adopt(at, now)
	if err != nil {
		return err
	}
	f.rotated, f.present = now, false
	if !f.saved { // another content: none of ours
		s.drop(f)
	}
	return nil
}
