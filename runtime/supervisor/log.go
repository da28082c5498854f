package supervisor

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"collect/runtime/supervisor/internal/process"
)

// KeepSmall gives a writer for the log of this process that bounds it: when the file has grown long it becomes NAME.1, in place of an
// earlier one, and the process goes on in a new file, with everything that it writes to its standard outputs. Agents outlive their
// supervisor, so each process does this for itself. Anything but the file of that name, a terminal, a pipe or a service manager's
// journal, is not ours and stays as it is.
func KeepSmall(to io.Writer, path string) io.Writer {
	f, ok := to.(*os.File)
	if !ok {
		return to
	}
	is, err := f.Stat()
	if err != nil || !is.Mode().IsRegular() {
		return to
	}
	if named, err := os.Lstat(path); err != nil || !os.SameFile(is, named) {
		return to
	}
	return &boundedLog{path: path, most: process.MaxLog, left: process.MaxLog - is.Size(), file: f}
}

// boundedLog is the log of a running process.
type boundedLog struct {
	path string
	most int64

	mu   sync.Mutex // guards all below; nothing is written while the file is exchanged
	left int64      // bytes until the file is long
	file *os.File
}

// Write writes whole records; the file is exchanged between them only.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(p)
	if l.left -= int64(n); l.left <= 0 {
		l.left = l.most
		if e := l.exchange(); e != nil {
			l.left /= 16 // tried again soon: until then the log grows
			_, _ = fmt.Fprintf(l.file, "log: %v\n", e)
		}
	}
	return n, err
}

// exchange puts the file aside and makes every descriptor of the standard outputs that meant it mean a new one. Each changes at once: a
// panic, or a library that writes to them, meets the old file or the new one.
func (l *boundedLog) exchange() error {
	own := int(l.file.Fd())
	var old, st unix.Stat_t
	if err := unix.Fstat(own, &old); err != nil {
		return err
	}
	if err := unix.Lstat(l.path, &st); err == nil && same(old, st) { // else somebody has put it aside already
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return fmt.Errorf("put aside: %w", err)
		}
	}
	next, err := process.OpenLog(l.path)
	if err != nil {
		return err
	}
	defer next.Close()
	for _, fd := range []int{unix.Stdout, unix.Stderr, own} {
		if err := unix.Fstat(fd, &st); err != nil || !same(old, st) {
			continue // it is another file, or closed
		}
		flags := unix.O_CLOEXEC
		if fd <= unix.Stderr {
			flags = 0
		}
		if err := unix.Dup3(int(next.Fd()), fd, flags); err != nil {
			return fmt.Errorf("go on in a new file: %w", err)
		}
	}
	return nil
}

func same(a, b unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// tail gives the last line of a log file, for an error message.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "nothing in " + path
	}
	defer f.Close()
	buf := make([]byte, 1024)
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	n, _ := f.ReadAt(buf, max(0, info.Size()-int64(len(buf)))) // what can be read of it is good enough
	line := lastLine(buf[:n])
	if line == "" {
		return "nothing in " + filepath.Base(path)
	}
	return line
}
