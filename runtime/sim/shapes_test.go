package sim_test

import (
	"math/rand/v2"
	"slices"

	"collect/hclspec/schema"
	"collect/providers/file"
	"collect/providers/spooldir"
	"collect/providers/tail"
	"collect/runtime/channel/disk"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/pipeline/registry"
)

// shape is what the agent of a run is made of.
type shape struct {
	name   string
	source string // "": numbers
	writer func(*world) writer
	shops  []string
	curses bool // some events can never be delivered
	quick  int  // runs of a normal test
	build  func(w *world, s *schema.AgentSpec) []goal
}

// shapes are all kinds of agents that are tried. Where the letters of a run's seed say so, a channel is a memory channel.
func shapes() []shape {
	return []shape{
		{name: "plain", quick: 100, build: plain},
		{name: "two disks", quick: 20, build: func(w *world, s *schema.AgentSpec) []goal { return two(w, s, "disk") }},
		{name: "disk and memory", quick: 20, build: func(w *world, s *schema.AgentSpec) []goal { return two(w, s, "memory") }},
		{name: "dead letters", quick: 20, curses: true, build: dead},
		{name: "shop", quick: 15, curses: true, shops: []string{"first"}, build: shopping},
		{name: "failover", quick: 10, curses: true, shops: []string{"first", "second"}, build: grouped("failover")},
		{name: "load_balance", quick: 10, curses: true, shops: []string{"first", "second"}, build: grouped("load_balance")},
		{name: "replicate", quick: 15, shops: []string{"first", "second"}, build: replicated},
		{name: "growing", quick: 30, build: growing},
		{name: "tail", quick: 30, source: "tail", writer: newLogs, build: tailed},
		{name: "spooldir", quick: 30, source: "spooldir", writer: newDrops, build: spooled},
	}
}

func when(text string) any { return map[string]any{"expr": text} }

// spec is as a user would write it, but small, so that segments and files end often. It says what must become of the events.
func (w *world) spec() *schema.AgentSpec {
	s := &schema.AgentSpec{
		Version: 1, Address: "agent.sim",
		Sources: []schema.SourceSpec{{
			Type: "numbers", Name: "in", Routes: []schema.RouteSpec{{Channels: []string{"c"}}},
			Settings: schema.Config{"in_flight": map[string]any{"max_batches": 8.0}, "ack_timeout": []any{"30s", "31s"}[w.variant>>1&1]},
		}},
		Channels: []schema.ChannelSpec{w.channel("disk", "c")},
	}
	if w.shape.source != "" {
		s.Sources[0].Type = w.shape.source
	}
	w.goals = w.shape.build(w, s)
	slices.SortFunc(s.Channels, func(a, b schema.ChannelSpec) int { return cmpText(a.Name, b.Name) })
	slices.SortFunc(s.Sinks, func(a, b schema.SinkSpec) int { return cmpText(a.Name, b.Name) })
	return s
}

func cmpText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func (w *world) channel(kind, name string) schema.ChannelSpec {
	if kind == "memory" {
		return schema.ChannelSpec{Type: kind, Name: name}
	}
	return schema.ChannelSpec{Type: kind, Name: name, Config: schema.Config{
		"max_size": []any{"8MiB", "9MiB"}[w.variant>>2&1], "segment_size": "1MiB",
	}}
}

// either is the kind of a channel that is volatile in every second run.
func (w *world) either() string { return []string{"disk", "memory"}[w.seed%2] }

func (w *world) files(name, channel, path string) schema.SinkSpec {
	roll := map[string]any{"size": []any{"16KiB", "64KiB"}[w.variant&1], "interval": "2s", "idle": "500ms"}
	return schema.SinkSpec{Type: "file", Name: name, Channel: channel, Config: schema.Config{"path": when(path), "roll": roll}}
}

func plain(w *world, s *schema.AgentSpec) []goal {
	s.Sinks = append(s.Sinks, w.files("out", "c", `"/out/${event.headers.key}.log"`))
	return []goal{{places: []string{"/out"}, takes: everything, once: true, ordered: true}}
}

// growing has one file for each key that only grows: at least once, and after a power cut what was not synced may be torn.
func growing(w *world, s *schema.AgentSpec) []goal {
	s.Channels[0] = w.channel(w.either(), "c")
	s.Sinks = append(s.Sinks, schema.SinkSpec{
		Type: "file", Name: "out", Channel: "c",
		Config: schema.Config{"path": when(`"/out/${event.headers.key}.log"`), "max_open": []any{10.0, 2.0}[w.variant&1]},
	})
	return []goal{{places: []string{"/out"}, takes: everything, torn: true, ordered: true}}
}

// two adds a second channel: key a goes to the first, b to both, c to the second.
func two(w *world, s *schema.AgentSpec, kind string) []goal {
	s.Sources[0].Routes = []schema.RouteSpec{
		{When: when(`event.headers.key == "a"`), Channels: []string{"c"}},
		{When: when(`event.headers.key == "b"`), Channels: []string{"c", "d"}},
		{Channels: []string{"d"}},
	}
	s.Channels = append(s.Channels, w.channel(kind, "d"))
	s.Sinks = append(s.Sinks, w.files("out", "c", `"/out/${event.headers.key}.log"`), w.files("other", "d", `"/second/${event.headers.key}.log"`))
	return []goal{
		{places: []string{"/out"}, takes: func(k string, _ uint64) bool { return k != "c" }, once: true, ordered: true},
		{places: []string{"/second"}, takes: func(k string, _ uint64) bool { return k != "a" }, once: kind == "disk", ordered: true},
	}
}

// bury adds a dead-letter channel: the interceptor gives up the bad events, the sinks the cursed ones.
func (w *world) bury(s *schema.AgentSpec) goal {
	kind := w.either()
	ref := map[string]any{"ref": "channel.dead"}
	if w.seed%4 < 2 {
		s.Settings = schema.Config{"dead_letter": ref}
	} else {
		s.Sources[0].Settings["dead_letter"] = ref
		for i := range s.Sinks {
			s.Sinks[i].Settings = schema.Config{"dead_letter": ref}
		}
	}
	s.Sources[0].Interceptors = []schema.InterceptorSpec{{Type: "picky"}}
	s.Channels = append(s.Channels, w.channel(kind, "dead"))
	s.Sinks = append(s.Sinks, w.files("graves", "dead", `"/dead/all.log"`))
	return goal{places: []string{"/dead"}, takes: func(_ string, n uint64) bool { return bad(n) || cursed(n) }, nearly: kind == "disk"}
}

func alive(_ string, n uint64) bool { return !bad(n) && !cursed(n) }

func dead(w *world, s *schema.AgentSpec) []goal {
	s.Sinks = append(s.Sinks, w.files("out", "c", `"/out/${event.headers.dir}.log"`))
	return []goal{w.bury(s), {places: []string{"/out"}, takes: alive, once: true, ordered: true}}
}

func (w *world) buyer(s *schema.AgentSpec, name, channel string) {
	s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "buyer", Name: name, Channel: channel})
}

func shopping(w *world, s *schema.AgentSpec) []goal {
	w.buyer(s, "first", "c")
	return []goal{w.bury(s), {places: []string{"first"}, takes: alive}}
}

func (w *world) group(s *schema.AgentSpec, strategy string) {
	w.buyer(s, "first", "")
	w.buyer(s, "second", "")
	s.Groups = []schema.GroupSpec{{
		Name: "both", Channel: "c", Sinks: []string{"first", "second"},
		Settings: schema.Config{"strategy": strategy, "sticky": "300ms", "backoff": map[string]any{"initial": "200ms", "max": "1s"}},
	}}
}

func grouped(strategy string) func(*world, *schema.AgentSpec) []goal {
	return func(w *world, s *schema.AgentSpec) []goal {
		w.group(s, strategy)
		return []goal{w.bury(s), {places: []string{"first", "second"}, takes: alive}}
	}
}

func replicated(w *world, s *schema.AgentSpec) []goal {
	w.group(s, "replicate")
	return []goal{{places: []string{"first"}, takes: everything}, {places: []string{"second"}, takes: everything}}
}

func tailed(w *world, s *schema.AgentSpec) []goal {
	s.Sources[0].Config = schema.Config{"include": []any{"/logs/*.log*"}, "rotate_wait": []any{"1s", "2s"}[w.variant&1]}
	return w.read1(s)
}

func spooled(w *world, s *schema.AgentSpec) []goal {
	s.Sources[0].Config = schema.Config{"path": "/spool", "done": w.done(), "settle": []any{"50ms", "100ms"}[w.variant&1]}
	return w.read1(s)
}

// done is what becomes of files that are read.
func (w *world) done() string { return []string{"rename", "delete", "track"}[w.seed/2%3] }

func (w *world) read1(s *schema.AgentSpec) []goal {
	kind := w.either()
	s.Channels[0] = w.channel(kind, "c")
	s.Sinks = append(s.Sinks, w.files("out", "c", `"/out/all.log"`))
	return []goal{{places: []string{"/out"}, takes: everything, once: kind == "disk", ordered: true}}
}

type noConfig struct{}

func noDefaults() noConfig { return noConfig{} }

func (w *world) registry() *registry.Registry {
	about := schema.About{Doc: "for tests"}
	channel := func(make func(flow.Env) (flow.Channel, error), env flow.Env) (flow.Channel, error) {
		ch, err := make(env)
		if err == nil && w.bug.channel != nil {
			ch = w.bug.channel(env.Component, ch)
		}
		return ch, err
	}
	sink := func(s flow.Sink, env flow.Env, err error) (flow.Sink, error) {
		if err == nil && w.bug.sink != nil {
			s = w.bug.sink(env.Component, s)
		}
		return s, err
	}
	return registry.New(
		registry.Source("numbers", noDefaults, about, func(_ noConfig, env flow.Env) (flow.Source, error) {
			return &source{w: w, env: env, rand: rand.New(rand.NewPCG(w.seed, env.Rand.Uint64()))}, nil
		}),
		registry.Source("tail", tail.Defaults, tail.About(), tail.New),
		registry.Source("spooldir", spooldir.Defaults, spooldir.About(), spooldir.New),
		registry.Interceptor("picky", noDefaults, about, func(noConfig, flow.Env) (flow.Interceptor, error) { return picky{}, nil }),
		registry.Channel("disk", disk.Defaults, disk.About, func(c disk.Config, env flow.Env) (flow.Channel, error) {
			return channel(func(env flow.Env) (flow.Channel, error) { return disk.New(c, env) }, env)
		}),
		registry.Channel("memory", memory.Defaults, memory.About, func(c memory.Config, env flow.Env) (flow.Channel, error) {
			return channel(func(env flow.Env) (flow.Channel, error) { return memory.New(c, env) }, env)
		}),
		registry.Sink("file", file.Defaults, file.About(), func(c file.Config, env flow.Env) (flow.Sink, error) {
			s, err := file.New(c, env)
			return sink(s, env, err)
		}),
		registry.Sink("buyer", noDefaults, about, func(_ noConfig, env flow.Env) (flow.Sink, error) {
			return sink(newBuyer(w.shops[env.Component[len("sink."):]]), env, nil)
		}),
	)
}
