package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/deliver"
	"collect/runtime/pipeline/internal/design"
	"collect/runtime/supervisor/api"
)

// Snapshot tells how the components are. Of the agent it fills in only what the pipeline knows.
func (p *Pipeline) Snapshot() api.Agent {
	ready, why := p.Ready()
	a := api.Agent{Ready: ready, NotReady: why, State: api.Running}
	p.mu.Lock()
	spec, ph, broken := p.spec, p.phase, p.broken
	a.Orphans = slices.Clone(p.orphans)
	p.mu.Unlock()
	a.Address, a.ConfigHash = spec.Address, spec.Hash()
	p.components(&a, spec, broken)
	a.Violations, _ = p.base.Pool.Violations()
	a.Edges = p.stats.Edges()
	a.State = state(ph, broken, a.Components)
	return a
}

func state(ph phase, broken error, components []api.Component) api.State {
	switch ph {
	case built:
		return api.Starting
	case draining:
		return api.Draining
	case stopped:
		return api.Stopped
	}
	if broken != nil {
		return api.Blocked
	}
	for _, c := range components {
		if c.Health == string(flow.Blocked) {
			return api.Blocked
		}
	}
	return api.Running
}

func (p *Pipeline) components(a *api.Agent, spec *schema.AgentSpec, broken error) {
	p.mu.Lock()
	sources, channels, runners := maps.Clone(p.sources), maps.Clone(p.channels), sorted(p.runners)
	p.mu.Unlock()
	add := func(c api.Component, runs bool) {
		if broken != nil && !runs {
			c.Health, c.Why = string(flow.Failed), "it does not run: "+broken.Error()
		}
		a.Components = append(a.Components, c)
	}
	for _, s := range spec.Sources {
		c := p.component(schema.Source, s.Type, s.Name, "source."+s.Name, s.At)
		n := sources[s.Name]
		if n != nil {
			_, events, bytes, _ := n.emitter.Window().Load()
			c.InFlight, c.InFlightBytes = int64(events), bytes
			if bad := n.emitter.ConditionErrors(); bad > 0 {
				c.Facts = append(c.Facts, api.Fact{Label: "condition errors", Value: strconv.FormatInt(bad, 10), Unit: "events"})
			}
			if !n.ready.Load() && c.Health == string(flow.OK) {
				c.Health, c.Why = string(flow.Waiting), "not ready yet"
			}
		}
		add(c, n != nil)
		for i, ic := range s.Interceptors {
			name := fmt.Sprintf("%s[%d]", ic.Type, i)
			add(p.component(schema.Interceptor, ic.Type, s.Name+"."+name, design.InterceptorAddress(s.Name, ic.Type, i), ic.At), n != nil)
		}
	}
	for _, s := range spec.Channels {
		c := p.component(schema.Channel, s.Type, s.Name, "channel."+s.Name, s.At)
		n := channels[s.Name]
		if n != nil {
			fill(&c, n)
		}
		add(c, n != nil)
	}
	for _, s := range spec.Sinks {
		c := p.component(schema.Sink, s.Type, s.Name, "sink."+s.Name, s.At)
		load(&c, runners, func(r *runner) bool { return len(r.Members()) == 1 && r.Members()[0].Name() == s.Name })
		add(c, slices.ContainsFunc(runners, func(r *runner) bool {
			return slices.ContainsFunc(r.Members(), func(m *deliver.Member) bool { return m.Name() == s.Name })
		}))
	}
	for _, g := range spec.Groups {
		strategy, _ := g.Settings["strategy"].(string)
		c := p.component(schema.SinkGroup, strategy, g.Name, "sink_group."+g.Name, g.At)
		address := "sink_group." + g.Name
		of := func(r *runner) bool { return r.Name() == address || strings.HasPrefix(r.Name(), address+"/") }
		load(&c, runners, of)
		add(c, slices.ContainsFunc(runners, of))
	}
}

// load adds what the runners of a component have in flight, and, when others read the channel too, what waits for it alone.
func load(c *api.Component, list []*runner, of func(*runner) bool) {
	for _, r := range list {
		if of(r) {
			events, bytes := r.InFlight()
			c.InFlight += events
			c.InFlightBytes += bytes
			if r.Channel().Shared() {
				c.BacklogEvents = max(c.BacklogEvents, r.Waiting())
			}
		}
	}
}

func (p *Pipeline) component(kind schema.Kind, typ, name, address string, at schema.Pos) api.Component {
	s := p.stats.Of(address).Snapshot()
	c := api.Component{
		Kind: kind, Type: typ, Name: name, Place: at.String(), Health: string(s.Health), HealthSince: s.Since, Why: s.Why,
		EventsIn: s.EventsIn, EventsOut: s.EventsOut, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
		Errors: s.Errors, Retries: s.Retries, DroppedBy: s.Dropped, DeadLettered: s.DeadLettered, Duplicates: s.Duplicates,
		LastError: s.LastError, LastErrorAt: s.LastErrorAt, FirstErrorAt: s.FirstErrorAt,
	}
	for _, n := range s.Dropped {
		c.Dropped += n
	}
	for _, f := range s.Facts {
		c.Facts = append(c.Facts, api.Fact(f))
	}
	return c
}

// fill adds how full the channel is.
func fill(c *api.Component, n *channel.Node) {
	s := n.Channel.Stats()
	c.BacklogEvents, c.BacklogBytes, c.Capacity = s.Events, s.Bytes, s.Capacity
	if !s.Oldest.IsZero() {
		c.Oldest = time.Since(s.Oldest).Seconds()
	}
	if s.Damaged > 0 {
		c.Facts = append(c.Facts, api.Fact{Label: "damaged", Value: strconv.FormatInt(s.Damaged, 10), Unit: "events"})
	}
	if s.Stalled >= time.Second { // every write takes a moment
		c.Facts = append(c.Facts, api.Fact{Label: "disk silent for", Value: strconv.FormatInt(int64(s.Stalled/time.Second), 10), Unit: "s"})
	}
	switch {
	case c.Health != string(flow.OK):
	case s.LastErr != "":
		c.Health, c.Why = string(flow.Waiting), s.LastErr
	case s.Full:
		c.Health, c.Why = string(flow.Waiting), "full"
	}
}
