package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

// The commands here are how the supervisor and apply start processes. Users do not type them; a systemd unit names supervise.

// layoutOf reads -data-dir, which is always given as the same text, so that a process list shows whose process it is.
func (c *command) layoutOf(ctx *cli.Context) (api.Layout, error) {
	dir := ctx.String("data-dir")
	if !filepath.IsAbs(dir) {
		return api.Layout{}, call.Refuse("Which installation?", "-data-dir must be an absolute path.")
	}
	return api.NewLayout(dir, c.Getenv("XDG_RUNTIME_DIR")), nil
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
					return call.Refuse("Which agent?", "-id must be the name of an agent's directory.")
				}
				foreground := ctx.Bool("foreground")
				logOf := func(l api.Layout) string { return filepath.Join(l.AgentDir(id), "agent.log") }
				return c.process(ctx, logOf, func(run context.Context, l api.Layout, log *slog.Logger, abort <-chan struct{}) error {
					a := call.AgentProcess{Layout: l, ID: id, Log: log, Abort: abort, NoSources: ctx.Bool("no-sources")}
					if foreground {
						a.RunPID = os.Getppid()
						run, a.Out = c.attached(run, log)
					}
					return c.Deps.RunAgent(run, a)
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
	return ctx, &wholeWrites{w: c.Stdout}
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
				return c.Deps.Supervise(ctx, l, log)
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
					return c.Deps.RunBroker(ctx, l, log, func(address string) { log.Info("broker ready", "address", address) })
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
	call.KeepPrivate()
	signals := c.Listen(ctx.Context, "")
	defer signals.Stop()
	until, end := signals.UntilFirst()
	defer end()
	return call.Finish(signals, func() error {
		return run(until, l, c.Logger(supervisor.KeepSmall(c.Stderr, logOf(l)), slog.LevelInfo), signals.Second())
	})
}
