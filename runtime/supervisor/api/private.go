package api

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// PrivateDir makes a directory, and its parents, that only its owner may enter, and checks it where it exists: a real directory, ours,
// closed to others. In a directory that everybody may write somebody else can have made it before us.
func PrivateDir(path string) error {
	if err := os.Mkdir(path, 0o700); errors.Is(err, fs.ErrNotExist) {
		if err := PrivateDir(filepath.Dir(path)); err != nil {
			return err
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return CheckPrivate(path)
}

// CheckPrivate says why a directory is not ours alone.
func CheckPrivate(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not to user %d", path, st.Uid, os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users (mode %#o): run chmod 700 on it", path, info.Mode().Perm())
	}
	return nil
}

// checkAbove says which directory above a path lets another user exchange it: each must belong to root or to us and be closed to the
// writing of others, except sticky ones, where only the owner of an entry can replace it.
func checkAbove(path string) error {
	for up := filepath.Dir(filepath.Clean(path)); ; up = filepath.Dir(up) {
		real, err := filepath.EvalSymlinks(up)
		if err == nil && real != up { // both the way to the link and the way to what it means count
			if err := checkAbove(filepath.Join(real, "x")); err != nil {
				return err
			}
		}
		info, err := os.Lstat(up)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			if err := exchangeable(up, info); err != nil {
				return err
			}
		}
		if up == filepath.Dir(up) {
			return nil
		}
	}
}

func exchangeable(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who could exchange what is in it", path, st.Uid)
	}
	writable := info.Mode().Perm() & 0o022
	if st.Gid == st.Uid {
		writable &= 0o002 // the group of a user alone, as most distributions make it
	}
	if info.IsDir() && writable != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("%s is writable by other users (mode %04o)", path, info.Mode().Perm())
	}
	return nil
}

// PrepareRun makes the runtime directory, and writes into the data directory which one it is, so that processes without the
// environment of the first find it too.
func (l Layout) PrepareRun() error {
	if err := CheckPrivate(l.Data); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := checkAbove(filepath.Dir(l.Run)); err != nil {
		return fmt.Errorf("runtime directory %s is not safe: %w", l.Run, err)
	}
	// The runtime directory and its parent are ours; what is above belongs to the system.
	for _, dir := range []string{filepath.Dir(l.Run), l.Run} {
		if err := PrivateDir(dir); err != nil {
			return fmt.Errorf("runtime directory: %w", err)
		}
	}
	if _, err := os.Lstat(filepath.Join(l.Data, "runtime")); err == nil {
		return nil
	}
	return WriteFile(filepath.Join(l.Data, "runtime"), []byte(l.Run+"\n"))
}

// WriteFile replaces a file (mode 0600) so that after a crash it is the old one or the new one.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is only a leftover of what failed
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
