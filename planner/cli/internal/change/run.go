package change

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/planner/state"
	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

func (c *command) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run agents in the foreground: for containers, tests and development", ArgsUsage: "[AGENT]...",
		Description: "Each agent is a child process with the environment and the memory limit that its configuration says. What console sinks show is run's\n" +
			"output; logs go to its standard error, with the agent's address in front where there are several. An agent that cannot start ends run\n" +
			"with its exit code; one that crashes later starts again, after pauses. The first interrupt lets all drain (exit 3 when events were given\n" +
			"up), the second ends at once. When run itself is killed, its agents drain and end.",
		Flags:  append(c.ValueFlags(), &cli.DurationFlag{Name: "lock-timeout", Usage: "wait this long for another command, or for the agents of a run that was killed, to end"}),
		Action: c.run,
	}
}

// run evaluates the configuration, creates missing topics, and runs the agents as children until it is told to end. They have the
// directories, locks and environments of supervised ones.
func (c *command) run(ctx *cli.Context) error {
	s, err := c.load()
	if err != nil {
		return err
	}
	agents, err := chosenAgents(s.Config, ctx.Args().Slice())
	if err != nil {
		return err
	}
	if err := s.Prepare(); err != nil {
		return err
	}
	if err := s.Layout.PrepareRun(); err != nil {
		return err
	}
	call.KeepPrivate()
	signals := s.Listen(ctx.Context, "Draining. Interrupt again to end at once.")
	defer signals.Stop()
	until, end := signals.UntilFirst()
	defer end()
	ctx.Context = until
	log := s.Logger(s.Err, slog.LevelInfo)
	broker, err := s.ownBroker(until, log)
	if err != nil {
		return err
	}
	defer broker()
	s.awaitFree(until, agents, ctx.Duration("lock-timeout"))
	ids, err := s.readyToRun(ctx, agents, log)
	if err != nil {
		return err
	}
	return call.Finish(signals, func() error { return s.Deps.RunAgents(until, s.foreground(agents, ids, log, signals.Second())) })
}

// chosenAgents finds the agents of the command line; none means all.
func chosenAgents(cfg *hclspec.Config, names []string) ([]*hclspec.Agent, error) {
	if len(names) == 0 {
		if len(cfg.Agents) == 0 {
			return nil, call.Refuse("Nothing to run", "The configuration declares no agent.")
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
			if addr := a.Spec.Address; words.CoveredBy([]string{n, "agent." + n}, addr) {
				found = true
				if !seen[addr] {
					seen[addr] = true
					out = append(out, a)
				}
			}
		}
		if !found {
			hint := ""
			if near := words.Nearest(n, all); near != "" {
				hint = fmt.Sprintf(" Did you mean %s?", near)
			}
			return nil, call.Refuse("Unknown agent", "The configuration declares no agent %s.%s", n, hint)
		}
	}
	return out, nil
}

// ownBroker runs the development broker in this process where the configuration needs one and none runs. It gives what ends it.
func (s *session) ownBroker(ctx context.Context, log *slog.Logger) (end func(), err error) {
	nothing := func() {}
	if !planner.NeedsBroker(s.Config) {
		return nothing, nil
	}
	seen, err := s.Survey(ctx, s.Layout)
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
		failed <- s.Deps.RunBroker(own, s.Layout, log.With("broker", "development"), func(address string) { ready <- address })
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

// awaitFree waits, for some time, until no process is one of the agents: those of a run that was killed drain and end.
func (s *session) awaitFree(ctx context.Context, agents []*hclspec.Agent, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(freePoll)
	defer tick.Stop()
	for _, a := range agents {
		for {
			if _, held, err := api.Probe(filepath.Join(s.Layout.AgentDir(s.agentID(a)), "lock")); err != nil || !held {
				break // who prepares the agent says what is wrong
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

const freePoll = 50 * time.Millisecond

// agentID is the name of an agent's directory, which stays when the agent's address changes.
func (s *session) agentID(a *hclspec.Agent) string {
	if dir, ok := call.AgentDirs(s.Layout)[a.Spec.Address]; ok {
		return filepath.Base(dir)
	}
	return api.AgentID(a.Spec.Address)
}

// readyToRun creates what is missing under the lock, and writes the agents' files.
func (s *session) readyToRun(ctx *cli.Context, agents []*hclspec.Agent, log *slog.Logger) (ids []string, err error) {
	if err := s.Lock(ctx.Context, true, ctx.Duration("lock-timeout"), "run"); err != nil {
		return nil, err
	}
	defer s.Unlock(false)
	if len(s.Config.Topics) > 0 {
		if err := s.missingTopics(ctx.Context, log); err != nil {
			return nil, err
		}
	}
	for _, a := range agents {
		id, err := s.writeAgent(a)
		if err != nil {
			return nil, call.Refuse("Agent cannot be run", "%s: %s.", a.Spec.Address, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (s *session) missingTopics(ctx context.Context, log *slog.Logger) error {
	store, err := state.Open(s.Layout.Data)
	if err != nil {
		return call.Refuse("State cannot be read", "%s", words.Sentence(err.Error()))
	}
	kinds, err := s.Kinds(s.Config.Name, s.Layout, 0)
	for _, k := range kinds {
		if err == nil && k.Name() == planner.KindTopic {
			err = planner.CreateMissing(ctx, s.Config, store, k, func(address, line string) { log.Info(line, "topic", address) })
		}
	}
	if err == nil {
		err = store.Finish(state.Result{}, s.Now())
	}
	return errors.Join(err, store.Close())
}

// writeAgent writes the files of an agent that does not run.
func (s *session) writeAgent(a *hclspec.Agent) (id string, err error) {
	id = s.agentID(a)
	return id, supervisor.PrepareAgent(s.Layout, api.AgentMeta{Address: a.Spec.Address, ID: id, Created: s.Now().UTC()}, a.Spec, a.Secrets)
}

// foreground says how the agents run: each in a process of its own, whose events for people are run's output, and whose log is run's
// log.
func (s *session) foreground(agents []*hclspec.Agent, ids []string, log *slog.Logger, abort <-chan struct{}) supervisor.Foreground {
	f := supervisor.Foreground{Layout: s.Layout, Out: s.Out, Err: s.Err, Log: log, Abort: abort}
	for i, a := range agents {
		f.Agents = append(f.Agents, api.AgentMeta{Address: a.Spec.Address, ID: ids[i]})
	}
	return f
}
