package host

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"collect/runtime/flow"
)

// diskFile is an open regular file.
type diskFile struct {
	f    *os.File
	name string
}

var _ flow.File = (*diskFile)(nil)

func (f *diskFile) Name() string                             { return f.name }
func (f *diskFile) ReadAt(p []byte, off int64) (int, error)  { return f.f.ReadAt(p, off) }
func (f *diskFile) WriteAt(p []byte, off int64) (int, error) { return f.f.WriteAt(p, off) }
func (f *diskFile) Truncate(size int64) error                { return f.f.Truncate(size) }
func (f *diskFile) Close() error                             { return f.f.Close() }

func (f *diskFile) call(op string, do func(fd int) error) error {
	if err := control(f.f, do); err != nil {
		return &fs.PathError{Op: op, Path: f.f.Name(), Err: err}
	}
	return nil
}

// maxVec is the most buffers the kernel takes in one call.
const maxVec = 1024

// WriteVec goes on after a short write, so that a full disk shows as its error and not as a wrong count.
func (f *diskFile) WriteVec(off int64, bufs [][]byte) error {
	left := make([][]byte, 0, len(bufs))
	for _, b := range bufs {
		if len(b) > 0 {
			left = append(left, b)
		}
	}
	return f.call("write", func(fd int) error {
		for len(left) > 0 {
			n, err := unix.Pwritev(fd, left[:min(len(left), maxVec)], off)
			if err != nil {
				return err // an interrupted call wrote nothing; control calls again with what is left
			}
			if n == 0 {
				return io.ErrShortWrite
			}
			off += int64(n)
			left = skip(left, n)
		}
		return nil
	})
}

// skip drops the first n bytes of bufs.
func skip(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}

func (f *diskFile) Allocate(off, n int64) error {
	err := f.call("allocate", func(fd int) error { return unix.Fallocate(fd, 0, off, n) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.zero(off + n)
	}
	return err
}

// zero makes room on file systems without fallocate: it writes zeros from the end of the file to upTo.
func (f *diskFile) zero(upTo int64) error {
	fi, err := f.f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<18)
	for at := fi.Size(); at < upTo; at += int64(len(zeros)) {
		if _, err := f.f.WriteAt(zeros[:min(int64(len(zeros)), upTo-at)], at); err != nil {
			return err
		}
	}
	return nil
}

func (f *diskFile) Sync() error { return f.call("sync", unix.Fdatasync) }

func (f *diskFile) Stat() (flow.Info, error) {
	var st unix.Stat_t
	if err := f.call("stat", func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return flow.Info{}, err
	}
	return info(f.name, &st), nil
}

// Lock takes a lock of this open file, so a second open conflicts also within one process.
func (f *diskFile) Lock() (bool, error) {
	err := f.call("lock", func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
