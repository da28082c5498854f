package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

// Foreground says which agents to run as children of this process, without a supervisor: the same files, locks and environments, but
// they end with their parent.
type Foreground struct {
	Layout api.Layout
	Agents []api.AgentMeta // prepared
	Binary string          // "": the program that runs here
	Out    io.Writer       // gets whole lines of what agents show to people
	Err    io.Writer       // gets whole lines of their logs; with the agent's address in front where there are several
	Log    *slog.Logger
	Abort  <-chan struct{} // closed: nothing is waited for any more
}

const (
	readyPoll  = 100 * time.Millisecond
	abortGrace = time.Second // for a process whose drain was aborted
)

// EndedError says how an agent ended that was not to end, or that did not end well.
type EndedError struct {
	Address string
	How     string
	Code    int
}

// Error names the agent.
func (e *EndedError) Error() string {
	if e.Code == abandoned {
		return e.Address + ": events were given up at the end of the drain; sources that can replay read them again"
	}
	return e.Address + " " + e.How
}

// ExitCode is the agent's own where it has one.
func (e *EndedError) ExitCode() int { return max(e.Code, 1) }

// abandoned is the exit code of an agent that gave up events when it drained.
const abandoned = 3

// RunForeground runs agents until ctx ends, and then lets them drain. One that ends before it has been ready once fails the whole: the others
// drain, and its exit code is the result. One that crashes later starts again, after pauses like a supervised one. A child notices
// the death of this process by the end of a pipe, and drains.
func RunForeground(ctx context.Context, f Foreground) error {
	if f.Binary == "" {
		f.Binary = "/proc/self/exe" // the same program, even if its file was replaced or removed
	}
	if err := process.KeepDescriptors(); err != nil {
		return err
	}
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	errs := make([]error, len(f.Agents))
	var wg sync.WaitGroup
	for i, m := range f.Agents {
		prefix := ""
		if len(f.Agents) > 1 {
			prefix = m.Address + "  "
		}
		a := &attended{Foreground: f, meta: m, prefix: prefix, dir: f.Layout.AgentDir(m.ID)}
		wg.Go(func() {
			if errs[i] = a.run(ctx); errs[i] != nil {
				drain()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// attended is one agent that runs in the foreground.
type attended struct {
	Foreground
	meta   api.AgentMeta
	prefix string
	dir    string
	ready  bool // it was, once
}

// run keeps the agent running until ctx ends, or it ends by itself.
func (a *attended) run(ctx context.Context) error {
	for fails := 0; ; fails++ {
		began := time.Now()
		err := a.once(ctx)
		if ctx.Err() != nil || err == nil || !a.ready {
			return err
		}
		if time.Since(began) >= healthyRun {
			fails = 0
		}
		pause := restartPause(fails)
		a.Log.Warn("agent ended, starts again", "agent", a.meta.Address, "how", err, "pause", pause)
		if sleep(ctx, pause) != nil {
			return nil // it has ended already, and what it held is where it will go on
		}
	}
}

// once runs the agent's process to its end.
func (a *attended) once(ctx context.Context) error {
	env, err := agentEnv(a.dir)
	if err != nil {
		return err
	}
	hear, life, err := os.Pipe()
	if err != nil {
		return err
	}
	defer life.Close() // held as long as the child runs
	out, errOut := &lines{to: a.Out}, &lines{to: a.Err, prefix: a.prefix}
	cmd := exec.Command(a.Binary, api.ForegroundArgs(a.Layout, a.meta.ID)...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = env, "/", out, errOut, []*os.File{hear}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals come to this process, which passes them on
	err = cmd.Start()
	_ = hear.Close() // the child has it
	if err != nil {
		return fmt.Errorf("start %s: %w", a.meta.Address, err)
	}
	done := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		out.end()
		errOut.end()
		done <- err
	}()
	err = a.attend(ctx, cmd.Process, done)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		how := "ended: " + exit.String()
		if !a.ready {
			if st, ok := exit.Sys().(syscall.WaitStatus); ok && ctx.Err() != nil && st.Signal() == unix.SIGTERM {
				return nil // it was told to end before it could listen to that
			}
			how = "ended while it started: " + exit.String()
		}
		return &EndedError{Address: a.meta.Address, How: how, Code: exit.ExitCode()}
	}
	return err
}

// attend waits for the end of the process, which it asks to drain when ctx ends.
func (a *attended) attend(ctx context.Context, p *os.Process, done <-chan error) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for !a.ready {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return a.drain(p, done)
		case <-tick.C:
			if a.ready = a.isReady(ctx, p.Pid); a.ready {
				a.Log.Info("agent ready", "agent", a.meta.Address, "pid", p.Pid)
			}
		}
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return a.drain(p, done)
	}
}

func (a *attended) isReady(ctx context.Context, pid int) bool {
	s, err := api.Dial(a.Layout.AgentSocket(a.meta.ID)).Snapshot(ctx)
	return err == nil && s.PID == pid && s.Ready
}

// drain ends the process: by a first signal, when it is aborted by a second one, and in the end by force.
func (a *attended) drain(p *os.Process, done <-chan error) error {
	set, _, _ := readSettings(a.dir) // without them the defaults hold
	_ = p.Signal(unix.SIGTERM)       // it may have ended by itself
	limit := time.NewTimer(set.Drain + endGrace)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
	case <-a.Abort:
		_ = p.Signal(unix.SIGTERM)
		limit.Reset(abortGrace)
		select {
		case err := <-done:
			return err
		case <-limit.C:
		}
	}
	_ = p.Kill()
	return <-done
}

// maxLine is the length from which a line is passed on in pieces.
const maxLine = 64 << 10

// lines passes on whole lines.
type lines struct {
	to     io.Writer
	prefix string
	buf    []byte
}

// Write never fails: an agent does not end because nobody reads what it says.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	if l.prefix == "" && len(l.buf) == 0 {
		if i := bytes.LastIndexByte(p, '\n'); i >= 0 { // several lines are one write
			_, _ = l.to.Write(p[:i+1])
			p = p[i+1:]
		}
	}
	l.buf = append(l.buf, p...)
	for {
		i := bytes.IndexByte(l.buf, '\n')
		if i < 0 {
			break
		}
		l.put(l.buf[:i+1])
		l.buf = l.buf[i+1:]
	}
	if len(l.buf) >= maxLine {
		l.end()
	}
	return n, nil
}

func (l *lines) put(line []byte) {
	_, _ = l.to.Write(append([]byte(l.prefix), line...))
}

// end passes on the rest.
func (l *lines) end() {
	if len(l.buf) > 0 {
		l.put(append(l.buf, '\n'))
		l.buf = nil
	}
}
