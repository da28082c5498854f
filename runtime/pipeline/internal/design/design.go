// Package design works out what the spec of an agent asks for.
package design

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"collect/hclspec/schema"
	"collect/runtime/pipeline/internal/route"
	"collect/runtime/pipeline/registry"
)

// Design is what a spec asks for: each component with all that it is made of, in a form that can be compared with what runs.
type Design struct {
	Spec     *schema.AgentSpec
	Secrets  schema.Secrets
	Agent    schema.AgentSettings
	Channels map[string]*Channel
	Runners  map[string]*Runner
	Sources  map[string]*Source
}

// Channel is a channel that the spec asks for.
type Channel struct {
	Spec      schema.ChannelSpec
	Entry     *registry.Entry
	Config    schema.Config // with a derived capacity
	Readers   []string      // names of runners, sorted
	Signature string        // what it is made of
}

// Runner is what reads a channel: a sink, a group, or one sink of a group that replicates.
type Runner struct {
	Name      string // sink.NAME, sink_group.NAME or sink_group.NAME/SINK
	Channel   string
	Dead      string // channel of its dead letters; "" none
	Group     *schema.GroupSpec
	Settings  schema.GroupSettings
	Members   []Member
	Signature string
}

// Member is a sink of a runner.
type Member struct {
	Spec     schema.SinkSpec
	Entry    *registry.Entry
	Settings schema.SinkSettings
}

// Source is a source with its interceptors and routes.
type Source struct {
	Spec         schema.SourceSpec
	Entry        *registry.Entry
	Settings     schema.SourceSettings
	Interceptors []*registry.Entry
	Dead         string // channel of its dead letters; "" none
	Routing      string // hash of interceptors and routes
	Signature    string
}

// New decodes and checks a spec.
func New(reg *registry.Registry, spec *schema.AgentSpec, secrets schema.Secrets) (*Design, error) {
	if spec.Version != 0 && spec.Version != schema.SpecVersion {
		return nil, fmt.Errorf("the spec has version %d, this program knows %d", spec.Version, schema.SpecVersion)
	}
	d := &Design{
		Spec: spec, Secrets: secrets, Agent: schema.DefaultAgentSettings(),
		Channels: map[string]*Channel{}, Runners: map[string]*Runner{}, Sources: map[string]*Source{},
	}
	if err := schema.Decode(spec.Settings, secrets, &d.Agent); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for i := range spec.Channels {
		if err := d.channel(reg, spec.Channels[i]); err != nil {
			return nil, fmt.Errorf("channel %s: %w", spec.Channels[i].Name, err)
		}
	}
	if err := d.sinks(reg); err != nil {
		return nil, err
	}
	for i := range spec.Sources {
		if err := d.source(reg, spec.Sources[i]); err != nil {
			return nil, fmt.Errorf("source %s: %w", spec.Sources[i].Name, err)
		}
	}
	d.name()
	return d, nil
}

func (d *Design) channel(reg *registry.Registry, s schema.ChannelSpec) error {
	e, err := reg.Entry(schema.Channel, s.Type, s.Config)
	if err != nil {
		return err
	}
	if d.Channels[s.Name] != nil {
		return errors.New("there are two of that name")
	}
	d.Channels[s.Name] = &Channel{Spec: s, Entry: e, Config: s.Config}
	return nil
}

func (d *Design) source(reg *registry.Registry, s schema.SourceSpec) error {
	e, err := reg.Entry(schema.Source, s.Type, s.Config)
	if err != nil {
		return err
	}
	if d.Sources[s.Name] != nil {
		return errors.New("there are two of that name")
	}
	w := &Source{Spec: s, Entry: e, Settings: schema.DefaultSourceSettings()}
	if err := schema.Decode(s.Settings, d.Secrets, &w.Settings); err != nil {
		return err
	}
	for i, ic := range s.Interceptors {
		ie, err := reg.Entry(schema.Interceptor, ic.Type, ic.Config)
		if err != nil {
			return fmt.Errorf("interceptor %d (%s): %w", i+1, ic.Type, err)
		}
		w.Interceptors = append(w.Interceptors, ie)
	}
	if err := d.routes(s); err != nil {
		return err
	}
	if w.Dead, err = d.deadLetter(w.Settings.DeadLetter); err != nil {
		return err
	}
	w.Routing = signature(s.Interceptors, s.Routes)[:16]
	d.Sources[s.Name] = w
	return nil
}

// routes checks that all channels exist and all conditions compile.
func (d *Design) routes(s schema.SourceSpec) error {
	for _, r := range s.Routes {
		for _, name := range append(slices.Clone(r.Channels), r.Optional...) {
			if d.Channels[name] == nil {
				return fmt.Errorf("there is no channel %q", name)
			}
		}
	}
	_, err := route.New(s.Routes, "")
	return err
}

// deadLetter gives the channel for a component's dead letters: its own, or the agent's.
func (d *Design) deadLetter(own schema.Ref) (string, error) {
	ref := own
	if !ref.IsSet() {
		ref = d.Agent.DeadLetter
	}
	if !ref.IsSet() {
		return "", nil
	}
	if d.Channels[ref.Name()] == nil {
		return "", fmt.Errorf("dead_letter: there is no channel %q", ref.Name())
	}
	return ref.Name(), nil
}

// sinks makes one runner for each sink that no group owns, and for each group; replicate makes one for each member.
func (d *Design) sinks(reg *registry.Registry) error {
	members := map[string]Member{}
	for _, s := range d.Spec.Sinks {
		e, err := reg.Entry(schema.Sink, s.Type, s.Config)
		if err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		m := Member{Spec: s, Entry: e, Settings: schema.DefaultSinkSettings()}
		if err := schema.Decode(s.Settings, d.Secrets, &m.Settings); err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		members[s.Name] = m
		if s.Channel == "" {
			continue
		}
		if err := d.runner(&Runner{Name: "sink." + s.Name, Channel: s.Channel, Members: []Member{m}}); err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
	}
	for i := range d.Spec.Groups {
		if err := d.group(&d.Spec.Groups[i], members); err != nil {
			return fmt.Errorf("sink_group %s: %w", d.Spec.Groups[i].Name, err)
		}
	}
	return nil
}

func (d *Design) group(g *schema.GroupSpec, members map[string]Member) error {
	set := schema.DefaultGroupSettings()
	if err := schema.Decode(g.Settings, d.Secrets, &set); err != nil {
		return err
	}
	var list []Member
	for _, name := range g.Sinks {
		m, ok := members[name]
		if !ok {
			return fmt.Errorf("there is no sink %q", name)
		}
		m.Settings.Retry = schema.RetrySettings{Initial: set.Backoff.Initial, Max: set.Backoff.Max}
		list = append(list, m)
	}
	if set.Strategy != "replicate" {
		return d.runner(&Runner{Name: "sink_group." + g.Name, Channel: g.Channel, Group: g, Settings: set, Members: list})
	}
	for _, m := range list {
		w := &Runner{
			Name: "sink_group." + g.Name + "/" + m.Spec.Name, Channel: g.Channel, Group: g, Settings: set, Members: []Member{m},
		}
		if err := d.runner(w); err != nil {
			return err
		}
	}
	return nil
}

func (d *Design) runner(w *Runner) error {
	if d.Channels[w.Channel] == nil {
		return fmt.Errorf("there is no channel %q", w.Channel)
	}
	if len(w.Members) == 0 {
		return errors.New("it has no sinks")
	}
	dead, err := d.deadLetter(w.Members[0].Settings.DeadLetter)
	if err != nil {
		return err
	}
	if dead != w.Channel { // what reads a dead-letter channel cannot dead-letter into it
		w.Dead = dead
	}
	d.Runners[w.Name] = w
	return nil
}

// name joins channels with their readers, derives capacities, and signs everything.
func (d *Design) name() {
	readers := map[string][]*Runner{}
	for _, name := range slices.Sorted(maps.Keys(d.Runners)) {
		w := d.Runners[name]
		readers[w.Channel] = append(readers[w.Channel], w)
	}
	for name, ch := range d.Channels {
		list := readers[name]
		for _, w := range list {
			ch.Readers = append(ch.Readers, w.Name)
		}
		ch.Config = d.capacity(ch, list)
		ch.Signature = signature(ch.Spec.Type, ch.Config)
	}
	for _, w := range d.Runners {
		var parts []any
		for _, m := range w.Members {
			s := m.Spec
			s.Settings = without(s.Settings, "retry") // applied to the living
			parts = append(parts, s)
		}
		w.Signature = signature(w.Name, w.Channel, w.Dead, w.Settings, parts, fingerprint(d.Secrets, parts))
	}
	for _, w := range d.Sources {
		s := w.Spec
		s.Settings = without(s.Settings, "in_flight") // applied to the living
		w.Signature = signature(s, w.Dead, fingerprint(d.Secrets, s))
	}
}

// Addresses lists all components of a design.
func (d *Design) Addresses() []string {
	var list []string
	for name, w := range d.Sources {
		list = append(list, "source."+name)
		for i, ic := range w.Spec.Interceptors {
			list = append(list, InterceptorAddress(name, ic.Type, i))
		}
	}
	for name := range d.Channels {
		list = append(list, "channel."+name)
	}
	for _, s := range d.Spec.Sinks {
		list = append(list, "sink."+s.Name)
	}
	for _, g := range d.Spec.Groups {
		list = append(list, "sink_group."+g.Name)
	}
	return list
}

// InterceptorAddress gives the address of the interceptor number i of a source.
func InterceptorAddress(source, typ string, i int) string {
	return fmt.Sprintf("interceptor.%s.%s[%d]", source, typ, i)
}
