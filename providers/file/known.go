package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"collect/runtime/flow"
)

// known remembers, over crashes, which files this sink has written to and how long they were before.
type known struct {
	root  string
	sizes map[string]int64
}

type knownLine struct {
	Root string `json:"root"`
	File string `json:"file"`
	Size int64  `json:"size"`
}

const (
	knownName  = "grown"
	maxKnown   = 10_000 // files; without an entry a half line of a crash stays
	maxKnownAt = 16 << 20
)

func readKnown(dir flow.Dir, root string) (known, error) {
	k := known{root: root, sizes: map[string]int64{}}
	f, err := dir.Open(knownName)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read the list of files: %w", err)
	}
	info, err := f.Stat()
	raw := make([]byte, min(info.Size, maxKnownAt))
	n, _ := f.ReadAt(raw, 0) // what cannot be read is as if it were not there
	if err := errors.Join(err, f.Close()); err != nil {
		return k, fmt.Errorf("read the list of files: %w", err)
	}
	for line := range bytes.Lines(raw[:n]) {
		var l knownLine
		if json.Unmarshal(line, &l) == nil && l.Root == root && len(k.sizes) < maxKnown {
			k.sizes[l.File] = l.Size
		}
	}
	return k, nil
}

// size gives how long a file was before this sink wrote to it; now is its length.
func (k *known) size(rel string, now int64) int64 {
	if old, ok := k.sizes[rel]; ok && old <= now {
		return old
	}
	return now
}

// note makes durable that this sink writes to a file from size on.
func (k *known) note(dir flow.Dir, rel string, size int64) error {
	if old, ok := k.sizes[rel]; ok && old == size || len(k.sizes) >= maxKnown {
		return nil
	}
	line, err := json.Marshal(knownLine{Root: k.root, File: rel, Size: size})
	if err != nil {
		return err
	}
	f, err := dir.OpenWrite(knownName, true, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	at := info.Size
	if at > maxKnownAt/2 { // nothing in it is worth much
		at = 0
		err = errors.Join(err, f.Truncate(0))
	}
	if err == nil {
		_, err = f.WriteAt(append(append([]byte("\n"), line...), '\n'), at) // the first newline ends a torn line
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if at == 0 { // its own name may be new
		if err := dir.Sync(); err != nil {
			return err
		}
	}
	k.sizes[rel] = size
	return nil
}
