package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
)

// Reload makes the pipeline another one while it runs. What the new spec does not change keeps its objects, sockets and files.
// When anything of the new spec cannot be built, opened or bound, the old one goes on and the error says why. What is replaced or
// removed may drain as long as the new spec's drain says; ctx bounds that and how long new sources may take to be ready. drop names
// channels whose content may be lost when they leave, and how much of it.
func (p *Pipeline) Reload(ctx context.Context, spec *schema.AgentSpec, secrets schema.Secrets, drop ...orphan.Loss) error {
	if err := p.life.Lock(ctx); err != nil {
		return err
	}
	defer p.life.Unlock()
	if p.phaseIs() != running {
		return errors.New("the pipeline is not running")
	}
	old, err := p.design(p.spec, p.secrets)
	if err != nil {
		return fmt.Errorf("the running spec: %w", err)
	}
	if old.spec.Address != spec.Address {
		return fmt.Errorf("the spec is of %s, this is %s", spec.Address, old.spec.Address)
	}
	want, err := p.design(spec, secrets)
	if err != nil {
		return err
	}
	if err := p.rehearse(want); err != nil {
		return err
	}
	err = p.converge(ctx, want, drop)
	if err == nil {
		err = p.waitReady(ctx)
	}
	if err != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), old.agent.Drain) // the way back must not end half way
		defer cancel()
		again := p.converge(back, old, nil)
		if again == nil {
			again = p.forgone(old)
		}
		if again != nil {
			return errors.Join(err, fmt.Errorf("and the configuration before could not be restored: %w", again))
		}
		return err
	}
	if err := p.forgone(want); err != nil { // until the next change the channel keeps more than it must
		p.base.Log.Warn("a channel still keeps events for a sink that is gone", "err", err)
	}
	p.retirePositions(ctx, want)
	p.mu.Lock()
	p.spec, p.secrets = spec, secrets
	p.mu.Unlock()
	p.stats.Drop(want.alive)
	return nil
}

// alive says whether a component is part of the design.
func (d *design) alive(address string) bool {
	return slices.Contains(d.addresses(), address)
}

// rehearse makes every new component once, without opening it, so that most errors show before anything is stopped.
func (p *Pipeline) rehearse(d *design) error {
	for _, name := range sortedKeys(d.sources) {
		w := d.sources[name]
		env := p.env(d, "source."+name, "", "")
		for i, ic := range w.spec.Interceptors {
			if _, err := w.interceptors[i].NewInterceptor(ic.Config, d.secrets, env); err != nil {
				return fmt.Errorf("source %s: interceptor %d (%s): %w", name, i+1, ic.Type, err)
			}
		}
	}
	return nil
}

func (p *Pipeline) waitReady(ctx context.Context) error {
	for _, s := range p.sourceList() {
		if err := s.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// converge makes what runs equal to a design: it stops what is not wanted or wanted otherwise, from the sources on, and starts
// what is missing, from the sinks back.
func (p *Pipeline) converge(ctx context.Context, d *design, drop []orphan.Loss) error {
	draining, cancel := context.WithTimeout(ctx, d.agent.Drain)
	defer cancel()
	if err := p.stopOld(draining, d, p.keep(d), drop); err != nil {
		return err
	}
	if err := p.startNew(ctx, d); err != nil {
		return err
	}
	p.adjust(d)
	return nil
}

// kept says which nodes stay.
type kept struct {
	channels, runners, sources map[string]bool
}

func (p *Pipeline) keep(d *design) kept {
	k := kept{channels: map[string]bool{}, runners: map[string]bool{}, sources: map[string]bool{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, n := range p.channels {
		w := d.channels[name]
		k.channels[name] = w != nil && w.sig == n.sig
	}
	for name, r := range p.runners {
		w := d.runners[name]
		k.runners[name] = w != nil && w.sig == r.sig && k.channels[w.channel] && (w.dead == "" || k.channels[w.dead])
	}
	for name, s := range p.sources {
		w := d.sources[name]
		ok := w != nil && w.sig == s.sig && (w.dead == "" || k.channels[w.dead])
		if ok {
			for _, o := range s.emitter.router.outs {
				ok = ok && k.channels[o.node.name]
			}
		}
		k.sources[name] = ok
	}
	return k
}

// stopOld stops what does not stay. A channel that leaves, or whose content would not survive, drains through its sinks first.
func (p *Pipeline) stopOld(ctx context.Context, d *design, keep kept, drop []orphan.Loss) error {
	var sources []*sourceNode
	for _, s := range p.sourceList() {
		if !keep.sources[s.name] {
			sources = append(sources, s)
		}
	}
	stopErr := p.stopSources(ctx, sources)
	p.mu.Lock()
	p.retired = slices.DeleteFunc(p.retired, func(w *window) bool { n, _, _, gone := w.load(); return n == 0 && gone == 0 })
	for _, s := range sources {
		delete(p.sources, s.name)
		p.retired = append(p.retired, s.emitter.window) // what is in flight is acknowledged by the channels that stay
	}
	p.mu.Unlock()
	if stopErr != nil {
		return stopErr
	}
	var leaving []*channelNode
	for _, n := range p.channelList() {
		if keep.channels[n.name] {
			continue
		}
		leaving = append(leaving, n)
		w := d.channels[n.name]
		stays := w != nil && w.spec.Type == n.typ && n.durable
		if !stays && !n.mayLose(drop) {
			n.empty(ctx)
		}
	}
	var runners []*runner
	for _, r := range p.runnerList() {
		if !keep.runners[r.name] {
			runners = append(runners, r)
		}
	}
	for _, r := range p.exhausts(d, keep, runners) {
		r.exhaust(ctx)
	}
	stopErr = p.stopRunners(ctx, runners)
	p.mu.Lock()
	for _, r := range runners {
		delete(p.runners, r.name)
	}
	p.mu.Unlock()
	if stopErr != nil {
		return stopErr
	}
	for _, s := range sources {
		s.acked(ctx)
	}
	return p.closeChannels(ctx, d, leaving, drop)
}

// ackWait bounds how long a replaced source waits for durable channels to acknowledge what is in flight.
const ackWait = 2 * time.Second

// acked waits until durable channels have acknowledged what the source emitted, so that the next source of the address goes
// on behind it also after a crash.
func (s *sourceNode) acked(ctx context.Context) {
	for _, o := range s.emitter.router.outs {
		if !o.optional && !o.node.durable {
			return // acknowledged when delivered, which may take long
		}
	}
	short, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	s.settled(short)
}

// mayLose says that what the channel holds now is no more than what may be lost of it.
func (n *channelNode) mayLose(drop []orphan.Loss) bool {
	return slices.ContainsFunc(drop, func(l orphan.Loss) bool { return l.Channel == n.name && n.ch.Stats().Events <= l.Events })
}

func (p *Pipeline) closeChannels(ctx context.Context, d *design, leaving []*channelNode, drop []orphan.Loss) error {
	var errs error
	for _, n := range leaving {
		left, lose := n.ch.Stats(), n.mayLose(drop)
		errs = errors.Join(errs, n.close(ctx))
		p.mu.Lock()
		delete(p.channels, n.name)
		p.mu.Unlock()
		if w := d.channels[n.name]; w != nil && w.spec.Type == n.typ {
			continue
		}
		if left.Events > 0 && n.durable && !lose {
			p.orphaned(n.name, left.Events, left.Bytes)
			continue
		}
		if !n.durable && p.isOrphan(n.name) {
			continue // the directory holds what a durable channel of this name left
		}
		errs = errors.Join(errs, datadir.Remove(p.base.FS, p.base.Dir, "channel."+n.name))
	}
	return errs
}

// startNew opens channels, then starts runners, then sources. Sources of the old design that stay go on all the time.
func (p *Pipeline) startNew(ctx context.Context, d *design) error {
	for _, name := range sortedKeys(d.channels) {
		w := d.channels[name]
		if n := p.channel(name); n != nil {
			if err := n.join(w.readers); err != nil {
				return err
			}
			continue
		}
		n, err := p.buildChannel(d, w)
		if err != nil {
			return err
		}
		if err := n.open(ctx); err != nil {
			return errors.Join(err, n.dir.Close())
		}
		if err := n.join(w.readers); err != nil {
			return errors.Join(err, n.close(ctx))
		}
		p.mu.Lock()
		p.channels[name] = n
		if n.durable { // what an orphan of this name holds is its own again
			p.orphans = slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == name })
		}
		p.mu.Unlock()
	}
	for _, name := range sortedKeys(d.runners) {
		if p.runners[name] != nil {
			continue
		}
		r, err := p.buildRunner(d, d.runners[name])
		if err != nil {
			return err
		}
		r.start()
		r.node.attach(r)
		p.mu.Lock()
		p.runners[name] = r
		p.mu.Unlock()
	}
	return p.startSources(d)
}

func (p *Pipeline) startSources(d *design) error {
	var fresh []*sourceNode
	for _, name := range sortedKeys(d.sources) {
		if p.sources[name] != nil {
			continue
		}
		s, err := p.buildSource(d, d.sources[name])
		if err != nil {
			return err
		}
		fresh = append(fresh, s)
	}
	p.mu.Lock()
	for _, s := range fresh {
		p.sources[s.name] = s
	}
	p.mu.Unlock()
	for _, s := range fresh {
		s.start()
	}
	return nil
}

func (p *Pipeline) channel(name string) *channelNode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[name]
}

// adjust applies what can change without making anything anew.
func (p *Pipeline) adjust(d *design) {
	for _, s := range p.sourceList() {
		s.limit(d.sources[s.name])
	}
	for _, r := range p.runnerList() {
		r.counts.Store(d.channels[r.node.name].readers[0] == r.name)
		for i, m := range d.runners[r.name].members {
			r.members[i].limits(m.settings.Retry.Initial, m.settings.Retry.Max)
		}
	}
}
