package pipeline

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/wait"
)

// env gives a component what it needs. dir is its own directory.
func (p *Pipeline) env(d *design, address, id, dir string) flow.Env {
	return flow.Env{
		Agent: d.spec.Address, Component: address, ID: id, Dir: dir, Host: p.base.Host,
		Log: p.base.Log.With("agent", d.spec.Address, "component", address),
		FS:  p.base.FS, Net: p.base.Net, Rand: p.base.Rand, Pool: p.base.Pool, Stats: p.stats.Of(address),
		Ready: func() {}, Resolve: p.base.Resolve, Out: p.base.Out,
	}
}

// buildChannel makes a channel; it is not open yet.
func (p *Pipeline) buildChannel(d *design, w *channelWant) (*channelNode, error) {
	address := "channel." + w.spec.Name
	dir, full, err := datadir.Open(p.base.FS, p.base.Dir, address)
	if err != nil {
		return nil, err
	}
	n := &channelNode{
		name: w.spec.Name, typ: w.spec.Type, sig: w.sig, durable: w.entry.About.Durable, stats: p.stats.Of(address), dir: dir,
		consumers: map[string]flow.Consumer{},
	}
	id, err := datadir.Identity(dir, p.base.Rand)
	if err == nil {
		env := p.env(d, address, id, path.Join(full, "data"))
		err = p.base.FS.MkdirAll(env.Dir, 0o700)
		if err == nil {
			n.ch, err = w.entry.NewChannel(w.config, d.secrets, env)
		}
	}
	if err != nil {
		_ = dir.Close() // a handle for reading
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return n, nil
}

// buildRunner makes a runner with its members; nothing is started.
func (p *Pipeline) buildRunner(d *design, w *runnerWant) (*runner, error) {
	n := p.channels[w.channel]
	r := &runner{
		name: w.name, sig: w.sig, node: n, consumer: n.consumers[w.name], log: p.base.Log, pool: p.base.Pool, rand: p.base.Rand,
		wake: wait.NewSignal(), edges: deadEdges{},
		balance: balance{strategy: w.settings.Strategy, random: w.settings.Policy == "random", sticky: w.settings.Sticky},
		limits:  w.limits(),
	}
	r.counts.Store(d.channels[w.channel].readers[0] == w.name)
	if w.group != nil {
		r.group = p.stats.Of("sink_group." + w.group.Name)
	}
	if w.dead != "" {
		r.dead = p.channels[w.dead]
	}
	for _, m := range w.members {
		mm, err := p.buildMember(d, w, m)
		if err != nil {
			return nil, err
		}
		mm.wake = r.wake.Set
		r.members = append(r.members, mm)
		if w.dead != "" {
			r.edges[mm] = p.stats.Edge("sink."+mm.name, "channel."+w.dead, "dead_letter")
		}
	}
	r.context, r.cancel = context.WithCancel(p.hard)
	return r, nil
}

// limits gives the largest part that the sinks want at once. Sinks that roll get whole batches: parts have no identity, so a crash would
// double them, and they would keep the batch in memory until the file ends.
func (w *runnerWant) limits() partLimits {
	for _, m := range w.members {
		if m.rolls() {
			return partLimits{}
		}
	}
	b := w.members[0].settings.Batch
	return partLimits{events: b.MaxEvents, bytes: int64(b.MaxBytes)}
}

func (p *Pipeline) buildMember(d *design, w *runnerWant, m memberWant) (*member, error) {
	address := "sink." + m.spec.Name
	dir, full, err := datadir.Open(p.base.FS, p.base.Dir, address)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	id, err := datadir.Identity(dir, p.base.Rand)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	env := p.env(d, address, id, path.Join(full, "data"))
	if err := p.base.FS.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	mm := &member{
		name: m.spec.Name, stats: env.Stats, log: env.Log,
		retry: &wait.Backoff{Initial: m.settings.Retry.Initial, Max: m.settings.Retry.Max, Rand: p.base.Rand},
		edge:  p.stats.Edge("channel."+w.channel, address, "take"),
	}
	mm.make = func() (flow.Sink, error) { return m.entry.NewSink(m.spec.Config, d.secrets, env) }
	if mm.sink, err = mm.make(); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return mm, nil
}

// position gives the tracker of a source address, which outlives the source.
func (p *Pipeline) position(w *sourceWant) (*track, string, error) {
	address := "source." + w.spec.Name
	full := path.Join(p.base.Dir, address)
	p.mu.Lock()
	pos := p.pos[w.spec.Name]
	p.mu.Unlock()
	if pos != nil && pos.Type() == w.spec.Type {
		return pos, full, nil
	}
	if pos != nil { // another type now: its positions mean something else
		if err := pos.Close(); err != nil {
			return nil, "", fmt.Errorf("%s: %w", address, err)
		}
	}
	dir, _, err := datadir.Open(p.base.FS, p.base.Dir, address)
	if err != nil {
		return nil, "", err
	}
	name := w.spec.Name
	tracker, err := position.Open(dir, w.spec.Type, p.base.Rand, func(keys []string) { p.forget(name, keys) }, p.base.Pool.Violated)
	if err != nil {
		_ = dir.Close() // a handle for reading
		return nil, "", fmt.Errorf("%s: %w", address, err)
	}
	pos = &track{Tracker: tracker}
	stats := p.stats.Of(address)
	tracker.Start(p.hard, func(err error) { stats.Error(fmt.Errorf("save positions: %w", err)) })
	p.mu.Lock()
	p.pos[name] = pos
	p.mu.Unlock()
	return pos, full, nil
}

// buildSource makes the node of a source and all that its batches pass.
func (p *Pipeline) buildSource(d *design, w *sourceWant) (*sourceNode, error) {
	pos, dir, err := p.position(w)
	if err != nil {
		return nil, err
	}
	address := "source." + w.spec.Name
	env := p.env(d, address, pos.ID(), path.Join(dir, "data"))
	if err := p.base.FS.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	env.AckWait = w.settings.AckTimeout
	env.Batch = flow.BatchLimits{
		MaxEvents: w.settings.Batch.MaxEvents, MaxBytes: int(w.settings.Batch.MaxBytes), MaxWait: w.settings.Batch.MaxWait,
	}
	env.Positions = pos.Tracker
	e := &emitter{
		name: w.spec.Name, prefix: pos.ID() + "/" + w.routing + "/", stats: env.Stats, log: env.Log, pool: p.base.Pool,
		rand: p.base.Rand, pos: pos.Tracker, window: newWindow(), gate: wait.NewGate(), keys: map[string]string{},
	}
	node := func(name string) *channelNode { return p.channels[name] }
	if e.router, err = newRouter(w.spec.Name, w.spec.Routes, p.base.Host, node, p.stats); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if w.dead != "" {
		e.dead = p.channels[w.dead]
	}
	if e.stages, err = p.buildStages(d, w, env); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	s := &sourceNode{
		name: w.spec.Name, sig: w.sig, emitter: e, pos: pos, stats: env.Stats, log: env.Log, rand: p.base.Rand,
		retry: [2]time.Duration{100 * time.Millisecond, 30 * time.Second}, changed: wait.NewSignal(),
	}
	e.hard, s.stopHard = context.WithCancel(p.hard)
	e.run, s.stopRun = context.WithCancel(e.hard)
	s.make = func(ready func()) (flow.Source, error) {
		env := env
		env.Ready = ready
		return w.entry.NewSource(w.spec.Config, d.secrets, env)
	}
	s.limit(w)
	p.newRouting(w, pos)
	pos.stages = len(e.stages)
	return s, nil
}

func (p *Pipeline) buildStages(d *design, w *sourceWant, env flow.Env) ([]*stage, error) {
	var stages []*stage
	for i, ic := range w.spec.Interceptors {
		name := fmt.Sprintf("%s[%d]", ic.Type, i)
		env := env
		env.Component = stageAddress(w.spec.Name, name)
		env.Stats = p.stats.Of(env.Component)
		env.Log = p.base.Log.With("agent", env.Agent, "component", env.Component)
		made, err := w.interceptors[i].NewInterceptor(ic.Config, d.secrets, env)
		if err != nil {
			return nil, fmt.Errorf("interceptor %d (%s): %w", i+1, ic.Type, err)
		}
		stages = append(stages, &stage{name: name, ic: made, stats: env.Stats})
	}
	return stages, nil
}

func stageAddress(source, stage string) string { return "interceptor." + source + "." + stage }

// limit applies the in_flight limits. Behind a volatile channel its size is the limit instead.
func (s *sourceNode) limit(w *sourceWant) {
	for _, o := range s.emitter.router.outs {
		if !o.optional && !o.node.durable {
			s.emitter.window.limit(0, 0)
			return
		}
	}
	s.emitter.window.limit(w.settings.InFlight.MaxBatches, int64(w.settings.InFlight.MaxBytes))
}

// newRouting makes durable channels forget the keys of the routing that was before: nothing comes with them any more.
func (p *Pipeline) newRouting(w *sourceWant, pos *track) {
	old := pos.Routing(w.routing)
	if old == "" {
		return
	}
	prefix := pos.ID() + "/" + old + "/"
	for _, key := range pos.All() {
		for _, n := range p.channelList() {
			n.ch.Forget(prefix + key)
		}
	}
}

// forget tells channels that nothing comes with these keys of a source any more.
func (p *Pipeline) forget(source string, keys []string) {
	p.mu.Lock()
	s := p.sources[source]
	p.mu.Unlock()
	if s == nil {
		return
	}
	s.emitter.forget(keys)
	nodes := make([]*channelNode, 0, len(s.emitter.router.outs)+1)
	for _, o := range s.emitter.router.outs {
		nodes = append(nodes, o.node)
	}
	if d := s.emitter.dead; d != nil && !slices.Contains(nodes, d) {
		nodes = append(nodes, d)
	}
	for _, n := range nodes {
		for _, k := range keys {
			n.ch.Forget(s.emitter.prefix + k)
			for i := range s.emitter.stages {
				n.ch.Forget(fmt.Sprintf("%s%s/dead/%d", s.emitter.prefix, k, i))
			}
		}
	}
}
