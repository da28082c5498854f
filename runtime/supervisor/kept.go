package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
)

// remove removes an agent that has ended. Killed at any point, the next removal does the rest.
func (s *supervisor) remove(u *unit, keep bool) error {
	if keep {
		if err := s.keepPositions(u); err != nil {
			return fmt.Errorf("keep positions of %s: %w", u.address, err)
		}
	} else if err := os.RemoveAll(filepath.Join(s.layout.Kept(), u.id)); err != nil {
		return fmt.Errorf("remove kept positions: %w", err)
	}
	// Without meta.json it is no agent any more, whatever else is still there.
	for _, path := range []string{filepath.Join(u.dir, "meta.json"), s.layout.AgentSocket(u.id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", u.address, err)
		}
	}
	if err := os.RemoveAll(u.dir); err != nil {
		return fmt.Errorf("remove %s: %w", u.address, err)
	}
	s.forget(u)
	removeIfEmpty(s.layout.Kept(), s.layout.AgentsDir())
	return api.SyncDir(s.layout.Data)
}

// keepPositions moves what sources remember from DATA/agents/ID/data to DATA/kept/ID. What is kept from an earlier life is replaced
// file by file, so that a removal that was interrupted loses nothing. What sources left behind that are not declared any more goes.
func (s *supervisor) keepPositions(u *unit) error {
	from := filepath.Join(u.dir, "data")
	to := filepath.Join(s.layout.Kept(), u.id)
	_, spec, unreadable := readSettings(u.dir)
	gone := func(rel string) bool {
		first, _, _ := strings.Cut(rel, string(filepath.Separator))
		return unreadable == nil && strings.HasPrefix(first, api.SourceDir("")) &&
			!slices.ContainsFunc(spec.Sources, func(src schema.SourceSpec) bool { return api.SourceDir(src.Name) == first })
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, relErr := filepath.Rel(from, path)
		if err = errors.Join(err, relErr); err != nil || d.IsDir() || !ofSource(rel) || gone(rel) {
			return err
		}
		return move(path, filepath.Join(to, rel))
	})
}

// ofSource says whether a file of an agent's data belongs to a source.
func ofSource(rel string) bool {
	first, _, _ := strings.Cut(rel, string(filepath.Separator))
	return strings.HasPrefix(first, "source") || filepath.Base(rel) == "positions"
}

func move(from, to string) error {
	if err := api.PrivateDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return api.SyncDir(filepath.Dir(to))
}

// restoreKept gives an agent that is made again the positions of its earlier life.
func restoreKept(l api.Layout, id string) error {
	kept, data := filepath.Join(l.Kept(), id), filepath.Join(l.AgentDir(id), "data")
	if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(data); err == nil {
		return nil // it lives: what it has is newer
	}
	if err := os.Rename(kept, data); err != nil {
		return err
	}
	removeIfEmpty(l.Kept())
	return api.SyncDir(filepath.Dir(data))
}
