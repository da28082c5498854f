package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"collect/hclspec/schema"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/design"
	"collect/runtime/pipeline/internal/emit"
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
	old, err := design.New(p.reg, p.spec, p.secrets)
	if err != nil {
		return fmt.Errorf("the running spec: %w", err)
	}
	if old.Spec.Address != spec.Address {
		return fmt.Errorf("the spec is of %s, this is %s", spec.Address, old.Spec.Address)
	}
	want, err := design.New(p.reg, spec, secrets)
	if err != nil {
		return err
	}
	if err := p.rehearse(want); err != nil {
		return err
	}
	p.keepLeft()
	err = p.converge(ctx, want, drop)
	if err == nil {
		err = p.waitReady(ctx)
	}
	if err != nil {
		again := p.restore(ctx, old)
		if again != nil {
			p.mending.Go(p.mend)
		}
		return errors.Join(err, again)
	}
	p.setBroken(nil)
	if err := p.forgone(want); err != nil { // until the next change the channel keeps more than it must
		p.base.Log.Warn("a channel still keeps events for a sink that is gone", "err", err)
	}
	p.removeLeft()
	p.retirePositions(ctx, want)
	p.mu.Lock()
	p.spec, p.secrets = spec, secrets
	p.mu.Unlock()
	alive := want.Addresses()
	p.stats.Drop(func(address string) bool { return slices.Contains(alive, address) })
	return nil
}

// rehearse makes every new component once, without opening it, so that most errors show before anything is stopped.
func (p *Pipeline) rehearse(d *design.Design) error {
	for _, name := range slices.Sorted(maps.Keys(d.Sources)) {
		w := d.Sources[name]
		env := p.env(d, "source."+name, "", "")
		for i, ic := range w.Spec.Interceptors {
			if _, err := w.Interceptors[i].NewInterceptor(ic.Config, d.Secrets, env); err != nil {
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
func (p *Pipeline) converge(ctx context.Context, d *design.Design, drop []orphan.Loss) error {
	draining, cancel := context.WithTimeout(ctx, d.Agent.Drain)
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

func (p *Pipeline) keep(d *design.Design) kept {
	k := kept{channels: map[string]bool{}, runners: map[string]bool{}, sources: map[string]bool{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, n := range p.channels {
		w := d.Channels[name]
		k.channels[name] = w != nil && w.Signature == n.Signature
	}
	for name, r := range p.runners {
		w := d.Runners[name]
		k.runners[name] = w != nil && w.Signature == r.sig && k.channels[w.Channel] && (w.Dead == "" || k.channels[w.Dead])
	}
	for name, s := range p.sources {
		w := d.Sources[name]
		ok := w != nil && w.Signature == s.sig
		if ok {
			for _, n := range s.emitter.Channels() {
				ok = ok && k.channels[n.Name]
			}
		}
		k.sources[name] = ok
	}
	return k
}

// stopOld stops what does not stay. A channel that leaves, or whose content would not survive, drains through its sinks first.
func (p *Pipeline) stopOld(ctx context.Context, d *design.Design, keep kept, drop []orphan.Loss) error {
	var sources []*sourceNode
	for _, s := range p.sourceList() {
		if !keep.sources[s.name] {
			sources = append(sources, s)
		}
	}
	stopErr := p.stopSources(ctx, sources)
	p.mu.Lock()
	p.retired = slices.DeleteFunc(p.retired, func(w *emit.Window) bool { n, _, _, gone := w.Load(); return n == 0 && gone == 0 })
	for _, s := range sources {
		delete(p.sources, s.name)
		p.retired = append(p.retired, s.emitter.Window()) // what is in flight is acknowledged by the channels that stay
	}
	p.mu.Unlock()
	if stopErr != nil {
		return stopErr
	}
	var leaving []*channel.Node
	for _, n := range p.channelList() {
		if keep.channels[n.Name] {
			continue
		}
		leaving = append(leaving, n)
		w := d.Channels[n.Name]
		stays := w != nil && w.Spec.Type == n.Type && n.Durable
		if !stays && !mayLose(n, drop) {
			n.Empty(ctx)
		}
	}
	var runners []*runner
	for _, r := range p.runnerList() {
		if !keep.runners[r.Name()] {
			runners = append(runners, r)
		}
	}
	for _, r := range p.exhausts(d, keep, runners) {
		r.Exhaust(ctx)
	}
	stopErr = p.stopRunners(ctx, runners)
	p.mu.Lock()
	for _, r := range runners {
		delete(p.runners, r.Name())
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

// exhausts gives the runners that leave a channel which stays, when nobody comes who begins with what they leave.
func (p *Pipeline) exhausts(d *design.Design, keep kept, stopping []*runner) []*runner {
	return slices.DeleteFunc(slices.Clone(stopping), func(r *runner) bool {
		n := r.Channel()
		w, again := d.Channels[n.Name], d.Runners[r.Name()]
		stays := w != nil && (keep.channels[n.Name] || n.Durable && w.Spec.Type == n.Type)
		return !stays || again != nil && again.Channel == n.Name || n.Succeeds(w.Readers)
	})
}

// forgone ends the consumers that no reader of the design has.
func (p *Pipeline) forgone(d *design.Design) error {
	for _, n := range p.channelList() {
		if err := n.Leave(d.Channels[n.Name].Readers); err != nil {
			return err
		}
	}
	return nil
}

// mayLose says that what the channel holds now is no more than what may be lost of it.
func mayLose(n *channel.Node, drop []orphan.Loss) bool {
	return slices.ContainsFunc(drop, func(l orphan.Loss) bool { return l.Channel == n.Name && n.Channel.Stats().Events <= l.Events })
}

func (p *Pipeline) closeChannels(ctx context.Context, d *design.Design, leaving []*channel.Node, drop []orphan.Loss) error {
	var errs error
	for _, n := range leaving {
		left, lose := n.Channel.Stats(), mayLose(n, drop)
		errs = errors.Join(errs, n.Close(ctx))
		p.mu.Lock()
		delete(p.channels, n.Name)
		p.mu.Unlock()
		if w := d.Channels[n.Name]; w != nil && w.Spec.Type == n.Type {
			continue
		}
		if left.Events > 0 && n.Durable && !lose {
			p.orphaned(n.Name, left.Events, left.Bytes)
			continue
		}
		if !n.Durable && p.isOrphan(n.Name) {
			continue // the directory holds what a durable channel of this name left
		}
		if d.Channels[n.Name] != nil { // of another type now, in the same directory
			errs = errors.Join(errs, datadir.Remove(p.base.FS, p.base.Dir, "channel."+n.Name))
			continue
		}
		if !n.Durable {
			left.Events = 0
		}
		p.mu.Lock()
		p.left = append(p.left, api.Orphan{Channel: n.Name, Events: left.Events, Bytes: left.Bytes})
		p.mu.Unlock()
	}
	return errs
}

// keepLeft makes orphans of what a reload that failed would have given up and could not bring back: nobody confirmed it for the next one.
func (p *Pipeline) keepLeft() {
	p.mu.Lock()
	left := p.left
	p.left = nil
	p.mu.Unlock()
	for _, o := range left {
		if o.Events > 0 && p.channel(o.Channel) == nil {
			p.orphaned(o.Channel, o.Events, o.Bytes)
		}
	}
}

// removeLeft removes the directories of channels that left. Only now is it sure that they do not come back.
func (p *Pipeline) removeLeft() {
	p.mu.Lock()
	left := p.left
	p.left = nil
	p.mu.Unlock()
	for _, o := range left {
		if p.channel(o.Channel) != nil {
			continue // it came back
		}
		err := datadir.Remove(p.base.FS, p.base.Dir, "channel."+o.Channel)
		if err == nil {
			continue
		}
		p.base.Log.Warn("a channel that left is not removed yet", "channel", o.Channel, "err", err)
		if o.Events > 0 { // it holds what was to be lost
			p.orphaned(o.Channel, o.Events, o.Bytes)
		}
	}
}

// startNew opens channels, then starts runners, then sources. Sources of the old design that stay go on all the time.
func (p *Pipeline) startNew(ctx context.Context, d *design.Design) error {
	for _, name := range slices.Sorted(maps.Keys(d.Channels)) {
		w := d.Channels[name]
		if n := p.channel(name); n != nil {
			if err := n.Join(w.Readers); err != nil {
				return err
			}
			continue
		}
		n, err := p.buildChannel(d, w)
		if err != nil {
			return err
		}
		if err := n.Open(ctx); err != nil {
			return errors.Join(err, n.Dir.Close())
		}
		if err := n.Join(w.Readers); err != nil {
			return errors.Join(err, n.Close(ctx))
		}
		p.mu.Lock()
		p.channels[name] = n
		if n.Durable { // what an orphan of this name holds is its own again
			p.orphans = slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == name })
		}
		p.mu.Unlock()
	}
	for _, name := range slices.Sorted(maps.Keys(d.Runners)) {
		if p.runners[name] != nil {
			continue
		}
		r, err := p.buildRunner(d, d.Runners[name])
		if err != nil {
			return err
		}
		r.Start()
		r.Channel().Attach(r)
		p.mu.Lock()
		p.runners[name] = r
		p.mu.Unlock()
	}
	return p.startSources(d)
}

func (p *Pipeline) startSources(d *design.Design) error {
	var fresh []*sourceNode
	for _, name := range slices.Sorted(maps.Keys(d.Sources)) {
		if p.sources[name] != nil {
			continue
		}
		s, err := p.buildSource(d, d.Sources[name])
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

func (p *Pipeline) channel(name string) *channel.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[name]
}

// adjust applies what can change without making anything anew.
func (p *Pipeline) adjust(d *design.Design) {
	for _, s := range p.sourceList() {
		s.limit(d.Sources[s.name])
	}
	for _, r := range p.runnerList() {
		r.Counts(d.Channels[r.Channel().Name].Readers[0] == r.Name())
		for i, m := range d.Runners[r.Name()].Members {
			r.Members()[i].SetRetry(m.Settings.Retry.Initial, m.Settings.Retry.Max)
		}
	}
}
