package pipeline

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"collect/hclspec/schema"
	"collect/runtime/pipeline/registry"
)

// design is what a spec asks for: each component with all that it is made of, in a form that can be compared with what runs.
type design struct {
	spec     *schema.AgentSpec
	secrets  schema.Secrets
	agent    schema.AgentSettings
	channels map[string]*channelWant
	runners  map[string]*runnerWant
	sources  map[string]*sourceWant
}

type channelWant struct {
	spec    schema.ChannelSpec
	entry   *registry.Entry
	config  schema.Config // with a derived capacity
	readers []string      // names of runners, sorted
	sig     string
}

type runnerWant struct {
	name     string // sink.NAME, sink_group.NAME or sink_group.NAME/SINK
	channel  string
	dead     string // "" none
	group    *schema.GroupSpec
	settings schema.GroupSettings
	members  []memberWant
	sig      string
}

type memberWant struct {
	spec     schema.SinkSpec
	entry    *registry.Entry
	settings schema.SinkSettings
}

type sourceWant struct {
	spec         schema.SourceSpec
	entry        *registry.Entry
	settings     schema.SourceSettings
	interceptors []*registry.Entry
	dead         string
	routing      string // hash of interceptors and routes
	sig          string
}

// design decodes and checks a spec.
func (p *Pipeline) design(spec *schema.AgentSpec, secrets schema.Secrets) (*design, error) {
	if spec.Version != 0 && spec.Version != schema.SpecVersion {
		return nil, fmt.Errorf("the spec has version %d, this program knows %d", spec.Version, schema.SpecVersion)
	}
	d := &design{
		spec: spec, secrets: secrets, agent: schema.DefaultAgentSettings(),
		channels: map[string]*channelWant{}, runners: map[string]*runnerWant{}, sources: map[string]*sourceWant{},
	}
	if err := schema.Decode(spec.Settings, secrets, &d.agent); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for i := range spec.Channels {
		if err := d.channel(p.reg, spec.Channels[i]); err != nil {
			return nil, fmt.Errorf("channel %s: %w", spec.Channels[i].Name, err)
		}
	}
	if err := d.sinks(p.reg); err != nil {
		return nil, err
	}
	for i := range spec.Sources {
		if err := d.source(p.reg, spec.Sources[i], p.base.Host); err != nil {
			return nil, fmt.Errorf("source %s: %w", spec.Sources[i].Name, err)
		}
	}
	d.name()
	return d, nil
}

func (d *design) channel(reg *registry.Registry, s schema.ChannelSpec) error {
	e, err := reg.Entry(schema.Channel, s.Type, s.Config)
	if err != nil {
		return err
	}
	if d.channels[s.Name] != nil {
		return errors.New("there are two of that name")
	}
	d.channels[s.Name] = &channelWant{spec: s, entry: e, config: s.Config}
	return nil
}

func (d *design) source(reg *registry.Registry, s schema.SourceSpec, host string) error {
	e, err := reg.Entry(schema.Source, s.Type, s.Config)
	if err != nil {
		return err
	}
	if d.sources[s.Name] != nil {
		return errors.New("there are two of that name")
	}
	w := &sourceWant{spec: s, entry: e, settings: schema.DefaultSourceSettings()}
	if err := schema.Decode(s.Settings, d.secrets, &w.settings); err != nil {
		return err
	}
	for i, ic := range s.Interceptors {
		ie, err := reg.Entry(schema.Interceptor, ic.Type, ic.Config)
		if err != nil {
			return fmt.Errorf("interceptor %d (%s): %w", i+1, ic.Type, err)
		}
		w.interceptors = append(w.interceptors, ie)
	}
	if err := d.routes(s, host); err != nil {
		return err
	}
	if w.dead, err = d.deadLetter(w.settings.DeadLetter); err != nil {
		return err
	}
	w.routing = signature(s.Interceptors, s.Routes)[:16]
	d.sources[s.Name] = w
	return nil
}

// routes checks that all channels exist and all conditions compile.
func (d *design) routes(s schema.SourceSpec, host string) error {
	for _, r := range s.Routes {
		for _, name := range append(slices.Clone(r.Channels), r.Optional...) {
			if d.channels[name] == nil {
				return fmt.Errorf("there is no channel %q", name)
			}
		}
	}
	_, err := newRouter(s.Name, s.Routes, host, func(string) *channelNode { return nil }, nil)
	return err
}

// deadLetter gives the channel for a component's dead letters: its own, or the agent's.
func (d *design) deadLetter(own schema.Ref) (string, error) {
	ref := own
	if !ref.IsSet() {
		ref = d.agent.DeadLetter
	}
	if !ref.IsSet() {
		return "", nil
	}
	if d.channels[ref.Name()] == nil {
		return "", fmt.Errorf("dead_letter: there is no channel %q", ref.Name())
	}
	return ref.Name(), nil
}

// sinks makes one runner for each sink that no group owns, and for each group; replicate makes one for each member.
func (d *design) sinks(reg *registry.Registry) error {
	members := map[string]memberWant{}
	for _, s := range d.spec.Sinks {
		e, err := reg.Entry(schema.Sink, s.Type, s.Config)
		if err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		m := memberWant{spec: s, entry: e, settings: schema.DefaultSinkSettings()}
		if err := schema.Decode(s.Settings, d.secrets, &m.settings); err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		members[s.Name] = m
		if s.Channel == "" {
			continue
		}
		if err := d.runner(&runnerWant{name: "sink." + s.Name, channel: s.Channel, members: []memberWant{m}}); err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
	}
	for i := range d.spec.Groups {
		if err := d.group(&d.spec.Groups[i], members); err != nil {
			return fmt.Errorf("sink_group %s: %w", d.spec.Groups[i].Name, err)
		}
	}
	return nil
}

func (d *design) group(g *schema.GroupSpec, members map[string]memberWant) error {
	set := schema.DefaultGroupSettings()
	if err := schema.Decode(g.Settings, d.secrets, &set); err != nil {
		return err
	}
	var list []memberWant
	for _, name := range g.Sinks {
		m, ok := members[name]
		if !ok {
			return fmt.Errorf("there is no sink %q", name)
		}
		m.settings.Retry = schema.RetrySettings{Initial: set.Backoff.Initial, Max: set.Backoff.Max}
		list = append(list, m)
	}
	if set.Strategy != "replicate" {
		return d.runner(&runnerWant{name: "sink_group." + g.Name, channel: g.Channel, group: g, settings: set, members: list})
	}
	for _, m := range list {
		w := &runnerWant{
			name: "sink_group." + g.Name + "/" + m.spec.Name, channel: g.Channel, group: g, settings: set, members: []memberWant{m},
		}
		if err := d.runner(w); err != nil {
			return err
		}
	}
	return nil
}

func (d *design) runner(w *runnerWant) error {
	if d.channels[w.channel] == nil {
		return fmt.Errorf("there is no channel %q", w.channel)
	}
	if len(w.members) == 0 {
		return errors.New("it has no sinks")
	}
	dead, err := d.deadLetter(w.members[0].settings.DeadLetter)
	if err != nil {
		return err
	}
	if dead != w.channel { // what reads a dead-letter channel cannot dead-letter into it
		w.dead = dead
	}
	d.runners[w.name] = w
	return nil
}

// name joins channels with their readers, derives capacities, and signs everything.
func (d *design) name() {
	readers := map[string][]*runnerWant{}
	for _, name := range sortedKeys(d.runners) {
		w := d.runners[name]
		readers[w.channel] = append(readers[w.channel], w)
	}
	for name, ch := range d.channels {
		list := readers[name]
		for _, w := range list {
			ch.readers = append(ch.readers, w.name)
		}
		ch.config = d.capacity(ch, list)
		ch.sig = signature(ch.spec.Type, ch.config)
	}
	for _, w := range d.runners {
		var parts []any
		for _, m := range w.members {
			s := m.spec
			s.Settings = without(s.Settings, "retry") // applied to the living
			parts = append(parts, s)
		}
		w.sig = signature(w.name, w.channel, w.dead, w.settings, parts, fingerprint(d.secrets, parts))
	}
	for _, w := range d.sources {
		s := w.spec
		s.Settings = without(s.Settings, "in_flight") // applied to the living
		w.sig = signature(s, w.dead, fingerprint(d.secrets, s))
	}
}

// fingerprint is the part of a signature that changes with the secrets that v names. Signatures stay in memory.
func fingerprint(secrets schema.Secrets, v any) []string {
	raw, _ := json.Marshal(v)
	var tree any
	_ = json.Unmarshal(raw, &tree) // it was marshalled just now
	var used []string
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if name, ok := x["secret"].(string); ok {
				used = append(used, name+"="+secrets[name])
			}
			for _, e := range x {
				walk(e)
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(tree)
	slices.Sort(used)
	return used
}

// rollSize is what a rolling sink holds at least, when its own default is not known.
const rollSize = 64 << 20

// capacity gives the config of a channel in front of a rolling sink more room, when the configuration does not say how much: it
// must hold what a roll holds, within half of the memory of the agent.
func (d *design) capacity(ch *channelWant, readers []*runnerWant) schema.Config {
	attr := ch.entry.About.CapacityAttr
	if ch.entry.About.Durable || attr == "" || ch.spec.Config[attr] != nil {
		return ch.spec.Config
	}
	var need int64
	for _, r := range readers {
		for _, m := range r.members {
			if m.rolls() {
				need = max(need, 2*rollOf(m))
			}
		}
	}
	if need == 0 {
		return ch.spec.Config
	}
	def := int64(0)
	if a, ok := ch.entry.Block.Attr(attr); ok {
		text, _ := a.Default.(string)
		def, _ = schema.ParseSize(text) // a wrong default is found by the component's own tests
	}
	need = max(def, min(need, int64(d.agent.MemoryLimit)/2))
	config := maps.Clone(ch.spec.Config)
	if config == nil {
		config = schema.Config{}
	}
	config[attr] = schema.FormatSize(need)
	return config
}

// rolls says whether the sink delivers only when a file closes.
func (m memberWant) rolls() bool {
	about := m.entry.About
	return about.Rolls || slices.ContainsFunc(about.RollsWith, func(arg string) bool { return m.spec.Config[arg] != nil })
}

func rollOf(m memberWant) int64 {
	roll, _ := m.spec.Config["roll"].(map[string]any)
	text, _ := roll["size"].(string)
	n, _ := schema.ParseSize(text) // a wrong size is found by the sink
	return cmp.Or(n, rollSize)
}
