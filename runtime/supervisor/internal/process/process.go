// Package process starts, adopts, watches and ends the processes of an installation, and keeps the copies of the program that they run.
package process

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"collect/runtime/supervisor/api"
)

// MaxLog is, in bytes, the size from which the log of a process is put aside at its next start.
const MaxLog = 16 << 20

// Process is a living process: a child of ours, or an adopted one.
type Process struct {
	PID   int
	own   *os.Process // nil: adopted
	fd    *os.File    // pidfd: names the process even when its number is used again
	Since time.Time
	done  chan struct{} // closed by watch when it has ended
	Exit  string        // how it ended; set by Watch
}

// Command is what is needed to start a process.
type Command struct {
	Path string
	Args []string
	Env  []string
	Log  string // file that takes both outputs
}

// Spawn starts a process in a session of its own, in the root directory, without input, with its outputs in a file: nothing it
// holds ends with the one who started it.
func Spawn(c Command) (*Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	log, err := OpenLog(c.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := KeepDescriptors(); err != nil {
		return nil, err
	}
	own, err := os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{
		Dir:   "/",
		Env:   c.Env,
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{PID: own.Pid, own: own, Since: time.Now().UTC(), done: make(chan struct{})}
	if p.fd, err = openPID(own.Pid); err != nil {
		_ = own.Kill() // it cannot be watched
		_, _ = own.Wait()
		return nil, err
	}
	return p, nil
}

// KeepDescriptors lets no process of ours have what we were given besides the three standard descriptors: a terminal, or a pipe
// whose reader would wait until the last agent has ended. What this program opens itself is not inherited anyway.
func KeepDescriptors() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
		return os.NewSyscallError("close_range", err)
	}
	entries, err := os.ReadDir("/proc/self/fd") // kernels before 5.11, and filters that do not know the call
	if err != nil {
		return fmt.Errorf("list open descriptors: %w", err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// OpenLog opens the log of a process to append to it, after a log that has grown long was put aside.
func OpenLog(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.Size() > MaxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// Adopt takes over a process that holds its lock. nil when it is not that process any more.
func Adopt(h api.Holder) (*Process, error) {
	fd, err := openPID(h.PID)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !h.Alive() { // asked after the handle is open: from here on the number is not used again
		return nil, fd.Close()
	}
	return &Process{PID: h.PID, fd: fd, Since: h.Since, done: make(chan struct{})}, nil
}

func openPID(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("pidfd:%d", pid)), nil
}

// Watch waits until the process has ended, and says false when ctx ended before.
func (p *Process) Watch(ctx context.Context) (bool, error) {
	stop := context.AfterFunc(ctx, func() { _ = p.fd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return false, err
	}
	over := false
	err = raw.Read(func(fd uintptr) bool {
		over = ended(fd)
		return over
	})
	if !over && ctx.Err() != nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("watch process %d: %w", p.PID, err)
	}
	p.Exit = "ended (exit status unknown: it was adopted)"
	if p.own != nil {
		st, err := p.own.Wait()
		p.Exit = "ended"
		if err == nil {
			p.Exit = st.String()
		}
	}
	close(p.done)
	return true, nil
}

func ended(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// signal sends a signal to just this process.
func (p *Process) signal(sig unix.Signal) error {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	ctl := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	if ctl != nil || errors.Is(err, unix.ESRCH) {
		return nil // it has ended, and its handle may be closed already
	}
	return err
}

// Adopted says that the process is no child of ours.
func (p *Process) Adopted() bool { return p.own == nil }

// Close gives the handle of the process back.
func (p *Process) Close() { _ = p.fd.Close() } // it was only watched

// Forget stops looking after the process, which goes on.
func (p *Process) Forget() error {
	p.Close()
	if p.own == nil {
		return nil
	}
	return p.own.Release()
}

// End asks the process to end, and makes it after the limit. killed says that it did not end by itself.
func (p *Process) End(ctx context.Context, limit time.Duration) (killed bool, err error) {
	if err := p.signal(unix.SIGTERM); err != nil {
		return false, fmt.Errorf("stop process %d: %w", p.PID, err)
	}
	return p.await(ctx, limit)
}

// await waits for the end of a process that was asked to end, and kills it after the limit.
func (p *Process) await(ctx context.Context, limit time.Duration) (killed bool, err error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.done:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-t.C:
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		return true, fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	select {
	case <-p.done:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// Env is what processes get of our environment.
func Env() []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	if p := os.Getenv("PATH"); p != "" {
		env[0] = "PATH=" + p
	}
	for _, name := range []string{"TZ", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
