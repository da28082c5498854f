package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/counters"
	"collect/runtime/pipeline/internal/deliver"
	"collect/runtime/pipeline/internal/design"
	"collect/runtime/pipeline/internal/emit"
	"collect/runtime/pipeline/internal/wait"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

// Base is what a pipeline gets from its process.
type Base struct {
	FS      flow.FS
	Net     flow.Net
	Rand    flow.Rand
	Log     *slog.Logger
	Pool    *flow.Pool
	Out     io.Writer // where sinks show events to people; nil: only in the log
	Host    string
	Dir     string // for the agent's data: positions, channels, components' own state
	Resolve func(token string) (string, error)
}

// Pipeline runs the components of one agent.
type Pipeline struct {
	reg  *registry.Registry
	base Base
	life wait.Gate // start, reload and drain exclude each other

	hard context.Context // ends when nothing goes on any more
	kill context.CancelFunc

	stats *counters.Table

	mending sync.WaitGroup

	mu       sync.Mutex // guards all below
	phase    phase
	broken   error // why not everything of the spec runs
	spec     *schema.AgentSpec
	secrets  schema.Secrets
	channels map[string]*channel.Node
	runners  map[string]*runner
	sources  map[string]*sourceNode
	pos      map[string]*track
	orphans  []api.Orphan
	retired  []*emit.Window // of sources that were replaced and may have something in flight
	gone     int64          // events abandoned
	remains  []api.Orphan
	left     []api.Orphan // channels that left for good, with what is lost in them, once the configuration stands
}

// runner delivers from a channel.
type runner struct {
	*deliver.Runner
	sig string // what it was made of
}

type phase uint8

const (
	built phase = iota
	running
	draining
	stopped
)

// New checks a spec and prepares a pipeline for it. It does no I/O.
func New(spec *schema.AgentSpec, secrets schema.Secrets, reg *registry.Registry, env Base) (*Pipeline, error) {
	p := &Pipeline{
		reg: reg, base: env, life: wait.NewGate(), stats: counters.New(),
		spec: spec, secrets: secrets,
		channels: map[string]*channel.Node{}, runners: map[string]*runner{}, sources: map[string]*sourceNode{},
		pos: map[string]*track{},
	}
	if p.base.Log == nil {
		p.base.Log = slog.New(slog.DiscardHandler)
	}
	if p.base.Pool == nil {
		p.base.Pool = flow.NewPool(16 << 20)
	}
	p.base.Pool.OnViolation(func(what string) {
		p.base.Log.Error("an error in this program, please report it; nothing more is taken until the agent starts again", "what", what)
	})
	if p.base.Resolve == nil {
		p.base.Resolve = func(token string) (string, error) { return "", fmt.Errorf("the token %q is not known", token) }
	}
	p.hard, p.kill = context.WithCancel(context.Background()) // the pipeline's life, ended by Drain
	if _, err := design.New(p.reg, spec, secrets); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// Start opens the channels, begins to open the sinks, and starts the sources. Sinks and sources that cannot connect are tried
// again for ever; a channel that cannot open is an error.
func (p *Pipeline) Start(ctx context.Context) error {
	if err := p.life.Lock(ctx); err != nil {
		return err
	}
	defer p.life.Unlock()
	if p.phaseIs() != built {
		return errors.New("the pipeline was started before")
	}
	want, err := design.New(p.reg, p.spec, p.secrets)
	if err != nil {
		return err
	}
	err = p.converge(ctx, want, nil)
	if err == nil {
		err = p.forgone(want)
	}
	if err != nil {
		_, shutErr := p.shut(canceled(ctx))
		return errors.Join(err, shutErr)
	}
	p.findOrphans()
	p.setPhase(running)
	return nil
}

// canceled gives a context that has ended: what gets it does not wait.
func canceled(ctx context.Context) context.Context {
	c, cancel := context.WithCancel(ctx)
	cancel()
	return c
}

// Ready says whether the agent can commit: all channels are open and all sources are bound or have looked once. why names
// what it waits for.
func (p *Pipeline) Ready() (ok bool, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.phase {
	case built:
		return false, "starting"
	case draining:
		return false, "draining"
	case stopped:
		return false, "stopped"
	}
	if p.broken != nil {
		return false, p.broken.Error()
	}
	for _, name := range slices.Sorted(maps.Keys(p.sources)) {
		if s := p.sources[name]; !s.ready.Load() {
			return false, "source." + name
		}
	}
	return true, ""
}

// Spec gives what the pipeline runs.
func (p *Pipeline) Spec() *schema.AgentSpec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spec
}

func (p *Pipeline) phaseIs() phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase
}

func (p *Pipeline) setPhase(ph phase) {
	p.mu.Lock()
	p.phase = ph
	p.mu.Unlock()
}

// Drain stops the pipeline: sources stop and emit what they hold, sinks flush, volatile channels empty, durable ones stop where
// they are, or, with empty, are delivered too. What is not done when ctx ends is abandoned: its sources will read it again, or
// nobody. It gives the number of those events.
func (p *Pipeline) Drain(ctx context.Context, empty bool) (abandoned int64, err error) {
	if err := p.life.Lock(context.WithoutCancel(ctx)); err != nil { // what holds it is bounded itself
		return 0, err
	}
	defer p.life.Unlock()
	if ph := p.phaseIs(); ph == stopped || ph == built {
		p.setPhase(stopped)
		p.kill()
		return p.gone, nil
	}
	p.setPhase(draining)
	if err := p.stopSources(ctx, p.sourceList()); err != nil {
		p.base.Log.Error("drain goes on without a source", "err", err)
	}
	p.emptyChannels(ctx, empty)
	return p.shut(ctx)
}

// emptyChannels waits until volatile channels, or all, have nothing left and nothing is in flight.
func (p *Pipeline) emptyChannels(ctx context.Context, all bool) {
	for _, n := range p.channelList() {
		if !n.Durable || all {
			n.Empty(ctx)
		}
	}
	for _, s := range p.sourceList() {
		s.settled(ctx)
	}
}

// shut ends runners, channels and savers. ctx bounds what is still delivered.
func (p *Pipeline) shut(ctx context.Context) (abandoned int64, err error) {
	err = errors.Join(p.stopSources(ctx, p.sourceList()), p.stopRunners(ctx, p.runnerList()))
	for _, n := range p.channelList() {
		p.leftIn(n)
		err = errors.Join(err, n.Close(ctx))
	}
	p.mu.Lock()
	windows := p.retired
	for _, s := range sorted(p.sources) {
		windows = append(windows, s.emitter.Window())
	}
	pos := p.pos
	p.mu.Unlock()
	for _, w := range windows {
		w.AbandonAll() // what no channel answered for
		_, _, _, n := w.Load()
		abandoned += n
	}
	for _, name := range slices.Sorted(maps.Keys(pos)) {
		saving, cancel := wait.ToClose(ctx) // the last save happens after the deadline too
		err = errors.Join(err, pos[name].Save(saving))
		cancel()
	}
	p.kill()
	p.mending.Wait()
	for _, name := range slices.Sorted(maps.Keys(pos)) {
		err = errors.Join(err, pos[name].Close())
	}
	p.mu.Lock()
	p.phase = stopped
	p.gone += abandoned
	abandoned = p.gone
	p.mu.Unlock()
	return abandoned, err
}

// leftIn notes what a durable channel keeps for the next start.
func (p *Pipeline) leftIn(n *channel.Node) {
	s := n.Channel.Stats()
	if s.Events == 0 || !n.Durable {
		return
	}
	p.mu.Lock()
	p.remains = append(p.remains, api.Orphan{Channel: n.Name, Events: s.Events, Bytes: s.Bytes, Why: "not delivered when the agent stopped"})
	p.mu.Unlock()
}

// Left gives, after Drain, what durable channels still hold.
func (p *Pipeline) Left() []api.Orphan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remains
}

func (p *Pipeline) stopSources(ctx context.Context, list []*sourceNode) error {
	var all sync.WaitGroup
	errs := make([]error, len(list))
	for i, s := range list {
		all.Go(func() { errs[i] = s.stop(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// stopRunners stops those first whose dead letters go to a volatile channel: what reads that must go on until they are delivered.
func (p *Pipeline) stopRunners(ctx context.Context, list []*runner) error {
	var first, then []*runner
	for _, r := range list {
		if r.Dead() != nil && !r.Dead().Durable {
			first = append(first, r)
		} else {
			then = append(then, r)
		}
	}
	return errors.Join(p.stopTogether(ctx, first), p.stopTogether(ctx, then))
}

func (p *Pipeline) stopTogether(ctx context.Context, list []*runner) error {
	var all sync.WaitGroup
	errs := make([]error, len(list))
	for i, r := range list {
		all.Go(func() {
			errs[i] = r.Stop(ctx)
			r.Channel().Detach(r)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (p *Pipeline) sourceList() []*sourceNode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sorted(p.sources)
}

func (p *Pipeline) runnerList() []*runner {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sorted(p.runners)
}

func (p *Pipeline) channelList() []*channel.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sorted(p.channels)
}

// sorted gives the values of a map in the order of its keys.
func sorted[K cmp.Ordered, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}
