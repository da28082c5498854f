package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// surveyLimit is how long a survey takes at most, whatever hangs.
const surveyLimit = 2 * time.Second

// surveyWidth is how many agents are asked at the same time.
const surveyWidth = 16

// startGrace is how long an agent that holds its lock may need until it answers.
const startGrace = 5 * time.Second

// maxSmallFile bounds the files of a few lines that are read here.
const maxSmallFile = 1 << 20

// Survey describes what runs in a data directory. It needs no supervisor: it reads who declares to be there, asks the locks who is alive,
// and asks those over their sockets, all at once and for two seconds at most. An agent that holds its lock and does not answer is
// unreachable, never absent. Name, revision and topics are the planner's to fill in.
func Survey(ctx context.Context, l Layout) (Installation, error) {
	seen := Installation{Version: Version, DataDir: l.Data, At: time.Now().UTC(), Agents: []Agent{}, Topics: []Topic{}}
	entries, err := os.ReadDir(l.AgentsDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return seen, fmt.Errorf("read agents: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, surveyLimit)
	defer cancel()

	var wg sync.WaitGroup
	var watched SupervisorReply
	var supErr, brokerErr error
	wg.Go(func() { seen.Supervisor, watched, supErr = surveySupervisor(ctx, l) })
	wg.Go(func() { seen.Broker, brokerErr = surveyBroker(l) })
	agents := make([]Agent, len(entries))
	errs := make([]error, len(entries))
	room := make(chan struct{}, surveyWidth)
	for i, e := range entries {
		wg.Go(func() {
			room <- struct{}{} // never more than the width at a time
			defer func() { <-room }()
			agents[i], errs[i] = surveyAgent(ctx, l, e.Name())
		})
	}
	wg.Wait()

	for i := range agents {
		switch {
		case errs[i] != nil:
			seen.Unreachable = append(seen.Unreachable, fmt.Sprintf("agents/%s: %v", entries[i].Name(), errs[i]))
		case agents[i].ID != "":
			seen.Agents = append(seen.Agents, agents[i])
		}
	}
	for _, err := range []error{supErr, brokerErr} {
		if err != nil {
			seen.Unreachable = append(seen.Unreachable, err.Error())
		}
	}
	mergeWatched(seen.Agents, watched.Agents)
	slices.SortFunc(seen.Agents, func(a, b Agent) int { return strings.Compare(a.Address, b.Address) })
	return seen, nil
}

func surveySupervisor(ctx context.Context, l Layout) (*Supervisor, SupervisorReply, error) {
	h, held, err := Probe(filepath.Join(l.Data, "supervisor.lock"))
	if err != nil || !held {
		return nil, SupervisorReply{}, err
	}
	s := &Supervisor{PID: h.PID, Since: h.Since, Build: h.Build}
	r, err := Dial(l.SupervisorSocket()).Supervisor(ctx)
	if err != nil {
		return s, r, fmt.Errorf("supervisor (pid %d): %w", h.PID, err)
	}
	return &r.Supervisor, r, nil
}

func surveyBroker(l Layout) (*Broker, error) {
	var meta BrokerMeta
	if ok, err := ReadFile(filepath.Join(l.BrokerDir(), "meta.json"), &meta); err != nil || !ok {
		return nil, err
	}
	b := &Broker{Address: BrokerAddress(meta), State: Crashed}
	h, held, err := Probe(filepath.Join(l.BrokerDir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("development broker: %w", err)
	}
	if held {
		b.PID, b.State = h.PID, Running
	} else if d, err := l.Desired(l.BrokerDir()); err == nil && d.State != string(Running) {
		b.State = Stopped
	}
	return b, nil
}

// LeftFile is written next to meta.json when an agent could not be removed because it holds events that were not delivered: a list of
// [Orphan]. It goes when the agent runs again.
const LeftFile = "left.json"

// BrokerAddress is where the development broker listens.
func BrokerAddress(m BrokerMeta) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port))
}

func surveyAgent(ctx context.Context, l Layout, id string) (Agent, error) {
	dir := l.AgentDir(id)
	var meta AgentMeta
	if ok, err := ReadFile(filepath.Join(dir, "meta.json"), &meta); err != nil || !ok {
		return Agent{}, err // without meta.json it was being made or removed
	}
	a := Agent{Address: meta.Address, ID: id, State: Stopped, Since: meta.Created, Components: []Component{}}
	h, held, err := Probe(filepath.Join(dir, "lock"))
	if err != nil {
		return a, err
	}
	if !held {
		d, err := l.Desired(dir)
		if err == nil && d.State == string(Running) {
			a.State = Crashed
		}
		if err == nil {
			_, err = ReadFile(filepath.Join(dir, LeftFile), &a.Orphans)
		}
		return a, err
	}
	got, err := Dial(l.AgentSocket(id)).Snapshot(ctx)
	if err == nil {
		got.Address, got.ID, got.PID = meta.Address, id, h.PID
		return got, nil
	}
	a.PID, a.Start, a.Since, a.Build, a.State = h.PID, h.Start, h.Since, h.Build, Unreachable
	if time.Since(h.Since) < startGrace {
		a.State = Starting
	}
	a.NotReady = fmt.Sprintf("process %d holds its lock and does not answer: %v", h.PID, err)
	return a, nil
}

// mergeWatched adds what only the supervisor knows.
func mergeWatched(agents []Agent, watched []Supervised) {
	by := make(map[string]Supervised, len(watched))
	for _, w := range watched {
		by[w.ID] = w
	}
	for i := range agents {
		a := &agents[i]
		w, ok := by[a.ID]
		if !ok {
			continue
		}
		a.Restarts, a.LastExit = w.Restarts, w.LastExit
		a.CannotRun = a.State == Crashed && w.Quick >= 2
		switch {
		case a.State == Crashed && w.PID != 0:
			a.State, a.PID = Starting, w.PID
		case a.State == Crashed && !w.NextTry.IsZero():
			a.NotReady = "starts again at " + w.NextTry.UTC().Format(time.TimeOnly) + " UTC"
		}
	}
}

// Desired reads what the supervisor shall keep true of the agent, or broker, in a directory; stopped when nothing was said.
func (l Layout) Desired(dir string) (Desired, error) {
	d := Desired{State: string(Stopped)}
	_, err := ReadFile(filepath.Join(dir, "desired"), &d)
	return d, err
}

// ReadFile reads a small JSON file; ok is false when there is none.
func ReadFile(path string, into any) (ok bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSmallFile))
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("%s is damaged: it is not what collect wrote", path)
	}
	return true, nil
}

// The arguments with which the program is started as one of the processes of an installation.

// SuperviseArgs start the supervisor.
func SuperviseArgs(l Layout) []string { return []string{"supervise", "--data-dir", l.Data} }

// AgentArgs start an agent.
func AgentArgs(l Layout, id string) []string {
	return []string{"agent", "run", "--data-dir", l.Data, "--id", id}
}

// EmptyingArgs start an agent only to deliver what its channels hold: its sources do not run.
func EmptyingArgs(l Layout, id string) []string { return append(AgentArgs(l, id), "--no-sources") }

// ForegroundArgs start an agent as a child of run: its file 3 ends with its parent, and its events for people go to its standard output.
func ForegroundArgs(l Layout, id string) []string { return append(AgentArgs(l, id), "--foreground") }

// BrokerArgs start the development broker.
func BrokerArgs(l Layout) []string { return []string{"broker", "run", "--data-dir", l.Data} }
