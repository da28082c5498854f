package tail

import (
	"bytes"
	"context"
	"errors"
	"io"

	"collect/providers/internal/watched"
)

// skipHole begins a file that was cut behind the hole that its writer made. One that does not append goes on at its old position: the
// system fills what lies before it with zero bytes, which nobody wrote, often gigabytes of them.
func (s *Source) skipHole(ctx context.Context, f *file) error {
	if !f.anew || f.rd.Off > 0 || f.note.Packed || s.cfg.Encoding == "utf-16" || s.cfg.Encoding == "utf-16be" {
		return nil
	}
	buf := make([]byte, 64<<10)
	for at := int64(0); at < f.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.h.ReadAt(buf[:min(int64(len(buf)), f.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		zero := n - len(bytes.TrimLeft(buf[:n], "\x00"))
		at += int64(zero)
		switch {
		case n > 0 && zero == n:
		case n == 0 || at == 0:
			return nil
		default:
			s.env.Log.Info("the hole before what was written after a cut is left out", "file", f.path(), "bytes", at)
			f.note.Start = at
			f.rd.Rewind(at)
			f.rd.Tail = make([]byte, min(at, watched.TailLen))
			return nil
		}
	}
	return nil
}
