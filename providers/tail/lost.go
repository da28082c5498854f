package tail

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// lostFile is what is known of a file that is not there, or not any more with that content. It may turn up again: renamed while
// nobody looked, as the copy that a rotation made before it cut the file, or compressed. Any other file of the same content is
// one of its own: a job that writes the same words each day has written them each day.
type lostFile struct {
	key   string
	note  *watched.Note
	pos   int64
	since time.Time
	led   *ledger // its batches that are not acknowledged
	keep  time.Duration
	// unsought: an earlier run left it, and its folder was not looked through yet for the name that it may have now.
	unsought bool
}

// The states of a note whose file was cut and holds something else now, and of one whose file lost its last name. That one can only
// come again compressed: a file with its inode is another one.
const (
	stateCut     = "cut"
	stateDeleted = "deleted"
)

// copyTime is how much later than the cut a copy may seem to be written: clocks of file systems are coarse, and the cut is
// seen a moment after it happened, or before.
const copyTime = 2 * time.Second

// copied says whether a plain file with the same content may be the copy that was made before the file was cut.
func (l *lostFile) copied(f *file) bool {
	return l.note.State == stateCut && !f.mtime.After(l.since.Add(copyTime))
}

// loadNotes reads what earlier runs left.
func (s *Source) loadNotes() {
	for _, key := range s.env.Positions.Keys() {
		if key == beganKey {
			s.restart = true
			continue
		}
		pos, raw, _ := s.env.Positions.Frontier(key)
		note, err := watched.DecodeNote(raw)
		if err != nil {
			s.env.Log.Warn("the note of a position is not readable; its file is read from the beginning", "key", key, "err", err)
			s.env.Positions.Forget(key)
			continue
		}
		s.restart = true
		since := time.Now()
		if note.Gone > 0 {
			since = time.Unix(note.Gone, 0)
		}
		s.lost = append(s.lost, &lostFile{key: key, note: note, pos: max(int64(pos), note.Start), since: since, led: &ledger{}, keep: keepAbsent, unsought: true})
	}
}

// beganKey is no file: its note says that the source has run before, also when there was no file or nothing new in one.
const beganKey = "began"

// rememberStart notes at the very first start that it happened: what is written from here on is read, also after a restart that comes
// before the first event.
func (s *Source) rememberStart(ctx context.Context) error {
	if s.cfg.StartAt != "end" || s.restart {
		return nil
	}
	for _, f := range s.order {
		if f.known {
			_ = f.learn() // the note may be older than what was read
			s.env.Positions.Note(f.rd.Key, f.note.Encode())
			f.saved = true
		}
	}
	s.env.Positions.Note(beganKey, (&watched.Note{}).Encode())
	if err := s.env.Positions.Save(ctx); err != nil {
		return fmt.Errorf("save where reading begins: %w", err)
	}
	return nil
}

// noted says whether a note of an earlier run names this file.
func (s *Source) noted(f *file) bool {
	return slices.ContainsFunc(s.lost, func(l *lostFile) bool {
		return l.names(f) && l.note.Packed == f.note.Packed && l.note.State != stateDeleted
	})
}

// names says whether the note is about this file, as the file system calls it. Device numbers may change when a machine starts.
func (l *lostFile) names(f *file) bool {
	return l.note.Ino == f.note.Ino && (l.note.Dev == f.note.Dev || l.note.Path == f.note.Path)
}

// takeOver lets f go on where its content was read before: in an earlier run, under another name, or before it was
// compressed. It takes the key, so that what was not acknowledged comes again.
func (s *Source) takeOver(f *file) (bool, error) {
	l, err := s.recognise(f)
	if l == nil || err != nil {
		return false, err
	}
	f.rd.Rewind(l.pos)
	if err := s.resume(f); err != nil { // else the next look would take it for a new file
		f.rd.Rewind(0)
		s.lost = append(s.lost, l)
		return false, err
	}
	packed, path, id := f.note.Packed, f.note.Path, f.note.ID()
	f.saved = l.names(f)
	f.note, f.led, f.known, f.held = l.note, l.led, true, time.Time{}
	f.note.Path, f.note.Dev, f.note.Ino, f.note.Packed, f.note.Gone, f.note.State = path, id.Dev, id.Ino, packed, 0, ""
	f.rd.Key = l.key
	f.rd.Meta.File = l.note.Name
	f.dirty = true
	return true, nil
}

// recognise finds the note whose content a file has, and removes it from the lost ones: the one that names the file, else one
// of which the file may be a copy.
func (s *Source) recognise(f *file) (*lostFile, error) {
	content := watched.NewContent(f.src())
	for i, l := range s.lost {
		if !l.names(f) || l.note.Packed != f.note.Packed || l.note.State == stateDeleted || s.cutShort(l, f) {
			continue
		}
		same, err := content.Is(l.note)
		if err != nil {
			return nil, err
		}
		if same {
			s.lost = slices.Delete(s.lost, i, i+1)
			return l, nil
		}
		s.wasCut(l)
		f.anew = true
	}
	for i, l := range s.lost {
		if !l.note.Distinctive() || !f.note.Packed && (f.size < l.pos || !l.copied(f)) {
			continue
		}
		same, err := content.Is(l.note)
		if err != nil {
			return nil, err
		}
		if same {
			s.lost = slices.Delete(s.lost, i, i+1)
			return l, nil
		}
	}
	return nil, nil
}

// cutShort says whether a file of a note was cut and is shorter now than what was read of it, or seen when it was noted.
func (s *Source) cutShort(l *lostFile, f *file) bool {
	if !l.names(f) || f.note.Packed || l.note.Packed || f.size >= max(l.pos, l.note.TailAt, int64(l.note.HeadLen)) {
		return false
	}
	s.wasCut(l)
	f.anew = true
	return true
}

// wasCut notes that a file holds something else than it did.
func (s *Source) wasCut(l *lostFile) {
	if l.note.State != "" || l.note.Packed {
		return
	}
	l.note.State, l.since = stateCut, time.Now()
	s.env.Positions.Note(l.key, l.note.Encode())
}

// copyOf says whether a new file has the content of one in the same folder, or its beginning, as a copy that is still being
// written has. A rotation may be about to cut the other one: then the copy is the place to go on, and must not be read from its
// beginning.
func (s *Source) copyOf(f *file) (bool, error) {
	content := watched.NewContent(f.src())
	begin, err := watched.ReadFull(f.src(), 0, beginLen)
	if err != nil {
		return false, err
	}
	for _, o := range s.order {
		if o == f || o.dir != f.dir || !o.known || o.rd.Off == 0 || o.note.Packed || !o.mayBegin(begin) {
			continue
		}
		same, err := s.copies(f, o, content)
		if same || err != nil {
			return same, err
		}
	}
	for _, l := range s.lost { // cut before the copy was complete
		if f.note.Packed || f.size >= l.pos || !l.copied(f) || time.Since(l.since) > s.cfg.RotateWait || !l.note.Distinctive() {
			continue
		}
		if f.size < int64(l.note.HeadLen) {
			return true, nil
		}
		same, err := content.Begins(l.note)
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// beginLen is how many bytes of a file's beginning are kept to compare new files with, so that not each file is opened for each.
const beginLen = 32

// mayBegin says whether the file may begin with those bytes.
func (f *file) mayBegin(begin []byte) bool {
	n := min(len(f.begin), len(begin))
	return bytes.Equal(f.begin[:n], begin[:n])
}

// copies compares f with a file that is being followed.
func (s *Source) copies(f, o *file, content *watched.Content) (bool, error) {
	if f.note.Packed || f.size >= o.rd.Off {
		if o.learn() != nil || !o.note.Distinctive() {
			return false, nil
		}
		return content.Is(o.note)
	}
	if s.openHandle(o) != nil { // it is gone; the next scan sees that
		return false, nil
	}
	defer s.spare(o)
	if len(o.begin) < beginLen {
		var err error
		if o.begin, err = watched.ReadFull(o.h, 0, beginLen); err != nil {
			return false, err
		}
	}
	same, err := watched.Prefix(o.h, f.h, f.size)
	if err != nil || same {
		return same, err
	}
	info, err := o.h.Stat()
	return info.Size < o.rd.Off, err // cut while we compared: the next look knows more
}

// renew begins a file anew that was cut: its content so far may turn up in a copy.
func (s *Source) renew(f *file) {
	if f.rd.Off > 0 && f.knowsTail() {
		f.note.SetTail(f.rd.Tail, f.rd.Off)
	}
	s.env.Log.Info("file was cut and is read from its beginning", "file", f.path(), "position", f.rd.Off)
	f.closePack()
	next := *f
	next.note = &watched.Note{Name: f.note.Name, Path: f.note.Path, Dev: f.note.Dev, Ino: f.note.Ino}
	next.rd.Key = watched.NewKey(s.env.Rand)
	next.rd.Rewind(0)
	next.waits, next.saved, next.dirty, next.flushed, next.held, next.known = false, false, false, false, time.Time{}, true
	next.heldFrom, next.begin, next.anew, next.torn = time.Time{}, nil, true, nil
	next.led = &ledger{}
	meta := *f.rd.Meta
	next.rd.Meta = &meta
	s.files[f.note.ID()] = &next
	s.order[slices.Index(s.order, f)] = &next
	f.note.State = stateCut
	s.lose(f, keepAbsent)
}

// drop ends following a file that is gone.
func (s *Source) drop(f *file) {
	keep := keepAbsent
	if f.links == 0 {
		keep, f.note.State = keepDeleted, stateDeleted
	}
	if f.saved {
		_ = f.learn() // the note may be older than what was read
	}
	s.leave(f)
	s.lose(f, keep)
}

// leave ends following a file.
func (s *Source) leave(f *file) {
	f.closeHandle()
	delete(s.files, f.note.ID())
	s.order = slices.DeleteFunc(s.order, func(o *file) bool { return o == f })
}

// lose remembers a file that is gone, and looks whether one that was held back is its copy.
func (s *Source) lose(f *file, keep time.Duration) {
	if !f.saved {
		return
	}
	now := time.Now()
	f.note.Gone = now.Unix()
	s.env.Positions.Note(f.rd.Key, f.note.Encode())
	s.lost = append(s.lost, &lostFile{key: f.rd.Key, note: f.note, pos: f.rd.Off, since: now, led: f.led, keep: keep})
	s.forgetOlder(f.note.Path)
	for _, o := range s.order {
		if o.held.IsZero() || o.known || o.note.Packed && now.Before(o.held) || s.openHandle(o) != nil {
			continue
		}
		if _, err := s.takeOver(o); err != nil {
			s.trouble(o, err)
		}
	}
}

func (s *Source) included(full string) bool {
	for _, p := range s.exclude {
		if p.matches(full) {
			return false
		}
	}
	return slices.ContainsFunc(s.include, func(p pattern) bool { return p.matches(full) })
}

// captures gives the headers that the patterns take from a path.
func (s *Source) captures(full string) []flow.Header {
	for _, p := range s.include {
		if caps, ok := p.captures(full); ok {
			return caps
		}
	}
	return nil
}
