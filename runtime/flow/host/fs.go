package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"collect/runtime/flow"
)

type fileSystem struct{}

var _ flow.FS = fileSystem{}

func (fileSystem) OpenDir(path string) (flow.Dir, error) {
	if !filepath.IsAbs(path) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	path = filepath.Clean(path)
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, path), nil
}

func (fileSystem) Open(path string) (flow.File, error) {
	if !filepath.IsAbs(path) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	path = filepath.Clean(path)
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if errors.Is(err, unix.ENXIO) { // a socket
		err = flow.ErrNotRegular
	}
	if err == nil {
		if err = prepare(fd, false, 0); err != nil {
			_ = unix.Close(fd) // it was only looked at
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &diskFile{f: os.NewFile(uintptr(fd), path), name: filepath.Base(path)}, nil
}

func (s fileSystem) MkdirAll(path string, perm fs.FileMode) error {
	if !filepath.IsAbs(path) {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrInvalid}
	}
	path = filepath.Clean(path)
	var missing []string
	at := path
	for {
		fi, err := os.Stat(at)
		if err == nil {
			if !fi.IsDir() {
				return &fs.PathError{Op: "mkdir", Path: at, Err: unix.ENOTDIR}
			}
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, filepath.Base(at))
		at = filepath.Dir(at)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := s.mkdirDurable(at, missing[i], perm); err != nil {
			return err
		}
		at = filepath.Join(at, missing[i])
	}
	return nil
}

func (s fileSystem) mkdirDurable(parent, name string, perm fs.FileMode) error {
	d, err := s.OpenDir(parent)
	if err != nil {
		return err
	}
	err = d.Mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) { // somebody else was quicker, and may not have synced yet
		err = nil
	}
	if err == nil {
		err = d.Sync()
	}
	return errors.Join(err, d.Close())
}

// retry calls f again when a signal interrupted it.
func retry[T any](f func() (T, error)) (T, error) {
	for {
		v, err := f()
		if !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

func retryErr(f func() error) error {
	_, err := retry(func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// mode translates what the kernel calls a mode.
func mode(m uint32) fs.FileMode {
	out := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		out |= fs.ModeDir
	case unix.S_IFLNK:
		out |= fs.ModeSymlink
	case unix.S_IFIFO:
		out |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		out |= fs.ModeSocket
	case unix.S_IFCHR:
		out |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		out |= fs.ModeDevice
	}
	if m&unix.S_ISUID != 0 {
		out |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		out |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		out |= fs.ModeSticky
	}
	return out
}
