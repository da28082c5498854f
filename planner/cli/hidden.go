package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

// The commands here are how the supervisor and apply start processes. Users do not type them; a systemd unit names supervise.

// layoutOf reads -data-dir, which is always given as the same text, so that a process list shows whose process it is.
func (c *command) layoutOf(ctx *cli.Context) (api.Layout, error) {
	dir := ctx.String("data-dir")
	if !filepath.IsAbs(dir) {
		return api.Layout{}, refuse("Which installation?", "-data-dir must be an absolute path.")
	}
	return api.NewLayout(dir, c.getenv("XDG_RUNTIME_DIR")), nil
}

func dataDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "data-dir", Usage: "data directory of the installation"}
}

func (c *command) agentCommand() *cli.Command {
	return &cli.Command{
		Name: "agent", Hidden: true, Usage: "an agent's process",
		Subcommands: []*cli.Command{{
			Name: "run", Usage: "run one agent of an installation", Flags: []cli.Flag{
				dataDirFlag(), &cli.StringFlag{Name: "id", Usage: "name of its directory"},
				&cli.BoolFlag{Name: "no-sources", Usage: "only deliver what the channels hold"},
				&cli.BoolFlag{Name: "foreground", Usage: "as a child of run: drain when file 3 ends"},
			},
			Action: func(ctx *cli.Context) error {
				id := ctx.String("id")
				if id == "" || !filepath.IsLocal(id) || filepath.Base(id) != id {
					return refuse("Which agent?", "-id must be the name of an agent's directory.")
				}
				foreground := ctx.Bool("foreground")
				logOf := func(l api.Layout) string { return filepath.Join(l.AgentDir(id), "agent.log") }
				return c.process(ctx, logOf, func(run context.Context, l api.Layout, log *slog.Logger, abort <-chan struct{}) error {
					a := AgentProcess{Layout: l, ID: id, Log: log, Abort: abort, NoSources: ctx.Bool("no-sources")}
					if foreground {
						run, a.Out = c.attached(run, log)
					}
					return c.deps.RunAgent(run, a)
				})
			},
		}},
	}
}

// lifeline is the file of a child of run that ends when run does, however that ends.
const lifeline = 3

// attached makes this process a child of run: it drains when its parent is gone, and writes to nobody rather than be ended by that.
func (c *command) attached(ctx context.Context, log *slog.Logger) (context.Context, io.Writer) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, drain := context.WithCancel(ctx)
	go func() { // ends with the process
		_, err := io.Copy(io.Discard, os.NewFile(lifeline, "lifeline"))
		log.Warn("the process that started this agent is gone; it drains", "err", err)
		drain()
	}()
	return ctx, &wholeWrites{w: c.stdout}
}

// wholeWrites lets several write to one output, each write as a whole.
type wholeWrites struct {
	mu sync.Mutex // serialises writes
	w  io.Writer
}

func (o *wholeWrites) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

func (c *command) superviseCommand() *cli.Command {
	return &cli.Command{
		Name: "supervise", Hidden: true, Usage: "watch over the agents of an installation", Flags: []cli.Flag{dataDirFlag()},
		Action: func(ctx *cli.Context) error {
			logOf := func(l api.Layout) string { return filepath.Join(l.Data, "supervisor.log") }
			return c.process(ctx, logOf, func(ctx context.Context, l api.Layout, log *slog.Logger, _ <-chan struct{}) error {
				return c.deps.Supervise(ctx, l, log)
			})
		},
	}
}

func (c *command) brokerCommand() *cli.Command {
	return &cli.Command{
		Name: "broker", Hidden: true, Usage: "the development broker's process",
		Subcommands: []*cli.Command{{
			Name: "run", Usage: "run the development broker of an installation", Flags: []cli.Flag{dataDirFlag()},
			Action: func(ctx *cli.Context) error {
				logOf := func(l api.Layout) string { return filepath.Join(l.BrokerDir(), "broker.log") }
				return c.process(ctx, logOf, func(ctx context.Context, l api.Layout, log *slog.Logger, _ <-chan struct{}) error {
					return c.deps.RunBroker(ctx, l, log, func(address string) { log.Info("broker ready", "address", address) })
				})
			},
		}},
	}
}

// process runs something until the first signal; the second one ends the process without waiting. logOf names the file to which the
// supervisor leads its outputs.
func (c *command) process(ctx *cli.Context, logOf func(api.Layout) string, run func(context.Context, api.Layout, *slog.Logger, <-chan struct{}) error) error {
	l, err := c.layoutOf(ctx)
	if err != nil {
		return err
	}
	keepPrivate()
	signals := c.listen(ctx.Context, "")
	defer signals.stop()
	until, end := signals.untilFirst()
	defer end()
	return finish(signals, func() error {
		return run(until, l, c.logger(supervisor.KeepSmall(c.stderr, logOf(l)), slog.LevelInfo), signals.second())
	})
}

// keepPrivate closes what this process makes to other users, whatever the caller's umask: libraries, too, write into the data directory.
func keepPrivate() { syscall.Umask(0o077) }

// lastWait is how long the second signal waits for what it ended.
const lastWait = 2 * time.Second

// errEnded says that something was not waited for.
var errEnded = errors.New("ended by a second signal")

// finish waits for something, and after the second signal only a moment longer.
func finish(signals *interrupts, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-signals.second():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(lastWait):
		return errEnded
	}
}
