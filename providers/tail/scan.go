package tail

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// found is a file that a scan came upon.
type found struct {
	dir  *watched.Folder
	info flow.Info
	caps []flow.Header
}

// maxDepth bounds how deep ** goes.
const maxDepth = 64

// scanDue says whether names may have changed since the last scan.
func (s *Source) scanDue() bool {
	since := time.Since(s.scanned)
	if since >= s.fullScan || s.tree.Missing() && since >= minScanPause {
		return true
	}
	if s.failed { // the folder need not change for a file to be readable again
		if since >= max(pollPause, 20*s.scanCost) {
			return true
		}
		s.wake(s.scanned.Add(max(pollPause, 20*s.scanCost)))
	}
	if since < max(minScanPause, 20*s.scanCost) {
		s.wake(s.scanned.Add(max(minScanPause, 20*s.scanCost)))
		return false
	}
	return s.tree.Changed()
}

// scan walks all patterns and brings the list of files up to date.
func (s *Source) scan() {
	start := time.Now()
	s.tree.Begin()
	seen := map[watched.ID]found{}
	for _, p := range s.include {
		if root := s.tree.Root(p.root); root != nil {
			s.walk(root, p.segs, nil, 0, seen)
		}
	}
	s.tree.End()
	s.update(seen, start)
	s.scanned, s.scanCost = time.Now(), time.Since(start)
	s.began = true
}

// walk collects the files below d that match.
func (s *Source) walk(d *watched.Folder, segs []segment, caps []flow.Header, depth int, seen map[watched.ID]found) {
	if d == nil || depth > maxDepth {
		return
	}
	deep, last := segs[0].deep, len(segs) == 1
	if deep && !last {
		s.walk(d, segs[1:], caps, depth, seen)
	}
	for _, info := range d.List {
		got, ok := caps, true
		if !deep {
			got, ok = segs[0].match(info.Name, caps)
		}
		if !ok {
			continue
		}
		switch {
		case info.Mode.IsDir() && deep:
			s.walk(s.tree.Sub(d, info.Name), segs, caps, depth+1, seen)
		case info.Mode.IsDir() && !last:
			s.walk(s.tree.Sub(d, info.Name), segs[1:], got, depth+1, seen)
		case info.Mode.IsRegular() && last:
			s.see(found{d, info, got}, seen)
		}
	}
}

func (s *Source) see(f found, seen map[watched.ID]found) {
	full := path.Join(f.dir.Dir.Path(), f.info.Name)
	for _, p := range s.exclude {
		if p.matches(full) {
			return
		}
	}
	if _, twice := seen[watched.IDOf(f.info)]; !twice {
		seen[watched.IDOf(f.info)] = f
	}
}

// update compares what a scan saw with what is followed.
func (s *Source) update(seen map[watched.ID]found, now time.Time) {
	for _, f := range slices.Clone(s.order) {
		at, ok := seen[f.note.ID()]
		was := f.present
		f.present = ok
		if !ok {
			if was { // also when it had lost another name before
				f.rotated = now
				s.reach(f)
			}
			continue
		}
		if at.dir != f.dir || at.info.Name != f.name {
			if s.replaced(f, at) {
				s.giveUp(f)
				continue
			}
			f.dir, f.name, f.dirty = at.dir, at.info.Name, true
			f.rotated = now
		}
	}
	s.failed = false
	s.sorting = true
	later := s.adoptAll(s.fresh(seen), now)
	s.sorting = false
	s.adoptAll(later, now)
	s.findRotated(now)
	s.forgetLost(now)
}

// adoptAll begins to follow files, and gives those whose turn comes later.
func (s *Source) adoptAll(fresh []found, now time.Time) (later []found) {
	for _, at := range fresh {
		_, err := s.adopt(at, now)
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errLater):
			later = append(later, at)
		default:
			s.failed = s.failed || !errors.Is(err, watched.ErrRefused)
			s.report(path.Join(at.dir.Dir.Path(), at.info.Name), err)
		}
	}
	return later
}

// errMoved says that a name stands for another file than it did when the folder was listed.
var errMoved = fmt.Errorf("renamed: %w", fs.ErrNotExist)

// errLater says that a file is not what its note says: it was cut, or has an inode that was another file's. It may be the copy of one
// that is known to have been cut only when all notes were compared.
var errLater = errors.New("not decided before others")

// reach opens a file whose handle was closed and that has a name now that no pattern has: else what was written before it was
// renamed would be out of reach.
func (s *Source) reach(f *file) {
	if f.h != nil {
		return
	}
	for _, info := range f.dir.List {
		if watched.IDOf(info) != f.note.ID() || !info.Mode.IsRegular() {
			continue
		}
		f.name = info.Name
		if err := s.openHandle(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.report(f.path(), err)
		}
		return
	}
}

// fresh lists what is not followed yet: files that a note names first, so that no copy takes their place, then the oldest.
func (s *Source) fresh(seen map[watched.ID]found) []found {
	var fresh []found
	noted := map[watched.ID]bool{}
	for _, l := range s.lost {
		noted[l.note.ID()] = true
	}
	for id, at := range seen {
		if s.files[id] == nil {
			fresh = append(fresh, at)
		}
	}
	slices.SortFunc(fresh, func(a, b found) int {
		if na, nb := noted[watched.IDOf(a.info)], noted[watched.IDOf(b.info)]; na != nb {
			if na {
				return -1
			}
			return 1
		}
		return cmp.Or(a.info.ModTime.Compare(b.info.ModTime), cmp.Compare(a.dir.Dir.Path(), b.dir.Dir.Path()),
			cmp.Compare(a.info.Name, b.info.Name))
	})
	return fresh
}

// adopt begins to follow a file: where an earlier run stopped, where its content was read under another name, or anew.
func (s *Source) adopt(at found, now time.Time) (*file, error) {
	h, info, err := s.guard.Open(at.dir.Dir, at.info.Name)
	if err == nil && watched.IDOf(info) != watched.IDOf(at.info) { // renamed since the listing; the next one tells
		err = errors.Join(errMoved, h.Close())
	}
	if err != nil {
		return nil, err
	}
	full := path.Join(at.dir.Dir.Path(), at.info.Name)
	f := &file{
		dir: at.dir, name: at.info.Name, h: h, size: info.Size, mtime: info.ModTime, changed: now, links: info.Links, present: true,
		note: &watched.Note{Name: full}, rd: lines.Reader{MaxLine: int(s.cfg.MaxLine), First: s.first}, led: &ledger{},
	}
	f.note.At(full, info)
	f.rd.Meta = &flow.Meta{File: full}
	if len(at.caps) > 0 {
		f.rd.Meta.Headers = flow.AppendHeaderBlock(nil, at.caps)
	}
	if f.rd.Encoding, err = lines.NewEncoding(s.cfg.Encoding); err == nil {
		err = s.identify(f, now)
	}
	if err != nil {
		f.closeHandle()
		return nil, err
	}
	delete(s.refused, full)
	s.files[f.note.ID()] = f
	s.order = append(s.order, f)
	s.spare(f)
	return f, nil
}

// identify gives a new file its key and position, or holds it back until that can be decided.
func (s *Source) identify(f *file, now time.Time) error {
	if err := s.unpacks(f); err != nil {
		return err
	}
	if f.note.Packed && !s.noted(f) {
		f.held = later(now, f.mtime.Add(s.cfg.RotateWait))
		return nil
	}
	return s.decide(f, now, false)
}

// unpacks opens a file and looks whether it is compressed.
func (s *Source) unpacks(f *file) error {
	err := s.openHandle(f)
	if err != nil || s.cfg.Compression != "auto" || f.note.Packed {
		return err
	}
	if f.note.Packed, err = watched.IsPacked(f.name, f.h); err != nil {
		return err
	}
	return s.openHandle(f)
}

// decide finds out what a file is: one that was read before under another name, one that may become the copy of another one and
// waits, or a new one. patient says that it has waited long enough.
func (s *Source) decide(f *file, now time.Time, patient bool) error {
	if f.size == 0 { // there is nothing to tell it by, and nothing to read
		for _, l := range s.lost {
			s.cutShort(l, f)
		}
		return nil
	}
	was := f.note.Packed
	if err := s.unpacks(f); err != nil {
		return err
	}
	if f.note.Packed && !was { // it was empty when it was found
		f.held = now.Add(s.cfg.RotateWait)
		return nil
	}
	if took, err := s.takeOver(f); took || err != nil {
		return err
	}
	if s.sorting && f.anew {
		return errLater
	}
	twin, err := s.copyOf(f)
	if err != nil {
		return err
	}
	// As long as the content of a compressed file is followed in another file, there is nothing new in it.
	if twin && (!patient || f.note.Packed) {
		f.held = now.Add(s.cfg.RotateWait)
		if f.heldFrom.IsZero() {
			f.heldFrom = now
		}
		return nil
	}
	return s.anew(f)
}

// anew gives a file a key of its own.
func (s *Source) anew(f *file) error {
	f.known, f.held = true, time.Time{}
	f.rd.Key = watched.NewKey(s.env.Rand)
	if !s.began && !s.restart && s.cfg.StartAt == "end" && !f.note.Packed {
		start, err := f.rd.LastLineEnd(f.h, f.size)
		if err != nil {
			return err
		}
		f.note.Start = start
		f.rd.Rewind(start)
		return s.resume(f)
	}
	return nil
}

// resume prepares reading in the middle of a file.
func (s *Source) resume(f *file) error {
	if f.rd.Off == 0 {
		return nil
	}
	if !f.note.Packed {
		var err error
		if f.rd.Tail, err = watched.Tail(f.h, f.rd.Off); err != nil {
			return err
		}
	}
	return f.rd.Resume(f.src())
}
