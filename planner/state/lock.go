package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock is the kernel's lock on an installation: apply holds it alone, plans share it. It dies with its process. The file
// holds who has it, for the message to the next one; that text decides nothing.
type Lock struct {
	file      *os.File
	exclusive bool
}

// Holder says who holds the lock.
type Holder struct {
	PID     int       `json:"pid"`
	User    string    `json:"user"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// LockedError says that somebody else holds the lock.
type LockedError struct {
	Dir    string
	Holder Holder // zero when it could not be read
	Waited time.Duration
}

func (e *LockedError) Error() string {
	who := "another collect command"
	if e.Holder.PID != 0 {
		who = fmt.Sprintf("process %d (%s, user %s, since %s)", e.Holder.PID, e.Holder.Command, e.Holder.User, e.Holder.Since.Local().Format("2006-01-02 15:04:05"))
	}
	waited := "Wait for it with -lock-timeout=30s"
	if e.Waited > 0 {
		waited = fmt.Sprintf("Waited %s", e.Waited)
	}
	return fmt.Sprintf("installation in %s is locked by %s. %s; the lock ends with that process", e.Dir, who, waited)
}

// LockRequest says which lock is wanted.
type LockRequest struct {
	Exclusive bool
	Timeout   time.Duration
	Holder    Holder           // of an exclusive lock
	Waiting   func(by *Holder) // called once when there is something to wait for
}

// readersGrace is how long an apply waits for plans, which hold the lock only while they read.
const readersGrace = 5 * time.Second

// Acquire takes the lock of a data directory. A shared lock on a directory where nothing was ever locked is nil: reading
// makes no file.
func Acquire(ctx context.Context, dir string, r LockRequest) (*Lock, error) {
	begin := time.Now()
	for told := false; ; {
		l, err := try(dir, r)
		if l != nil || err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return l, err
		}
		by := holderOf(dir)
		limit := r.Timeout
		if by.PID == 0 {
			limit = max(limit, readersGrace)
		}
		if time.Since(begin) >= limit {
			return nil, &LockedError{Dir: dir, Holder: by, Waited: r.Timeout}
		}
		if !told && r.Waiting != nil {
			r.Waiting(&by)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(100*time.Millisecond, limit)):
		}
	}
}

func try(dir string, r LockRequest) (*Lock, error) {
	name := filepath.Join(dir, "lock")
	flags, how := os.O_RDONLY|nofollow, syscall.LOCK_SH
	if r.Exclusive {
		flags, how = os.O_RDWR|os.O_CREATE|nofollow, syscall.LOCK_EX
	}
	for {
		f, err := os.OpenFile(name, flags, 0o600)
		if !r.Exclusive && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if !same(f, name) { // it was removed between open and lock: a lock on a file without a name keeps nobody out
			f.Close()
			continue
		}
		l := &Lock{file: f, exclusive: r.Exclusive}
		if r.Exclusive {
			l.sign(r.Holder)
		}
		return l, nil
	}
}

// sign writes who holds the lock. A failure is harmless: the next one is told less.
func (l *Lock) sign(h Holder) {
	raw, err := json.Marshal(h)
	if err != nil {
		return
	}
	if l.file.Truncate(0) == nil {
		_, _ = l.file.WriteAt(append(raw, '\n'), 0)
	}
}

func same(f *os.File, name string) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(name)
	return err == nil && os.SameFile(here, there)
}

func holderOf(dir string) Holder {
	var h Holder
	raw, err := readFile(filepath.Join(dir, "lock"), 1<<16)
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return Holder{}
	}
	return h
}

// Release gives the lock up. With remove the file goes too.
func (l *Lock) Release(remove bool) error {
	if l == nil {
		return nil
	}
	if l.exclusive {
		_ = l.file.Truncate(0) // only the message to others
	}
	var err error
	if remove && l.exclusive {
		err = os.Remove(l.file.Name())
	}
	return errors.Join(err, l.file.Close())
}
