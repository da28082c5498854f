package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// maxSocketPath is what fits into an address of a unix socket.
const maxSocketPath = 107

// CheckSocket says when a socket's path is too long for the system.
func CheckSocket(path string) error {
	if len(path) > maxSocketPath-2 {
		return fmt.Errorf("the path of the control socket has %d bytes and the system allows %d: %s; set XDG_RUNTIME_DIR to a shorter one", len(path), maxSocketPath-2, path)
	}
	return nil
}

// Listener takes connections on a control socket, from our own user and root only.
type Listener struct {
	*net.UnixListener
	path    string
	own     os.FileInfo
	refused atomic.Int64
}

// Listen opens a control socket: mode 0600, in a directory that is ours alone. The caller holds the lock of the process that the
// socket speaks for: only so may what an earlier process left be replaced.
func Listen(path string) (*Listener, error) {
	if err := CheckSocket(path); err != nil {
		return nil, err
	}
	if err := PrivateDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// It is bound under another name and gets its own when its mode is right, which also replaces a stale one at once.
	temp := path + "~"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	l := &Listener{UnixListener: ln, path: path}
	err = os.Chmod(temp, 0o600)
	if err == nil {
		l.own, err = os.Lstat(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close(), os.Remove(temp))
	}
	return l, nil
}

// Accept gives the next connection that is allowed; others are closed and counted.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if Authorize(c) == nil {
			return c, nil
		}
		l.refused.Add(1)
		_ = c.Close() // refused: there is nobody to tell
	}
}

// Refused counts the connections of other users.
func (l *Listener) Refused() int64 { return l.refused.Load() }

// Close ends listening and removes the socket, unless another process has put its own there.
func (l *Listener) Close() error {
	err := l.UnixListener.Close()
	if now, e := os.Lstat(l.path); e == nil && os.SameFile(now, l.own) {
		err = errors.Join(err, os.Remove(l.path))
	}
	return err
}

// ErrNotAllowed is the answer to other users.
var ErrNotAllowed = errors.New("only the owner and root may use this socket")

// Authorize checks who is at the other end: our own user or root.
func Authorize(c *net.UnixConn) error {
	uid, err := peer(c)
	if err != nil {
		return fmt.Errorf("peer credentials: %w", err)
	}
	if uid != 0 && uid != os.Geteuid() {
		return ErrNotAllowed
	}
	return nil
}

func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	ctlErr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(ctlErr, err); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// Serve answers on a control socket until ctx ends, and returns when all answers are given or the grace is over.
func Serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// The clean-up outlives the cancelled context, for the grace at most.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close() // whoever still waits for an answer sees the connection end
	}
	<-done
	return nil
}

// maxRequest bounds what a control socket reads.
const maxRequest = 64 << 20

// ReadJSON reads the body of a request.
func ReadJSON(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read request: more than one value")
	}
	return nil
}

// WriteJSON answers with a value.
func WriteJSON(w http.ResponseWriter, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the caller is gone if this fails
}

// WriteError answers with an error.
func WriteError(w http.ResponseWriter, status int, err error) {
	raw, _ := json.Marshal(ErrorReply{Error: err.Error()})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the caller is gone if this fails
}
