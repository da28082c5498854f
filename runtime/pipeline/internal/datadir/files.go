package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"collect/runtime/flow"
)

// Read gives a whole file; ok is false when it does not exist.
func Read(dir flow.Dir, name string) (data []byte, ok bool, err error) {
	f, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("open %s: %w", path.Join(dir.Path(), name), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("stat %s: %w", path.Join(dir.Path(), name), err)
	}
	data = make([]byte, info.Size)
	if len(data) == 0 {
		return data, true, nil
	}
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, false, fmt.Errorf("read %s: %w", path.Join(dir.Path(), name), err)
	}
	return data, true, nil
}

// Write replaces a file so that after a crash it is the old one or the new one.
func Write(dir flow.Dir, name string, data []byte) error {
	if err := writeTemp(dir, name+".new", data); err != nil {
		return fmt.Errorf("write %s: %w", path.Join(dir.Path(), name), err)
	}
	if err := dir.Rename(name+".new", dir, name); err != nil {
		return fmt.Errorf("rename %s: %w", path.Join(dir.Path(), name), err)
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir.Path(), err)
	}
	return nil
}

func writeTemp(dir flow.Dir, name string, data []byte) error {
	f, err := dir.OpenWrite(name, true, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil && len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
