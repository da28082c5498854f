package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

// Options say what to supervise.
type Options struct {
	Layout api.Layout
	Binary string // the program that agents run; "": the one that runs here
	Log    *slog.Logger
	Data   Data // nil: what agents hold that do not run is not known
}

// Data tells what the channels of agents hold that do not run, and removes orphans of such agents.
type Data interface {
	Stored(id string) ([]api.Orphan, error)
	Discard(id string, r api.DiscardRequest) error
}

// Run supervises until it is told to end, or ctx ends: then agents and broker go on. A lock that another supervisor holds
// is an *api.HeldError.
func Run(ctx context.Context, o Options) error {
	s, err := newSupervisor(o)
	if err != nil {
		return err
	}
	lock, err := api.TakeLock(lockPath(o.Layout), s.build, "supervisor")
	if err != nil {
		return err
	}
	s.since = time.Now().UTC()
	ln, err := api.Listen(o.Layout.SupervisorSocket())
	if err != nil {
		return errors.Join(err, lock.Release())
	}
	ctx, s.quit = context.WithCancel(ctx)
	defer s.quit()
	s.mind = func(u *unit) {
		ctx, cancel := context.WithCancel(ctx)
		u.quit = cancel
		s.minders.Go(func() { defer cancel(); u.mind(ctx) })
	}
	if err := s.adoptAll(); err != nil {
		s.quit()
		s.minders.Wait()
		return errors.Join(err, ln.Close(), lock.Release())
	}
	s.log.Info("supervisor runs", "pid", os.Getpid(), "build", s.build, "units", len(s.units))
	err = api.Serve(ctx, ln, s.handler(), time.Second)
	s.quit()
	s.minders.Wait()
	s.log.Info("supervisor ends", "refused_connections", ln.Refused(), "retired", s.retired())
	if s.retired() {
		return errors.Join(err, s.cleanUp(), lock.Remove())
	}
	return errors.Join(err, lock.Release())
}

// supervisor is what one running supervisor knows.
type supervisor struct {
	layout  api.Layout
	binary  string
	build   string
	log     *slog.Logger
	data    Data
	since   time.Time
	checked process.Verifier
	mind    func(*unit) // begins to mind a unit, for as long as Run runs
	quit    context.CancelFunc
	minders sync.WaitGroup

	mu     sync.Mutex // guards all below
	units  map[string]*unit
	ending api.ShutdownMode
}

// brokerID names the development broker among the units. No agent has it: theirs end in a checksum.
const brokerID = "broker"

func newSupervisor(o Options) (*supervisor, error) {
	if o.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the running program: %w", err)
		}
		o.Binary = exe
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &supervisor{
		layout: o.Layout, binary: o.Binary, build: filepath.Base(filepath.Dir(o.Binary)), log: o.Log, data: o.Data,
		units: map[string]*unit{},
	}, nil
}

// adoptAll takes over what is there: every agent, and the broker, with what is desired of it.
func (s *supervisor) adoptAll() error {
	entries, err := os.ReadDir(s.layout.AgentsDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read agents: %w", err)
	}
	used := map[string]bool{s.build: true}
	for _, e := range entries {
		var meta api.AgentMeta
		ok, err := api.ReadFile(filepath.Join(s.layout.AgentDir(e.Name()), "meta.json"), &meta)
		if err != nil {
			s.log.Error("cannot read an agent", "id", e.Name(), "err", err)
		}
		if ok && err == nil {
			s.adoptUnit(s.agentUnit(e.Name(), meta.Address), used)
		}
	}
	var meta api.BrokerMeta
	if ok, err := api.ReadFile(filepath.Join(s.layout.BrokerDir(), "meta.json"), &meta); ok && err == nil {
		s.adoptUnit(s.brokerUnit(), used)
	}
	if err := process.RemoveOld(s.layout, used); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("old programs stay", "err", err)
	}
	return nil
}

func (s *supervisor) adoptUnit(u *unit, used map[string]bool) {
	if h, held, err := api.Probe(u.lock); held && err == nil {
		used[process.BuildOf(h.PID)] = true
	}
	d, err := s.layout.Desired(u.dir)
	if err != nil {
		s.log.Error("cannot read what is desired", "unit", u.address, "err", err)
	}
	u.want = d.State == string(api.Running)
	s.add(u)
}

// add begins to mind a unit.
func (s *supervisor) add(u *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(u)
}

func (s *supervisor) addLocked(u *unit) {
	s.units[u.id] = u
	s.mind(u)
}

// unit finds a unit, or makes and minds it when there is a way to make it.
func (s *supervisor) unit(id string, make func() *unit) (*unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != "" {
		return nil, api.ErrEnding
	}
	u := s.units[id]
	if u == nil && make != nil {
		u = make()
		s.addLocked(u)
	}
	return u, nil
}

// forget ends the minding of a unit that was removed.
func (s *supervisor) forget(u *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.units, u.id)
	u.quit()
}

// desire writes down what shall be true of a unit, also after the supervisor's death.
func (s *supervisor) desire(u *unit, state api.State) error {
	return writeJSON(filepath.Join(u.dir, "desired"), api.Desired{State: string(state)})
}

func (s *supervisor) retired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending == api.Retire
}

// shutdown begins the end.
func (s *supervisor) shutdown(ctx context.Context, mode api.ShutdownMode) error {
	units, err := s.beginEnd(mode)
	if err != nil {
		return err
	}
	if mode == api.Drain {
		err = s.stopAll(ctx, units)
	}
	return err
}

func (s *supervisor) beginEnd(mode api.ShutdownMode) ([]*unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch mode {
	case api.Leave, api.Drain:
	case api.Retire:
		if len(s.units) > 0 {
			return nil, fmt.Errorf("the supervisor still watches %d processes", len(s.units))
		}
	default:
		return nil, fmt.Errorf("unknown way to end %q", mode)
	}
	if s.ending != "" {
		return nil, api.ErrEnding
	}
	s.ending = mode
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	return units, nil
}

// stopAll stops all agents, and then the broker. What is desired of them stays: the next supervisor starts them again.
func (s *supervisor) stopAll(ctx context.Context, units []*unit) error {
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.id, b.id) })
	errs := make([]error, len(units))
	var wg sync.WaitGroup
	for i, u := range units {
		if u.id != brokerID {
			wg.Go(func() { _, errs[i] = s.halt(ctx, u, s.drainLimit(u)) })
		}
	}
	wg.Wait()
	for i, u := range units {
		if u.id == brokerID {
			_, errs[i] = s.halt(ctx, u, brokerStop)
		}
	}
	return errors.Join(errs...)
}

// halt ends the process of a unit, without a word to its files. It has ended when halt returns.
func (s *supervisor) halt(ctx context.Context, u *unit, limit time.Duration) (killed bool, err error) {
	u.setWant(false)
	p, err := u.settled(ctx)
	if p == nil || err != nil {
		return false, err
	}
	killed, err = p.End(ctx, limit)
	if err == nil {
		err = u.gone(ctx, p)
	}
	return killed, err
}

// cleanUp removes what is the supervisor's own.
func (s *supervisor) cleanUp() error {
	err := os.RemoveAll(filepath.Join(s.layout.Data, "bin"))
	for _, name := range []string{"supervisor.log.1", "supervisor.log", "runtime"} {
		if e := os.Remove(filepath.Join(s.layout.Data, name)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	removeIfEmpty(s.layout.AgentsDir(), s.layout.BrokerDir(), s.layout.Work(), s.layout.Run, filepath.Dir(s.layout.Run))
	return err
}
