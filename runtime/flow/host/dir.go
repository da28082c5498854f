package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"collect/runtime/flow"
)

// dir is an open directory. The os.File keeps the descriptor alive while a call uses it.
type dir struct {
	f    *os.File
	path string
}

var _ flow.Dir = (*dir)(nil)

func newDir(fd int, path string) *dir { return &dir{f: os.NewFile(uintptr(fd), path), path: path} }

func (d *dir) Path() string { return d.path }
func (d *dir) Close() error { return d.f.Close() }

// at calls f with the directory's descriptor, for something to do with a name in it; its error names the full path.
func (d *dir) at(op, name string, f func(fd int) error) error {
	err := checkName(name)
	if err == nil {
		err = control(d.f, f)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: d.path + "/" + name, Err: err}
	}
	return nil
}

// self is at for the directory itself.
func (d *dir) self(op string, f func(fd int) error) error {
	if err := control(d.f, f); err != nil {
		return &fs.PathError{Op: op, Path: d.path, Err: err}
	}
	return nil
}

// control calls f with the descriptor of an open file, again when a signal interrupts it.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = retryErr(func() error { return f(int(fd)) }) })
	if err != nil {
		return fs.ErrClosed
	}
	return inner
}

// checkName refuses what is not one path element.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fs.ErrInvalid
	}
	return nil
}

func (d *dir) Open(name string) (flow.File, error) {
	return d.open("open", name, unix.O_RDONLY, 0)
}

func (d *dir) OpenWrite(name string, create bool, perm fs.FileMode) (flow.File, error) {
	for {
		f, err := d.open("open", name, unix.O_RDWR, 0)
		if !create || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = d.Create(name, perm)
		if !errors.Is(err, fs.ErrExist) { // otherwise somebody else made it in between
			return f, err
		}
	}
}

func (d *dir) Create(name string, perm fs.FileMode) (flow.File, error) {
	return d.open("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm)
}

// open opens a regular file. It is opened non-blocking, so that a FIFO or a device never holds us, and looked at afterwards.
func (d *dir) open(op, name string, flags int, perm fs.FileMode) (flow.File, error) {
	full := filepath.Join(d.path, name)
	var file *os.File
	err := d.at(op, name, func(at int) error {
		fd, err := unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err != nil {
			return special(err)
		}
		if err := prepare(fd, flags&unix.O_CREAT != 0, perm); err != nil {
			_ = unix.Close(fd) // nothing was written
			return err
		}
		file = os.NewFile(uintptr(fd), full)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{f: file, name: name}, nil
}

// special translates the errors that links, folders and sockets give when opened like files.
func special(err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) {
		return flow.ErrNotRegular
	}
	return err
}

func prepare(fd int, created bool, perm fs.FileMode) error {
	var st unix.Stat_t
	if err := retryErr(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return flow.ErrNotRegular
	}
	if created { // the umask took its part
		if err := retryErr(func() error { return unix.Fchmod(fd, uint32(perm.Perm())) }); err != nil {
			return err
		}
	}
	return unix.SetNonblock(fd, false)
}

func (d *dir) OpenDir(name string) (flow.Dir, error) {
	var sub *dir
	err := d.at("open", name, func(at int) error {
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			sub = newDir(fd, filepath.Join(d.path, name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func (d *dir) Mkdir(name string, perm fs.FileMode) error {
	return d.at("mkdir", name, func(at int) error {
		if err := unix.Mkdirat(at, name, uint32(perm.Perm())); err != nil {
			return err
		}
		// The umask took its part. The mode is set on a handle: by name, a link put in its place would be followed.
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fchmod(fd, uint32(perm.Perm())), unix.Close(fd))
	})
}

// ReadDir opens the directory once more, because a handle has one read position for all its users.
func (d *dir) ReadDir() ([]flow.Info, error) {
	var names []string
	err := d.self("readdir", func(at int) error {
		fd, err := unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), d.path)
		names, err = f.Readdirnames(-1)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	infos := make([]flow.Info, 0, len(names))
	for _, n := range names {
		fi, err := d.Stat(n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, fi)
	}
	return infos, nil
}

func (d *dir) Stat(name string) (flow.Info, error) {
	var st unix.Stat_t
	err := d.at("stat", name, func(at int) error { return unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return flow.Info{}, err
	}
	return info(name, &st), nil
}

func (d *dir) Stats() (flow.Info, error) {
	var st unix.Stat_t
	if err := d.self("stat", func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return flow.Info{}, err
	}
	return info(filepath.Base(d.path), &st), nil
}

func (d *dir) Rename(name string, to flow.Dir, newName string) error {
	return d.rename(name, to, newName, func(from, into int) error { return unix.Renameat(from, name, into, newName) })
}

func (d *dir) RenameNew(name string, to flow.Dir, newName string) error {
	return d.rename(name, to, newName, func(from, into int) error {
		err := unix.Renameat2(from, name, into, newName, unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
		return renameInSteps(from, name, into, newName)
	})
}

// renameInSteps is for file systems that cannot do it in one. What ends it in between leaves both names of the file, never none: then
// the next call does the rest.
func renameInSteps(from int, name string, into int, newName string) error {
	err := unix.Linkat(from, name, into, newName, 0)
	if errors.Is(err, unix.EEXIST) {
		var old, now unix.Stat_t
		if unix.Fstatat(from, name, &old, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstatat(into, newName, &now, unix.AT_SYMLINK_NOFOLLOW) == nil &&
			old.Dev == now.Dev && old.Ino == now.Ino {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return unix.Unlinkat(from, name, 0)
}

func (d *dir) rename(name string, to flow.Dir, newName string, f func(from, into int) error) error {
	fail := func(err error) error {
		return &os.LinkError{Op: "rename", Old: d.path + "/" + name, New: to.Path() + "/" + newName, Err: err}
	}
	target, ok := to.(*dir)
	if !ok {
		return fail(fs.ErrInvalid)
	}
	if err := errors.Join(checkName(name), checkName(newName)); err != nil {
		return fail(fs.ErrInvalid)
	}
	err := control(d.f, func(from int) error {
		return control(target.f, func(into int) error { return f(from, into) })
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

func (d *dir) Remove(name string) error {
	return d.at("remove", name, func(at int) error {
		err := unix.Unlinkat(at, name, 0)
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
			if asDir := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); !errors.Is(asDir, unix.ENOTDIR) {
				return asDir
			}
		}
		return err
	})
}

func (d *dir) Sync() error {
	return d.self("sync", unix.Fsync)
}

func (d *dir) Free() (int64, error) {
	var st unix.Statfs_t
	if err := d.self("statfs", func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
