// Package datadir keeps the directories of an agent's components below the agent's own. Files are replaced whole; a directory that is
// given up loses its name before it is removed, so that what is only half removed is nobody's data.
//
//	DIR/channel.NAME/        of a component, by its address
//	DIR/channel.NAME/id      the uuid of its data
//	DIR/channel.NAME/data/   the component's own
//	DIR/removed.channel.NAME what was given up and is being removed
package datadir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"collect/runtime/flow"
)

const removedPrefix = "removed."

// Open makes a component's own directory and opens it.
func Open(fsys flow.FS, base, address string) (flow.Dir, string, error) {
	full := path.Join(base, address)
	if err := fsys.MkdirAll(full, 0o700); err != nil {
		return nil, "", fmt.Errorf("%s: make its directory: %w", address, err)
	}
	dir, err := fsys.OpenDir(full)
	if err != nil {
		return nil, "", fmt.Errorf("%s: open its directory: %w", address, err)
	}
	return dir, full, nil
}

// Identity gives the uuid of a component's data, made at first use.
func Identity(dir flow.Dir, rand flow.Rand) (string, error) {
	raw, ok, err := Read(dir, "id")
	if err != nil {
		return "", err
	}
	if ok && len(raw) == 36 {
		return string(raw), nil
	}
	id := UUID(rand)
	return id, Write(dir, "id", []byte(id))
}

// UUID gives a random uuid, version 4.
func UUID(rand flow.Rand) string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// List lists a directory; one that does not exist is empty.
func List(fsys flow.FS, dir string) ([]flow.Info, error) {
	d, err := fsys.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	infos, err := d.ReadDir()
	return infos, errors.Join(err, d.Close())
}

// Remove removes a component's directory. It loses its name first: what is only half removed is nobody's data.
func Remove(fsys flow.FS, dir, address string) error {
	err := inDir(fsys, dir, func(d flow.Dir) error {
		gone := removedPrefix + address
		if err := removeTree(d, gone); err != nil {
			return err
		}
		if err := d.Rename(address, d, gone); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := d.Sync(); err != nil {
			return err
		}
		return removeTree(d, gone)
	})
	if err != nil {
		return fmt.Errorf("%s: remove its data: %w", address, err)
	}
	return nil
}

// RemoveRest removes what a killed process did not.
func RemoveRest(fsys flow.FS, dir string) error {
	infos, err := List(fsys, dir)
	if err != nil {
		return err
	}
	for _, in := range infos {
		if strings.HasPrefix(in.Name, removedPrefix) {
			err = errors.Join(err, inDir(fsys, dir, func(d flow.Dir) error { return removeTree(d, in.Name) }))
		}
	}
	return err
}

func inDir(fsys flow.FS, path string, do func(flow.Dir) error) error {
	dir, err := fsys.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(do(dir), dir.Close())
}

// removeTree removes a directory and all in it. What does not exist is fine.
func removeTree(parent flow.Dir, name string) error {
	dir, err := parent.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	infos, err := dir.ReadDir()
	for _, in := range infos {
		if in.Mode.IsDir() {
			err = errors.Join(err, removeTree(dir, in.Name))
			continue
		}
		err = errors.Join(err, dir.Remove(in.Name))
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	return parent.Remove(name)
}
