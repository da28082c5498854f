package tail

import (
	"bytes"
	"errors"
	"time"

	"collect/providers/internal/lines"
	"collect/providers/internal/watched"
	"collect/runtime/flow"
)

// verify says whether a file that changed still holds what was read of it. If not, it was cut and began anew.
func (s *Source) verify(f *file) (bool, error) {
	if f.note.Packed {
		return s.stillPacked(f)
	}
	if f.size < f.rd.Off {
		return false, nil
	}
	if err := s.openHandle(f); err != nil {
		return false, err
	}
	if !f.knowsTail() {
		return true, nil
	}
	now, err := watched.Tail(f.h, f.rd.Off)
	if err != nil || !bytes.Equal(now, f.rd.Tail) {
		return false, err
	}
	if f.size > f.rd.Off || !f.saved {
		return true, nil
	}
	return watched.NewContent(f.h).Begins(f.note) // it did not grow, and yet something changed
}

// stillPacked says whether a compressed file that changed is one still, and not what came into its inode later.
func (s *Source) stillPacked(f *file) (bool, error) {
	if f.size == 0 {
		return true, nil
	}
	if err := s.openHandle(f); err != nil {
		return false, err
	}
	is, err := watched.IsPacked(f.name, f.h)
	return is || err != nil, err
}

// fill adds what can be read of f to b.
func (s *Source) fill(b *flow.Batch, f *file) (full bool, err error) {
	if err := s.openHandle(f); err != nil {
		return false, err
	}
	defer s.spare(f)
	end, at := s.end(f)
	switch {
	case f.note.Packed:
		return s.fillPacked(b, f)
	case end == lines.Wait || time.Now().Before(at):
		end = lines.Wait
	default:
		f.flushed = true
	}
	if err := f.intact(); err != nil {
		return false, err
	}
	before := f.rd.Off
	full, err = f.rd.Fill(b, f.h, f.size, s.limits, end)
	f.dirty = f.dirty || f.rd.Off != before || f.note.HeadLen == 0
	if err != nil {
		return false, err
	}
	if full {
		return true, nil
	}
	f.waits = f.rd.Off < f.size
	if f.waits && !f.flushed {
		if end, at := s.end(f); end != lines.Wait {
			s.wake(at)
		}
	}
	return false, nil
}

// errCut says that a file was cut since it was looked at. Much time may have passed since: channels are full at times.
var errCut = errors.New("the file was cut")

// intact says whether what was read last is still in the file.
func (f *file) intact() error {
	if f.rd.Off == 0 || !f.knowsTail() {
		return nil
	}
	now, err := watched.Tail(f.h, f.rd.Off)
	if err == nil && !bytes.Equal(now, f.rd.Tail) {
		return errCut
	}
	return err
}

// fillPacked reads a compressed file, which is taken when it has not changed for a while. One that ends too early may go on later.
func (s *Source) fillPacked(b *flow.Batch, f *file) (full bool, err error) {
	if full, err = f.rd.Fill(b, f.src(), -1, s.limits, lines.Wait); full || err != nil {
		return full, err
	}
	f.dirty = true
	end := lines.Last
	if f.torn = f.pack.Torn(); f.torn != nil {
		end = lines.Torn
		s.report(f.path(), f.torn)
	}
	full, err = f.rd.Fill(b, f.src(), -1, s.limits, end)
	f.flushed = !full
	return full, err
}
