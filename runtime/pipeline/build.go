package pipeline

import (
	"context"
	"fmt"
	"path"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/deliver"
	"collect/runtime/pipeline/internal/design"
	"collect/runtime/pipeline/internal/emit"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/route"
	"collect/runtime/pipeline/internal/wait"
)

// env gives a component what it needs. dir is its own directory.
func (p *Pipeline) env(d *design.Design, address, id, dir string) flow.Env {
	return flow.Env{
		Agent: d.Spec.Address, Component: address, ID: id, Dir: dir, Host: p.base.Host,
		Log: p.base.Log.With("agent", d.Spec.Address, "component", address),
		FS:  p.base.FS, Net: p.base.Net, Rand: p.base.Rand, Pool: p.base.Pool, Stats: p.stats.Of(address),
		Ready: func() {}, Resolve: p.base.Resolve, Out: p.base.Out,
	}
}

// buildChannel makes a channel; it is not open yet.
func (p *Pipeline) buildChannel(d *design.Design, w *design.Channel) (*channel.Node, error) {
	address := "channel." + w.Spec.Name
	dir, full, err := datadir.Open(p.base.FS, p.base.Dir, address)
	if err != nil {
		return nil, err
	}
	n := &channel.Node{
		Name: w.Spec.Name, Type: w.Spec.Type, Signature: w.Signature, Durable: w.Entry.About.Durable, Stats: p.stats.Of(address), Dir: dir,
	}
	id, err := datadir.Identity(dir, p.base.Rand)
	if err == nil {
		env := p.env(d, address, id, path.Join(full, "data"))
		err = p.base.FS.MkdirAll(env.Dir, 0o700)
		if err == nil {
			n.Channel, err = w.Entry.NewChannel(w.Config, d.Secrets, env)
		}
	}
	if err != nil {
		_ = dir.Close() // a handle for reading
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return n, nil
}

// buildRunner makes a runner with its members; nothing is started.
func (p *Pipeline) buildRunner(d *design.Design, w *design.Runner) (*runner, error) {
	c := deliver.Config{
		Name: w.Name, Channel: p.channels[w.Channel], Pool: p.base.Pool, Rand: p.base.Rand, Limits: limits(w),
		Balance: deliver.Balance{Strategy: w.Settings.Strategy, Random: w.Settings.Policy == "random", Sticky: w.Settings.Sticky},
	}
	if w.Group != nil {
		c.Group = p.stats.Of("sink_group." + w.Group.Name)
	}
	if w.Dead != "" {
		c.Dead = p.channels[w.Dead]
	}
	for _, m := range w.Members {
		mm, err := p.buildMember(d, w, m)
		if err != nil {
			return nil, err
		}
		c.Members = append(c.Members, mm)
	}
	r := &runner{Runner: deliver.New(p.hard, c), sig: w.Signature}
	r.Counts(d.Channels[w.Channel].Readers[0] == w.Name)
	return r, nil
}

// limits gives the largest part that the sinks want at once. Sinks that roll get whole batches: parts have no identity, so a crash would
// double them, and they would keep the batch in memory until the file ends.
func limits(w *design.Runner) deliver.Limits {
	for _, m := range w.Members {
		if m.Rolls() {
			return deliver.Limits{}
		}
	}
	b := w.Members[0].Settings.Batch
	return deliver.Limits{Events: b.MaxEvents, Bytes: int64(b.MaxBytes)}
}

func (p *Pipeline) buildMember(d *design.Design, w *design.Runner, m design.Member) (*deliver.Member, error) {
	address := "sink." + m.Spec.Name
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
	c := deliver.MemberConfig{
		Name: m.Spec.Name, Stats: env.Stats, Log: env.Log,
		Make:  func() (flow.Sink, error) { return m.Entry.NewSink(m.Spec.Config, d.Secrets, env) },
		Retry: &wait.Backoff{Initial: m.Settings.Retry.Initial, Max: m.Settings.Retry.Max, Rand: p.base.Rand},
		Edge:  p.stats.Edge("channel."+w.Channel, address, "take"),
	}
	if w.Dead != "" {
		c.Dead = p.stats.Edge(address, "channel."+w.Dead, "dead_letter")
	}
	mm, err := deliver.NewMember(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return mm, nil
}

// positionOf names the positions of a source: an address may have another type later, and positions mean something to one type only.
func positionOf(w *design.Source) string { return w.Spec.Name + "/" + w.Spec.Type }

// position gives the tracker of a source, which outlives it.
func (p *Pipeline) position(w *design.Source) (*track, string, error) {
	address := "source." + w.Spec.Name
	full := path.Join(p.base.Dir, address)
	p.mu.Lock()
	pos := p.pos[positionOf(w)]
	p.mu.Unlock()
	if pos != nil {
		return pos, full, nil
	}
	dir, _, err := datadir.Open(p.base.FS, p.base.Dir, address)
	if err != nil {
		return nil, "", err
	}
	pos = &track{}
	pos.Tracker, err = position.Open(dir, w.Spec.Type, p.base.Rand, func(keys []string) { p.forget(w.Spec.Name, pos, keys) }, p.base.Pool.Violated)
	if err != nil {
		_ = dir.Close() // a handle for reading
		return nil, "", fmt.Errorf("%s: %w", address, err)
	}
	stats := p.stats.Of(address)
	pos.Start(p.hard, func(err error) { stats.Error(fmt.Errorf("save positions: %w", err)) })
	p.mu.Lock()
	p.pos[positionOf(w)] = pos
	p.mu.Unlock()
	return pos, full, nil
}

// buildSource makes the node of a source and all that its batches pass.
func (p *Pipeline) buildSource(d *design.Design, w *design.Source) (*sourceNode, error) {
	pos, dir, err := p.position(w)
	if err != nil {
		return nil, err
	}
	address := "source." + w.Spec.Name
	env := p.env(d, address, pos.ID(), path.Join(dir, "data"))
	if err := p.base.FS.MkdirAll(env.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	env.AckWait = w.Settings.AckTimeout
	env.Batch = flow.BatchLimits{
		MaxEvents: w.Settings.Batch.MaxEvents, MaxBytes: int(w.Settings.Batch.MaxBytes), MaxWait: w.Settings.Batch.MaxWait,
	}
	env.Positions = pos.Tracker
	router, err := route.New(w.Spec.Routes, p.base.Host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	interceptors, err := p.buildInterceptors(d, w, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	s := &sourceNode{
		name: w.Spec.Name, sig: w.Signature, pos: pos, stats: env.Stats, log: env.Log, rand: p.base.Rand,
		retry: [2]time.Duration{100 * time.Millisecond, 30 * time.Second}, changed: wait.NewSignal(),
	}
	var hard context.Context
	hard, s.stopHard = context.WithCancel(p.hard)
	s.run, s.stopRun = context.WithCancel(hard)
	s.emitter = emit.New(emit.Config{
		Source: w.Spec.Name, Prefix: emit.Prefix(pos.ID(), w.Routing), Stats: env.Stats, Log: env.Log, Pool: p.base.Pool,
		Rand: p.base.Rand, Run: s.run, Hard: hard, Positions: pos.Tracker, Interceptors: interceptors, Router: router,
		Channels: func(name string) *channel.Node { return p.channels[name] }, Edges: p.stats, Dead: p.channels[w.Dead],
	})
	s.make = func(ready func()) (flow.Source, error) {
		env := env
		env.Ready = ready
		return w.Entry.NewSource(w.Spec.Config, d.Secrets, env)
	}
	s.limit(w)
	p.newRouting(w, pos)
	p.mu.Lock()
	pos.interceptors = len(interceptors)
	p.mu.Unlock()
	return s, nil
}

func (p *Pipeline) buildInterceptors(d *design.Design, w *design.Source, env flow.Env) ([]emit.Interceptor, error) {
	var list []emit.Interceptor
	for i, ic := range w.Spec.Interceptors {
		env := env
		env.Component = design.InterceptorAddress(w.Spec.Name, ic.Type, i)
		env.Stats = p.stats.Of(env.Component)
		env.Log = p.base.Log.With("agent", env.Agent, "component", env.Component)
		made, err := w.Interceptors[i].NewInterceptor(ic.Config, d.Secrets, env)
		if err != nil {
			return nil, fmt.Errorf("interceptor %d (%s): %w", i+1, ic.Type, err)
		}
		list = append(list, emit.Interceptor{Interceptor: made, Name: fmt.Sprintf("%s[%d]", ic.Type, i), Stats: env.Stats})
	}
	return list, nil
}

// limit applies the in_flight limits.
func (s *sourceNode) limit(w *design.Source) {
	s.emitter.Limit(w.Settings.InFlight.MaxBatches, int64(w.Settings.InFlight.MaxBytes))
}

// newRouting makes durable channels forget the keys of the routing that was before: nothing comes with them any more.
func (p *Pipeline) newRouting(w *design.Source, pos *track) {
	if old := pos.Routing(w.Routing); old != "" {
		emit.ForgetKeys(p.channelList(), emit.Prefix(pos.ID(), old), pos.All(), pos.interceptors)
	}
}

// forget tells channels that nothing comes with these keys of a source any more.
func (p *Pipeline) forget(source string, pos *track, keys []string) {
	p.mu.Lock()
	s, interceptors := p.sources[source], pos.interceptors
	p.mu.Unlock()
	if s != nil && s.pos == pos {
		s.emitter.Forget(keys)
		return
	}
	emit.ForgetKeys(p.channelList(), emit.Prefix(pos.ID(), pos.Routed()), keys, interceptors)
}
