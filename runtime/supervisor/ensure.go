package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

// ensureLimit is how long a supervisor may take to answer, to begin or to end.
const ensureLimit = 20 * time.Second

// pollPause is the pause between looks at something of another process.
const pollPause = 20 * time.Millisecond

// Ensure gives a client of the installation's supervisor, and starts one when none runs. program is the running program; the supervisor
// runs a copy of it in the data directory. A supervisor of another build hands over: it ends, agents go on, and the new one
// adopts them.
func Ensure(ctx context.Context, l api.Layout, program string) (*api.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, ensureLimit, errors.New("the supervisor does not answer"))
	defer cancel()
	if err := api.PrivateDir(l.Data); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := l.PrepareRun(); err != nil {
		return nil, err
	}
	if err := api.CheckSocket(l.AgentSocket(api.AgentID("agent.an_address_as_long_as_can_be_in_a_name"))); err != nil {
		return nil, err
	}
	c, handed, started := api.Dial(l.SupervisorSocket()), false, false
	var copied string
	for {
		h, held, err := api.Probe(lockPath(l))
		if err != nil {
			return nil, err
		}
		if !held {
			// The one that ran may have removed these at its end.
			if err := l.PrepareRun(); err != nil {
				return nil, err
			}
		}
		if copied == "" || !held {
			if copied, err = process.Install(l, program); err != nil {
				return nil, err
			}
		}
		switch {
		case !held && !started:
			started = true
			if err := launch(l, copied); err != nil {
				return nil, fmt.Errorf("start the supervisor: %w", err)
			}
		case held:
			started = false
			ready, err := agree(ctx, c, h, copied, &handed)
			if err != nil || ready {
				return c, err
			}
		}
		if err := sleep(ctx, pollPause); err != nil {
			if held {
				return nil, fmt.Errorf("%w: process %d holds %s", context.Cause(ctx), h.PID, lockPath(l))
			}
			return nil, fmt.Errorf("%w: %s", context.Cause(ctx), tail(logPath(l)))
		}
	}
}

// agree says whether the running supervisor is the right one, and asks another build to hand over, once.
func agree(ctx context.Context, c *api.Client, h api.Holder, program string, handed *bool) (bool, error) {
	if h.Build == filepath.Base(filepath.Dir(program)) {
		_, err := c.Supervisor(ctx)
		return err == nil, nil // it is starting, ending, or stopped for a while: looked at again
	}
	if *handed {
		return false, nil
	}
	err := c.Shutdown(ctx, api.Leave)
	*handed = err == nil
	if err == nil || errors.Is(err, api.ErrUnreachable) || errors.Is(err, api.ErrEnding) {
		return false, nil
	}
	return false, fmt.Errorf("hand the supervisor over to this program: %w", err)
}

// launch starts a supervisor that outlives us.
func launch(l api.Layout, program string) error {
	if err := (&process.Verifier{}).Verify(program); err != nil {
		return err
	}
	p, err := process.Spawn(process.Command{Path: program, Args: api.SuperviseArgs(l), Env: process.Env(), Log: logPath(l)})
	if err != nil {
		return err
	}
	return p.Forget()
}

func lockPath(l api.Layout) string { return filepath.Join(l.Data, "supervisor.lock") }
func logPath(l api.Layout) string  { return filepath.Join(l.Data, "supervisor.log") }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until asks again until it is so, for the limit at most.
func until(ctx context.Context, limit time.Duration, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if is, err := ok(); is || err != nil {
			return err
		}
		if err := sleep(ctx, pollPause); err != nil {
			return err
		}
	}
}

// removeIfEmpty removes directories that hold nothing, the inner ones first.
func removeIfEmpty(dirs ...string) {
	for _, d := range dirs {
		_ = os.Remove(d) // one that is not empty, or gone, stays as it is
	}
}
