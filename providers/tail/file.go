package tail

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// file is one generation of a file: from its first byte until it is deleted or cut.
type file struct {
	rd   lines.Reader
	note *watched.Note
	dir  *watched.Folder
	name string // in dir
	h    flow.File
	pack *watched.Packed // h, uncompressed

	size     int64 // as seen last
	mtime    time.Time
	changed  time.Time // when size or mtime changed last, by our clock
	waits    bool      // a half line, or a half event, is there
	rotated  time.Time // when its name was gone; zero: it has it
	held     time.Time // not read before this time: it may be the copy of another file
	heldFrom time.Time // since when
	known    bool      // its key and position are decided
	awaited  bool      // it was read out, and would be deleted if all was acknowledged
	present  bool      // the last scan saw it
	anew     bool      // it was cut; what is there now began later
	begin    []byte    // its first bytes, once it was compared with another file
	links    uint64    // names it has
	saved    bool      // its key is durable
	dirty    bool      // its note is older than what is known
	flushed  bool      // its half line was emitted
	torn     error     // compressed, and what it holds ends too early; nil: it does not
	led      *ledger
}

func (f *file) path() string { return path.Join(f.dir.Dir.Path(), f.name) }

// src gives what lines are read from.
func (f *file) src() io.ReaderAt {
	if f.pack != nil {
		return f.pack
	}
	return f.h
}

func (f *file) closePack() {
	if f.pack != nil {
		f.pack.Close()
		f.pack = nil
	}
}

func (f *file) closeHandle() {
	f.closePack()
	if f.h != nil {
		_ = f.h.Close() // it was only read
		f.h = nil
	}
}

// learn brings the note up to date. Without a handle, or after an error, it stays as it is, and an old note is right, too.
func (f *file) learn() error {
	if f.h == nil {
		return nil
	}
	f.note.Path = f.path()
	if err := f.note.LearnHead(f.src()); err != nil {
		return err
	}
	if f.rd.Off > 0 && f.knowsTail() && !f.note.Packed { // as it was when it was read: the file may have been cut since
		f.note.SetTail(f.rd.Tail, f.rd.Off)
	} else if err := f.note.LearnTail(f.src(), f.identifiedAt()); err != nil {
		return err
	}
	f.dirty = false
	return nil
}

// knowsTail says whether the reader has the bytes before its position, by which one sees whether the file was cut.
func (f *file) knowsTail() bool { return len(f.rd.Tail) == int(min(f.rd.Off, watched.TailLen)) }

// Both keep as much.
var _ = [1]struct{}{}[lines.KeepTail-watched.TailLen]

// identifiedAt is the position before which bytes are noted to know the file by: the one that was read to; for a new file its
// size, so that it is known from its first event on.
func (f *file) identifiedAt() int64 {
	if f.rd.Off == 0 && !f.note.Packed {
		return f.size
	}
	return f.rd.Off
}

// look finds out whether there is something to read in f, and how many bytes about.
func (s *Source) look(f *file, now time.Time) (int64, error) {
	info, err := s.stat(f)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // without a handle; the next scan finds out
			return 0, nil
		}
		return 0, err
	}
	f.links = info.Links
	changed := info.Size != f.size || !info.ModTime.Equal(f.mtime)
	if changed {
		f.size, f.mtime, f.changed, f.flushed = info.Size, info.ModTime, now, false
		if f.note.Packed { // still being written
			f.closePack()
			f.held = now.Add(s.cfg.RotateWait)
		}
		if ok, err := s.verify(f); err != nil || !ok {
			if err == nil {
				s.renew(f)
				s.wake(now)
			}
			return 0, err
		}
	}
	if waits := now.Before(f.held); !f.known && !(waits && (f.note.Packed || !changed)) {
		if err := s.decide(f, now, !changed && !f.held.IsZero() || f.heldLong(s.cfg.RotateWait, now)); err != nil {
			return 0, err
		}
	}
	if now.Before(f.held) {
		s.wake(f.held)
		return 0, nil
	}
	if !f.known {
		return 0, nil
	}
	return s.available(f, now)
}

// patience is for how many times rotate_wait a file is held back that grows and has the content of another one so far: the time to
// copy a large file.
const patience = 12

// heldLong says whether a file was held back so long that it is no copy: two services may say the same for ever.
func (f *file) heldLong(wait time.Duration, now time.Time) bool {
	return !f.heldFrom.IsZero() && now.Sub(f.heldFrom) >= patience*wait
}

// available says how much of an unchanged, or verified, file can be read.
func (s *Source) available(f *file, now time.Time) (int64, error) {
	if f.note.Packed {
		if f.flushed {
			return 0, nil
		}
		if err := s.openHandle(f); err != nil {
			return 0, err
		}
		return 4 * f.size, nil
	}
	left := f.size - f.rd.Off
	if left <= 0 {
		return 0, nil
	}
	if !f.waits {
		return left, nil
	}
	if f.changed.Equal(now) {
		return left, nil
	}
	if end, at := s.end(f); end != lines.Wait && !f.flushed {
		if !now.Before(at) {
			return left, nil
		}
		s.wake(at)
	}
	return 0, nil
}

// end says what follows from waiting longer for the end of a half line, and when.
func (s *Source) end(f *file) (lines.End, time.Time) {
	if !f.rotated.IsZero() || s.cfg.Delete == "after_ack" {
		return lines.Torn, later(f.rotated, f.changed).Add(s.cfg.RotateWait)
	}
	if s.first != nil {
		return lines.Flush, f.changed.Add(s.flushing)
	}
	return lines.Wait, time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stat looks at the file through its handle, or by name when it is closed.
func (s *Source) stat(f *file) (flow.Info, error) {
	if f.h != nil {
		return f.h.Stat()
	}
	info, err := f.dir.Dir.Stat(f.name)
	if err == nil && watched.IDOf(info) != f.note.ID() {
		return info, fs.ErrNotExist // another file has the name now
	}
	return info, err
}

// openHandle opens the file again when its handle was closed.
func (s *Source) openHandle(f *file) error {
	if f.h == nil {
		h, info, err := s.guard.Open(f.dir.Dir, f.name)
		if err != nil {
			return err
		}
		if watched.IDOf(info) != f.note.ID() {
			return errors.Join(fs.ErrNotExist, h.Close())
		}
		f.h = h
	}
	if f.note.Packed && f.pack == nil {
		f.pack = watched.NewPacked(f.name, f.h, f.size, 2*f.rd.MaxLine+1<<20)
	}
	return nil
}
