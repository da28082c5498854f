// Package agent is the process around one pipeline: its files, its lock, its control socket, and its end.
//
// It reads meta.json, spec.json and secrets from the agent's directory, holds the lock of that directory as long as it lives,
// answers on its control socket, and drains when it is told to end. It writes nothing but the pipeline's data: what it shall be is
// the supervisor's to store.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

// Options say which agent to run.
type Options struct {
	Layout   api.Layout
	ID       string
	Registry *registry.Registry
	Log      *slog.Logger
	Build    string // of this program, for status
	// Alone says that this process is nothing but the agent: then its memory limit and its umask are the process's.
	Alone bool
	// NoSources leaves the sources out: the agent was started only to deliver what its channels hold.
	NoSources bool
	// Out is where sinks show events to people; nil: only in the log.
	Out io.Writer
	// RunPID is the process of collect run whose child this one is, 0 where there is none.
	RunPID int
	// Abort ends a drain at once: the second signal. It may be nil.
	Abort <-chan struct{}
	// Env replaces the real machine (tests). Only FS, Net, Rand, Host and Pool count.
	Env *pipeline.Base
}

// AbandonedError says that a drain ended with events that were not delivered and that no durable channel holds.
type AbandonedError struct{ Events int64 }

// Error says how many.
func (e *AbandonedError) Error() string {
	return fmt.Sprintf("%d events were given up at the end of the drain; sources that can replay read them again", e.Events)
}

// ExitCode is what the process ends with.
func (e *AbandonedError) ExitCode() int { return 3 }

// agent is one running agent.
type agent struct {
	opt      Options
	log      *slog.Logger
	dir      string
	meta     api.AgentMeta
	began    time.Time
	pipe     *pipeline.Pipeline
	metrics  *metrics
	rates    rates
	settings schema.AgentSettings // guarded by one reload or drain at a time
	busy     chan struct{}        // held by reload and drain
	end      chan drainRequest    // a drain that came over the socket
	ending   context.Context      // ends when the process was told to end: drains over the socket are too late
}

// Run runs the agent until ctx ends or its control socket is told to drain; then it drains and returns. Events given up are an
// [AbandonedError].
func Run(ctx context.Context, opt Options) error {
	a := &agent{
		opt: opt, log: opt.Log, dir: opt.Layout.AgentDir(opt.ID), began: time.Now().UTC(),
		busy: make(chan struct{}, 1), end: make(chan drainRequest),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.ending = ctx
	if opt.Alone {
		syscall.Umask(0o077)
	}
	if ok, err := api.ReadFile(filepath.Join(a.dir, "meta.json"), &a.meta); err != nil || !ok {
		return errors.Join(fmt.Errorf("%s has no agent", a.dir), err)
	}
	lock, err := api.TakeLock(filepath.Join(a.dir, "lock"), opt.Build, a.meta.Address)
	if err != nil {
		return err
	}
	err = a.run(ctx)
	return errors.Join(err, lock.Release())
}

func (a *agent) run(ctx context.Context) error {
	spec, secrets, err := a.read()
	if err != nil {
		return err
	}
	if a.settings, err = settings(&spec, secrets); err != nil {
		return err
	}
	if a.opt.Alone {
		debug.SetMemoryLimit(int64(a.settings.MemoryLimit))
	}
	ln, err := api.Listen(a.opt.Layout.AgentSocket(a.opt.ID))
	if err != nil {
		return err
	}
	base, err := a.base()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	if a.pipe, err = pipeline.New(&spec, secrets, a.opt.Registry, base); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", a.meta.Address, err), ln.Close())
	}
	a.metrics = newMetrics(a.snapshot, base.Net)

	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx)) // it answers while the pipeline drains
	served := make(chan error, 1)
	go func() { served <- api.Serve(serving, ln, a.handler(), answerGrace) }()
	err = a.live(ctx)
	stopServing()
	return errors.Join(err, a.metrics.close(), <-served, closed(ln.Close()))
}

// closed leaves out what only says that the server has closed the socket already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// answerGrace is how long answers that are being given may take at the end.
const answerGrace = 2 * time.Second

// live starts the pipeline and waits for the end.
func (a *agent) live(ctx context.Context) error {
	if err := a.metrics.listen(ctx, a.settings.Metrics); err != nil {
		_, drainErr := a.pipe.Drain(ctx, false) // it has not begun
		return errors.Join(err, drainErr)
	}
	a.log.Info("agent starts", "pid", os.Getpid(), "hash", a.pipe.Spec().Hash())
	if err := a.pipe.Start(ctx); err != nil {
		return fmt.Errorf("%s: start: %w", a.meta.Address, err)
	}
	watching, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		newHealthLog(a.log).watch(watching, func() []api.Component { return a.pipe.Snapshot().Components })
	}()
	var req drainRequest
	select {
	case req = <-a.end:
	case <-ctx.Done():
		a.busy <- struct{}{} // a reload ends first; it is bounded itself
		req.limit = a.settings.Drain
	}
	stopWatching()
	<-watched
	return a.drain(context.WithoutCancel(ctx), req)
}

// drain ends the pipeline within the limit, or at once when it is aborted.
func (a *agent) drain(ctx context.Context, req drainRequest) error {
	ctx, cancel := context.WithTimeout(ctx, req.limit)
	defer cancel()
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-a.opt.Abort:
			cancel()
		case <-stop:
		}
	}()
	a.log.Info("agent drains", "limit", req.limit, "empty", req.empty)
	abandoned, err := a.pipe.Drain(ctx, req.empty)
	close(stop)
	<-watched
	left := a.pipe.Left()
	if req.reply != nil {
		req.reply <- drainReply{api.StopReply{Abandoned: abandoned, Left: left}, err}
	}
	a.log.Info("agent ends", "abandoned", abandoned, "left_in_channels", len(left), "err", err)
	if err == nil && abandoned > 0 {
		err = &AbandonedError{Events: abandoned}
	}
	return err
}

func (a *agent) read() (schema.AgentSpec, schema.Secrets, error) {
	var spec schema.AgentSpec
	var secrets schema.Secrets
	ok, err := api.ReadFile(filepath.Join(a.dir, "spec.json"), &spec)
	if err == nil && !ok {
		err = fmt.Errorf("%s does not exist", filepath.Join(a.dir, "spec.json"))
	}
	if err == nil {
		_, err = api.ReadFile(filepath.Join(a.dir, "secrets"), &secrets)
	}
	if err == nil && spec.Address != a.meta.Address {
		err = fmt.Errorf("spec.json is of %s, meta.json of %s", spec.Address, a.meta.Address)
	}
	if secrets == nil {
		secrets = schema.Secrets{}
	}
	if a.opt.NoSources {
		spec.Sources = nil
	}
	return spec, secrets, err
}

func settings(spec *schema.AgentSpec, secrets schema.Secrets) (schema.AgentSettings, error) {
	set := schema.DefaultAgentSettings()
	if err := schema.Decode(spec.Settings, secrets, &set); err != nil {
		return set, fmt.Errorf("%s: settings: %w", spec.Address, err)
	}
	return set, nil
}

// base gives the pipeline the machine.
func (a *agent) base() (pipeline.Base, error) {
	b := pipeline.Base{FS: host.FS(), Net: host.Net(), Rand: host.Rand()}
	if a.opt.Env != nil {
		b = *a.opt.Env
	} else if err := a.privateDirs(); err != nil {
		return b, err
	}
	if b.Pool == nil {
		b.Pool = flow.NewPool(max(4<<20, int64(a.settings.MemoryLimit)/8))
	}
	if b.Host == "" {
		b.Host, _ = os.Hostname() // without a name event.meta.host is missing
	}
	b.Log, b.Out, b.Dir, b.Resolve = a.log, a.opt.Out, filepath.Join(a.dir, "data"), a.resolve
	return b, b.FS.MkdirAll(b.Dir, 0o700)
}

// privateDirs makes the directories that sources, channels and sinks fill. What lies at data must be a directory of ours, and no link;
// work may be a link of the user's to a larger disk.
func (a *agent) privateDirs() error {
	if err := api.PrivateDir(filepath.Join(a.dir, "data")); err != nil {
		return err
	}
	if err := os.Mkdir(a.opt.Layout.Work(), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// brokerToken stands in specs for the address of the development broker, so that its port is in no hash.
const brokerToken = "@development_broker"

func (a *agent) resolve(token string) (string, error) {
	if token != brokerToken {
		return "", fmt.Errorf("the token %q is not known", token)
	}
	var meta api.BrokerMeta
	ok, err := api.ReadFile(filepath.Join(a.opt.Layout.BrokerDir(), "meta.json"), &meta)
	if err == nil && !ok {
		err = errors.New("there is no development broker in this installation")
	}
	if err != nil {
		return "", err
	}
	return api.BrokerAddress(meta), nil
}

// snapshot tells how the agent is.
func (a *agent) snapshot() api.Agent {
	s := a.pipe.Snapshot()
	s.Address, s.ID, s.PID, s.Since, s.Build = a.meta.Address, a.opt.ID, os.Getpid(), a.began, a.opt.Build
	if os.Getppid() == a.opt.RunPID { // a child whose parent is gone gets another
		s.RunPID = a.opt.RunPID
	}
	s.Start = strconv.FormatInt(a.began.UnixNano(), 36)
	s.RSS, s.CPUSeconds = usage()
	a.rates.apply(&s, time.Now())
	return s
}
