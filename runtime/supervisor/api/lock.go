package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Holder is what a process writes into a lock that it holds: enough to name it, and to be sure that a pid still is that process.
type Holder struct {
	PID     int       `json:"pid"`
	Start   string    `json:"start"` // in clock ticks since boot; pid and start together name one process
	Since   time.Time `json:"since"`
	Build   string    `json:"build,omitempty"`
	Command string    `json:"command,omitempty"`
}

// Alive says whether the process that wrote the lock still runs. A process that has ended and was not waited for does not.
func (h Holder) Alive() bool {
	start, state, err := processStart(h.PID)
	return err == nil && start == h.Start && state != "Z" && state != "X"
}

// HeldError says who holds a lock.
type HeldError struct {
	Path   string
	Holder Holder
}

// Error names the process.
func (e *HeldError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	what := e.Holder.Command
	if what == "" {
		what = "it"
	}
	return fmt.Sprintf("%s is held by process %d (%s, since %s)", e.Path, e.Holder.PID, what, e.Holder.Since.Format(time.DateTime))
}

// Lock is a lock that this process holds until it ends or releases it.
type Lock struct {
	f *os.File
}

// probePause is how long a probe by another process may hold a lock shared: much longer than it takes.
const probePause = 10 * time.Millisecond

// TakeLock takes the lock of a file, which it makes when needed, and writes into it who holds it. It waits for nobody: a lock that another
// process holds is a [HeldError].
func TakeLock(path, build, command string) (*Lock, error) {
	start, _, err := processStart(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for try := range 30 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && sameFile(f, path) {
			l := &Lock{f: f}
			err = l.write(Holder{PID: os.Getpid(), Start: start, Since: time.Now().UTC(), Build: build, Command: command})
			if err != nil {
				_ = f.Close() // nothing was promised yet
				return nil, fmt.Errorf("write lock %s: %w", path, err)
			}
			return l, nil
		}
		h := readHolder(f)
		_ = f.Close() // read only so far
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Somebody may only be probing, or the file was removed under us. A live holder that has signed is not waited for long.
		if err != nil && try >= 5 && h.Alive() {
			return nil, &HeldError{Path: path, Holder: h}
		}
		time.Sleep(probePause)
	}
	return nil, &HeldError{Path: path}
}

func (l *Lock) write(h Holder) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err = l.f.WriteAt(append(raw, '\n'), 0)
	return err
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Close() }

// Remove removes the file and gives the lock back. Whoever opened the file meanwhile notices that it is gone.
func (l *Lock) Remove() error {
	return errors.Join(os.Remove(l.f.Name()), l.f.Close())
}

// Probe says whether a process holds the lock of a file, and which.
func Probe(path string) (Holder, bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, fmt.Errorf("probe lock: %w", err)
	}
	defer f.Close()
	for range 5 {
		err = flock(f, syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			return Holder{}, false, nil // closing gives it back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return Holder{}, false, fmt.Errorf("probe lock %s: %w", path, err)
		}
		if h := readHolder(f); h.PID != 0 && h.Alive() {
			return h, true, nil
		}
		time.Sleep(probePause) // the holder has not signed yet
	}
	return readHolder(f), true, nil
}

func readHolder(f *os.File) Holder {
	var h Holder
	buf := make([]byte, 4096)
	n, _ := f.ReadAt(buf, 0)
	if json.Unmarshal(buf[:n], &h) != nil {
		return Holder{}
	}
	return h
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// processStart gives the start time and the state letter of a process.
func processStart(pid int) (start, state string, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", "", err
	}
	_, rest, ok := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", "", fmt.Errorf("unexpected /proc/%d/stat", pid)
	}
	return fields[19], fields[0], nil
}
