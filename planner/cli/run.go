package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

func (c *command) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run agents in the foreground: for containers, tests and development", ArgsUsage: "[AGENT]...",
		Flags:  append(c.valueFlags(), &cli.DurationFlag{Name: "lock-timeout", Usage: "wait this long for another command to end"}),
		Action: c.run,
	}
}

// run evaluates the configuration, creates missing topics, and is the agents until it is told to end. They run on the same
// directories and under the same locks as supervised ones.
func (c *command) run(ctx *cli.Context) error {
	s, err := c.load()
	if err != nil {
		return err
	}
	agents, err := chosenAgents(s.cfg, ctx.Args().Slice())
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.layout.PrepareRun(); err != nil {
		return err
	}
	keepPrivate()
	signals := s.listen(ctx.Context, "Draining. Interrupt again to end at once.")
	defer signals.stop()
	until, end := signals.untilFirst()
	defer end()
	ctx.Context = until
	log := s.logger(s.err, slog.LevelInfo)
	broker, err := s.ownBroker(until, log)
	if err != nil {
		return err
	}
	defer broker()
	ids, err := s.readyToRun(ctx, agents, log)
	if err != nil {
		return err
	}
	return finish(signals, func() error { return s.runAgents(until, ids, log, signals.second()) })
}

// chosenAgents finds the agents of the command line; none means all.
func chosenAgents(cfg *hclspec.Config, names []string) ([]*hclspec.Agent, error) {
	if len(names) == 0 {
		if len(cfg.Agents) == 0 {
			return nil, refuse("Nothing to run", "The configuration declares no agent.")
		}
		return cfg.Agents, nil
	}
	var out []*hclspec.Agent
	var all []string
	seen := map[string]bool{}
	for _, a := range cfg.Agents {
		all = append(all, a.Spec.Address)
	}
	for _, n := range names {
		found := false
		for _, a := range cfg.Agents {
			if addr := a.Spec.Address; coveredBy([]string{n, "agent." + n}, addr) {
				found = true
				if !seen[addr] {
					seen[addr] = true
					out = append(out, a)
				}
			}
		}
		if !found {
			hint := ""
			if near := nearest(n, all); near != "" {
				hint = fmt.Sprintf(" Did you mean %s?", near)
			}
			return nil, refuse("Unknown agent", "The configuration declares no agent %s.%s", n, hint)
		}
	}
	return out, nil
}

// ownBroker runs the development broker in this process where the configuration needs one and none runs. It gives what ends it.
func (s *session) ownBroker(ctx context.Context, log *slog.Logger) (end func(), err error) {
	nothing := func() {}
	if !planner.NeedsBroker(s.cfg) {
		return nothing, nil
	}
	seen, err := s.survey(ctx, s.layout)
	if err != nil {
		return nothing, err
	}
	if seen.Broker != nil && seen.Broker.PID != 0 {
		return nothing, nil
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the agents' drain
	ready := make(chan string, 1)
	failed := make(chan error, 1)
	go func() {
		failed <- s.deps.RunBroker(own, s.layout, log.With("broker", "development"), func(address string) { ready <- address })
	}()
	end = func() {
		cancel()
		if err := <-failed; err != nil && !errors.Is(err, context.Canceled) {
			log.Error("development broker ended", "err", err)
		}
	}
	select {
	case address := <-ready:
		log.Info("development broker ready", "address", address)
		return end, nil
	case err := <-failed:
		failed <- nil
		end()
		return nothing, fmt.Errorf("start the development broker: %w", err)
	case <-ctx.Done():
		end()
		return nothing, context.Canceled
	}
}

// readyToRun creates what is missing under the lock, and writes the agents' files.
func (s *session) readyToRun(ctx *cli.Context, agents []*hclspec.Agent, log *slog.Logger) (ids []string, err error) {
	if err := s.locked(ctx.Context, true, ctx.Duration("lock-timeout"), "run"); err != nil {
		return nil, err
	}
	defer s.unlock(false)
	if len(s.cfg.Topics) > 0 {
		if err := s.missingTopics(ctx.Context, log); err != nil {
			return nil, err
		}
	}
	for _, a := range agents {
		id, err := s.writeAgent(a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Spec.Address, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (s *session) missingTopics(ctx context.Context, log *slog.Logger) error {
	store, err := state.Open(s.layout.Data)
	if err != nil {
		return refuse("State cannot be read", "%s", sentence(err.Error()))
	}
	kinds, err := s.kinds(s.cfg.Name, s.layout, 0)
	for _, k := range kinds {
		if err == nil && k.Name() == planner.KindTopic {
			err = planner.CreateMissing(ctx, s.cfg, store, k, func(address, line string) { log.Info(line, "topic", address) })
		}
	}
	if err == nil {
		err = store.Finish(state.Result{}, s.now())
	}
	return errors.Join(err, store.Close())
}

// writeAgent writes the files of an agent that does not run.
func (s *session) writeAgent(a *hclspec.Agent) (id string, err error) {
	id = api.AgentID(a.Spec.Address)
	if dir, ok := agentDirs(s.layout)[a.Spec.Address]; ok {
		id = filepath.Base(dir)
	}
	dir := s.layout.AgentDir(id)
	if holder, held, err := api.Probe(filepath.Join(dir, "lock")); err != nil {
		return id, err
	} else if held {
		return id, fmt.Errorf("it runs already as process %d", holder.PID)
	}
	for _, d := range []string{s.layout.AgentsDir(), dir} {
		if err := api.PrivateDir(d); err != nil {
			return id, err
		}
	}
	if err := restoreKept(s.layout, id); err != nil {
		return id, fmt.Errorf("kept positions: %w", err)
	}
	meta := filepath.Join(dir, "meta.json")
	if _, err := os.Lstat(meta); errors.Is(err, os.ErrNotExist) {
		err = writeJSON(meta, api.AgentMeta{Address: a.Spec.Address, ID: id, Created: s.now().UTC()})
		if err != nil {
			return id, err
		}
	}
	secrets := filepath.Join(dir, "secrets")
	if len(a.Secrets) > 0 {
		err = writeJSON(secrets, a.Secrets)
	} else if err = os.Remove(secrets); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return id, err
	}
	return id, writeJSON(filepath.Join(dir, "spec.json"), a.Spec)
}

// restoreKept gives an agent that was destroyed the positions of its earlier life, as the supervisor does.
func restoreKept(l api.Layout, id string) error {
	kept, data := filepath.Join(l.Kept(), id), filepath.Join(l.AgentDir(id), "data")
	for path, wanted := range map[string]bool{kept: true, data: false} {
		_, err := os.Lstat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if (err == nil) != wanted {
			return nil // nothing is kept, or the agent lives: what it has is newer
		}
	}
	if err := os.Rename(kept, data); err != nil {
		return err
	}
	return api.SyncDir(filepath.Dir(data))
}

func writeJSON(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return api.WriteFile(name, append(raw, '\n'))
}

// runAgents runs agents until all have ended. When one fails, the others drain: a foreground command does not go on with
// a part of what it was asked for.
func (s *session) runAgents(ctx context.Context, ids []string, log *slog.Logger, abort <-chan struct{}) error {
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			errs[i] = s.deps.RunAgent(ctx, AgentProcess{Layout: s.layout, ID: id, Log: log.With("agent", id), Alone: len(ids) == 1, Abort: abort})
			if errs[i] != nil && !errors.Is(errs[i], context.Canceled) {
				errs[i] = fmt.Errorf("%s: %w", id, errs[i])
				drain()
			} else {
				errs[i] = nil
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *command) serviceCommand() *cli.Command {
	return &cli.Command{
		Name: "service", Usage: "print a systemd unit that runs this installation's agents after a boot", Flags: c.valueFlags(),
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			s, err := c.load()
			if err != nil {
				return err
			}
			program, err := c.executable()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.out, s.unit(program))
			return err
		},
	}
}

// unit gives a systemd unit. The agents may write their data, and what their sinks and sources write; nothing else.
func (s *session) unit(program string) string {
	var paths strings.Builder
	for _, p := range writtenPaths(s.cfg, s.deps.Types, s.layout) {
		fmt.Fprintf(&paths, "ReadWritePaths=%s\n", unitQuote("-"+p))
	}
	return fmt.Sprintf(unitText, s.cfg.Name, s.own.User, unitQuote(program), unitQuote(s.layout.Data), paths.String(), s.now().UTC().Format(time.DateOnly))
}

const unitText = `# collect: agents of the installation %[1]q, written %[6]s. Install as /etc/systemd/system/collect-NAME.service
[Unit]
Description=collect: agents of %[1]s
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=%[2]s
ExecStart=%[3]s supervise --data-dir %[4]s
KillMode=control-group
Restart=on-failure
TimeoutStopSec=90
UMask=0077
%[5]sNoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
ProtectProc=invisible
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
`

// unitQuote quotes a path for a unit: % begins a specifier, and spaces separate.
func unitQuote(p string) string {
	p = strings.ReplaceAll(p, "%", "%%")
	if strings.ContainsAny(p, " \t\"\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`
	}
	return p
}
