package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"collect/runtime/supervisor/api"
)

// buildLen is how much of the program's SHA-256 names its build.
const buildLen = 32

// Install copies a program to DATA/bin/BUILD/collect, where BUILD is its checksum, and gives the path of the copy. One that is
// there and right is kept.
func Install(l api.Layout, program string) (path string, err error) {
	src, err := os.Open(program)
	if err != nil {
		return "", fmt.Errorf("open the running program: %w", err)
	}
	defer src.Close()
	build, err := checksum(src)
	if err != nil {
		return "", fmt.Errorf("read the running program: %w", err)
	}
	dir := filepath.Join(l.Data, "bin", build)
	path = filepath.Join(dir, "collect")
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := api.PrivateDir(d); err != nil {
			return "", fmt.Errorf("directory of the program: %w", err)
		}
	}
	if err := (&Verifier{}).Verify(path); err == nil {
		return path, nil
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if err := copyProgram(src, path); err != nil {
		return "", fmt.Errorf("copy the program to %s: %w", path, err)
	}
	return path, nil
}

func copyProgram(src io.Reader, path string) error {
	// A process that another goroutine forks meanwhile would hold the file open for writing, and the system refuses to run such a file.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, src)
	if err == nil {
		err = f.Chmod(0o500)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		return api.SyncDir(filepath.Dir(path))
	}
	return errors.Join(err, os.Remove(f.Name()))
}

func checksum(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:buildLen], nil
}

// Verifier checks the copied program before each start. What it has read once it reads again only when the file was touched: the
// time of the last change of an inode cannot be set.
type Verifier struct {
	mu   sync.Mutex // guards good
	good map[fileState]bool
}

type fileState struct {
	path        string
	dev, ino    uint64
	size        int64
	sec, nsec   int64
	mode, owner uint32
}

// Verify says why a copied program may not be run. It and its directory must be ours alone, and its checksum must be its
// directory's name.
func (v *Verifier) Verify(path string) error {
	if err := api.CheckPrivate(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(st.Uid) != os.Geteuid() || info.Mode().Perm() != 0o500 {
		return fmt.Errorf("%s is not run: it must be our own file with mode 0500, and has %v", path, info.Mode())
	}
	state := fileState{path, st.Dev, st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec, st.Mode, st.Uid}
	if v.known(state) {
		return nil
	}
	sum, err := checksum(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if sum != filepath.Base(filepath.Dir(path)) {
		return fmt.Errorf("%s is not run: it was changed since it was copied; remove it and apply again", path)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.good = map[fileState]bool{state: true}
	return nil
}

func (v *Verifier) known(s fileState) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.good[s]
}

// RemoveOld removes copies of the program that no process of the installation runs.
func RemoveOld(l api.Layout, used map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(l.Data, "bin"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !used[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(l.Data, "bin", e.Name())))
		}
	}
	return err
}

// BuildOf gives the build that a process runs, "" when it cannot be told.
func BuildOf(pid int) string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	return filepath.Base(filepath.Dir(exe))
}
