package roll

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"collect/providers/internal/roll/internal/journal"
)

// recover completes the intent of an earlier run, removes the temporary files that are in none, and gives what was delivered.
func (s *Sink) recover(ctx context.Context) (*journal.Delivered, error) {
	// A run that was killed may have left an intent that we see and that a power cut takes away, after we have renamed by it.
	if err := s.dir.Sync(); err != nil {
		return nil, fmt.Errorf("sync the sink's directory: %w", err)
	}
	in, err := journal.ReadIntent(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read the last roll: %w", err)
	}
	left, err := journal.ReadTemps(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read the list of temporary files: %w", err)
	}
	if len(in.Files) > 0 {
		err := s.at(ctx, in.Root, func(b Backend) error { return complete(ctx, b, in.Files) })
		if err != nil {
			return nil, fmt.Errorf("complete the last roll: %w", err)
		}
		s.env.Log.Info("completed the last roll", "files", len(in.Files))
	}
	if err := s.sweep(ctx, left); err != nil {
		return nil, err
	}
	return in.Done(), nil
}

// sweep removes temporary files of earlier runs. Those at a place that this configuration does not name any more, and that cannot be
// reached, must not stop it: they stay listed for the next start.
func (s *Sink) sweep(ctx context.Context, left []journal.Temp) error {
	s.leftover = nil
	for len(left) > 0 {
		root := left[0].Root
		var here, rest []journal.Temp
		for _, t := range left {
			if t.Root == root {
				here = append(here, t)
			} else {
				rest = append(rest, t)
			}
		}
		err := s.at(ctx, root, func(b Backend) error { return removeTemps(ctx, b, here) })
		switch {
		case err == nil:
		case root == s.o.Path.URL() || ctx.Err() != nil:
			return fmt.Errorf("remove temporary files: %w", err)
		default:
			s.keepListed(here...)
			s.env.Log.Warn("temporary files stay until the next start", "path", root, "files", len(here), "err", err)
		}
		left = rest
	}
	return nil
}

// removeTemps removes files durably: a power cut must not bring them back when no list knows them any more.
func removeTemps(ctx context.Context, b Backend, temps []journal.Temp) error {
	for _, t := range temps {
		if err := b.Remove(ctx, t.Dir, t.Name); err != nil {
			return err
		}
	}
	return syncRemoved(ctx, b, temps)
}

func syncRemoved(ctx context.Context, b Backend, temps []journal.Temp) error {
	dirs := make([]string, 0, len(temps))
	for _, t := range temps {
		dirs = append(dirs, t.Dir)
	}
	return syncWhatIsThere(ctx, b, dirs)
}

// syncWhatIsThere syncs directories. In one that does not exist any more there is nothing that could come back.
func syncWhatIsThere(ctx context.Context, b Backend, dirs []string) error {
	slices.Sort(dirs)
	err := b.SyncDirs(ctx, slices.Compact(dirs))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// at calls f with the backend of a root, which an earlier configuration may have named.
func (s *Sink) at(ctx context.Context, url string, f func(Backend) error) error {
	if url == s.o.Path.URL() {
		return f(s.backend)
	}
	b, err := s.o.Backend(url)
	if err != nil {
		return err
	}
	if err := b.Open(ctx); err != nil {
		return err
	}
	return errors.Join(f(b), b.Close())
}

// complete renames what is still under its temporary name. What is missing was renamed, and may have been moved on since; whether that
// rename is durable nobody knows, so all directories are synced.
func complete(ctx context.Context, b Backend, moves []journal.Move) error {
	dirs := make([]string, 0, len(moves))
	for _, m := range moves {
		dirs = append(dirs, m.Dir)
		final := m.Final
		for n := 1; ; n++ {
			err := b.Publish(ctx, m.Dir, m.Temp, final)
			if errors.Is(err, fs.ErrExist) && n < 1000 {
				final = withPart(m.Final, n)
				continue
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			break
		}
	}
	return syncWhatIsThere(ctx, b, dirs)
}

// withPart puts a number before the extension.
func withPart(name string, n int) string {
	stem, ext := SplitExt(name)
	return fmt.Sprintf("%s-r%d%s", stem, n, ext)
}

// SplitExt cuts a name before its extension; what begins with a dot is no extension of nothing.
func SplitExt(name string) (stem, ext string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i], name[i:]
	}
	return name, ""
}
