package call

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sys/unix"

	"collect/planner/cli/internal/words"
)

// Output is stdout. It remembers that something could not be stored: who redirects it to a file must not take the half for the
// whole. A reader that went away is no such thing.
type Output struct {
	to  io.Writer
	mu  sync.Mutex // guards err
	err error
}

// Write passes p on, and gives the error of who took it; one that says that there is no room is remembered.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)) {
		o.err = err
	}
	return n, err
}

// failed gives why something is missing.
func (o *Output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Abandoned says that nobody reads any more: the other end of the pipe is closed. Who waits for something to write learns it only so.
func (o *Output) Abandoned() bool {
	f, ok := o.to.(*os.File)
	if !ok {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = conn.Control(func(fd uintptr) {
		ask := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(ask, 0)
		gone = err == nil && n > 0 && ask[0].Revents&unix.POLLERR != 0
	})
	return err == nil && gone
}

// beneath gives what an output writes to.
func beneath(w any) any {
	if o, ok := w.(*Output); ok {
		return o.to
	}
	return w
}

// whole gives the exit code of a command whose output was written out: 1 when that is not all there.
func (c *Call) whole(code int) int {
	err := c.Stdout.failed()
	if err == nil || code != 0 && code != 2 { // what failed has been told
		return code
	}
	c.Err.Diagnostics(hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Output is not complete",
		Detail: words.Sentence(err.Error()) + " What the command did is done; only its output is cut.",
	}}, nil)
	return 1
}
