package hclspec

import (
	"fmt"
	"strings"

	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

var (
	metaArgs    = []string{"count", "for_each", "depends_on"}
	agentBlocks = []string{"source", "channel", "sink", "sink_group", "lifecycle"}
)

// buildAgent evaluates one agent to its spec.
func (l *loader) buildAgent(inst *instance) {
	if !inst.names(l) && inst.cont == nil {
		return
	}
	own := newOwner()
	body := inst.res.block.Body
	own.ranges[""] = inst.res.block.DefRange()
	a := &Agent{Ranges: own.ranges, Secrets: own.secrets}
	d := &decoding{l: l, sc: inst.sc, owner: own, what: "agent", args: metaArgs, inner: agentBlocks}
	set := d.block(inst.cont, part{l.settingsOf(schema.Agent)})[0]
	a.Spec = schema.AgentSpec{Version: schema.SpecVersion, Address: inst.addr, Settings: set, At: posOf(inst.res.block.DefRange())}
	l.checkEnv(set, own)
	if inst.state == done && !inst.cont.open && !hasParts(inst.cont) {
		l.warn(inst.res.block.DefRange(), "Agent without parts", "Agent %q declares no source, channel or sink, so it does nothing.", inst.res.name)
	}
	w := &wiring{l: l, inst: inst, own: own, spec: &a.Spec, unsure: inst.phantom || inst.lacks || inst.state == failed}
	w.deadLetter, _ = deadLetterOf(d.uses)
	for _, c := range inst.components {
		w.component(c)
	}
	w.unsure = w.unsure || d.broken || d.unknown
	a.Lifecycle = l.lifecycle(inst.cont, inst.sc, append([]string{"source", "channel", "sink", "sink_group"}, argumentsOf(l.settingsOf(schema.Agent))...))
	a.DependsOn = w.dependsOn(l.dependencies(inst.addr, body.Attributes["depends_on"]))
	if len(set) == 0 {
		a.Spec.Settings = nil
	}
	l.diags = append(l.diags, l.graph.CheckAgent(w.topology())...)
	if !inst.phantom {
		l.cfg.Agents = append(l.cfg.Agents, a)
	}
}

// hasParts says whether an agent holds any block of its own, be it wrong.
func hasParts(c *contents) bool {
	for _, b := range c.blocks {
		if b.typ != "lifecycle" && b.typ != "metrics" {
			return true
		}
	}
	return false
}

// checkEnv refuses names that no environment can hold.
func (l *loader) checkEnv(set schema.Config, own *owner) {
	env, _ := set["env"].(map[string]any)
	for _, name := range sortedKeys(env) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			l.fail(own.ranges["env"], "Invalid name", "%q cannot be the name of an environment variable.", name)
		}
	}
}

func deadLetterOf(uses []use) (use, bool) {
	for _, u := range uses {
		if u.attr == "dead_letter" {
			return u, true
		}
	}
	return use{}, false
}

// wiring builds the components of one agent and the edges between them.
type wiring struct {
	l          *loader
	inst       *instance
	own        *owner
	spec       *schema.AgentSpec
	deadLetter use // of the agent
	depends    map[string]bool
	unsure     bool
}

func (w *wiring) component(c *component) {
	switch c.Kind {
	case schema.Source:
		w.source(c)
	case schema.Channel:
		w.channel(c)
	case schema.Sink:
		w.sink(c)
	case schema.SinkGroup:
		w.group(c)
	}
	w.unsure = w.unsure || c.unsure
	for _, u := range c.uses {
		w.useEdge(c, u)
	}
}

// useEdge adds the edge that a reference in an argument makes.
func (w *wiring) useEdge(c *component, u use) {
	switch u.ref.Kind {
	case schema.Topic:
		from, to := c.Addr, u.ref.Addr
		if c.Kind == schema.Source {
			from, to = to, from
		}
		w.l.graph.Add(topology.Edge{From: from, To: to, Kind: "topic"}, u.at)
		w.depend(u.ref.Addr)
	case schema.Source:
		w.wire(c, u)
	case schema.Channel:
		if u.attr == "dead_letter" && (c.Channel == nil || c.Channel.Addr != u.ref.Addr) {
			w.l.graph.Add(topology.Edge{From: c.Addr, To: u.ref.Addr, Kind: "dead_letter"}, u.at)
		}
	}
}

func (w *wiring) wire(c *component, u use) {
	to := u.ref.source
	if to == nil {
		return
	}
	if to.Type != c.Type && to.Def != nil {
		w.l.fail(u.at, "Wrong receiver", "A sink of type %q sends to a source of type %q; %s has the type %q.", c.Type, c.Type, u.ref.Addr, to.Type)
		w.unsure = true
		return
	}
	if strings.HasSuffix(u.ref.Attrs["listen"], ":0") {
		w.l.fail(u.at, "Receiver without a fixed port", "%s listens on port 0, which is any port: nobody can be told where to send. Give it a port.", u.ref.Addr)
	}
	w.l.graph.Add(topology.Edge{From: c.Addr, To: u.ref.Addr, Kind: "wire"}, u.at)
	if to.inst != w.inst {
		w.depend(to.inst.addr)
	}
}

// topology gives the agent as the checks see it.
func (w *wiring) topology() *topology.Agent {
	a := &topology.Agent{
		Name: w.inst.res.name, Addr: w.inst.addr, At: w.inst.res.block.DefRange(),
		Spec: w.spec, Ranges: w.own.ranges, Phantom: w.inst.phantom, Unsure: w.unsure,
	}
	for _, c := range w.inst.components {
		c.Uses = topologyUses(c.uses)
		a.Components = append(a.Components, &c.Component)
	}
	if w.deadLetter.ref != nil {
		a.DeadLetter = &topologyUses([]use{w.deadLetter})[0]
	}
	return a
}

func topologyUses(list []use) []topology.Use {
	out := make([]topology.Use, len(list))
	for i, u := range list {
		out[i] = topology.Use{Attr: u.attr, Addr: u.ref.Addr, Local: u.ref.Local, At: u.at}
	}
	return out
}

func (w *wiring) depend(addr string) {
	if w.depends == nil {
		w.depends = map[string]bool{}
	}
	w.depends[addr] = true
}

func (w *wiring) dependsOn(declared []string) []string {
	for _, d := range declared {
		w.depend(d)
	}
	return sortedKeys(w.depends)
}

func (w *wiring) channel(c *component) {
	w.l.build(c, w.own, nil, nil)
	w.spec.Channels = append(w.spec.Channels, schema.ChannelSpec{Type: c.Type, Name: c.Name, Config: whole(c.Config, c.Settings), At: c.pos()})
}

// whole is a Config without a place for settings of the kind: channels have none.
func whole(a, b schema.Config) schema.Config {
	for k, v := range b {
		a[k] = v
	}
	return some(a)
}

// some gives nil for a Config without arguments, so that one that is empty and one that is missing are the same.
func some(c schema.Config) schema.Config {
	if len(c) == 0 {
		return nil
	}
	return c
}

func (w *wiring) sink(c *component) {
	d := w.l.build(c, w.own, []string{"channel"}, nil)
	cont := c.cont
	s := schema.SinkSpec{Type: c.Type, Name: c.Name, Config: some(c.Config), Settings: some(c.Settings), At: c.pos()}
	if u, ok := d.oneReference(cont, "channel", schema.Channel); ok {
		c.Channel, c.ChannelAt, s.Channel = w.channelOf(u), u.at, lastPart(u.ref.Local)
		w.l.graph.Add(topology.Edge{From: u.ref.Addr, To: c.Addr, Kind: "take"}, u.at)
	}
	c.unsure = c.unsure || d.unknown || d.broken
	w.spec.Sinks = append(w.spec.Sinks, s)
}

func (w *wiring) channelOf(u use) *topology.Component {
	return &w.inst.component(schema.Channel, lastPart(u.ref.Local)).Component
}

func lastPart(local string) string { return local[strings.LastIndexByte(local, '.')+1:] }

func (w *wiring) group(c *component) {
	d := w.l.build(c, w.own, []string{"channel", "sinks"}, nil)
	cont := c.cont
	g := schema.GroupSpec{Name: c.Name, Settings: some(c.Settings), At: c.pos()}
	if u, ok := d.oneReference(cont, "channel", schema.Channel); ok {
		c.Channel, c.ChannelAt, g.Channel = w.channelOf(u), u.at, lastPart(u.ref.Local)
		w.l.graph.Add(topology.Edge{From: u.ref.Addr, To: c.Addr, Kind: "take"}, u.at)
	} else if cont.attrs["channel"] == nil {
		w.l.fail(c.b.at, "Missing argument", "The %s needs \"channel\": where its sinks take events from.", c.what())
	}
	members, ok := d.manyReferences(cont, "sinks", schema.Sink)
	if ok && len(members) == 0 {
		at := c.b.at
		if a := cont.attrs["sinks"]; a != nil {
			at = a.Expr.Range()
		}
		w.l.fail(at, "Missing argument", "The %s needs \"sinks\": its members, in order of preference.", c.what())
		d.broken = true
	}
	for _, u := range members {
		m := w.inst.component(schema.Sink, lastPart(u.ref.Local))
		g.Sinks = append(g.Sinks, m.Name)
		if m.Group != nil {
			w.l.fail(u.at, "Sink in two groups", "%s belongs to %s already, at %s:%d.", u.ref.Local, m.Group.Local, m.Group.At.Filename, m.Group.At.Start.Line)
			continue
		}
		m.Group = &c.Component
		w.l.graph.Add(topology.Edge{From: c.Addr, To: m.Addr, Kind: "take"}, u.at)
	}
	c.unsure = c.unsure || d.unknown || d.broken
	w.spec.Groups = append(w.spec.Groups, g)
}

func (w *wiring) source(c *component) {
	d := w.l.build(c, w.own, []string{"channels"}, []string{"route", "interceptor"})
	cont := c.cont
	s := schema.SourceSpec{Type: c.Type, Name: c.Name, Config: some(c.Config), Settings: some(c.Settings), At: c.pos()}
	if c.Def != nil && !c.Def.About.Answers {
		if a := cont.attrs["ack_timeout"]; a != nil {
			w.l.fail(a.NameRange, "Unknown argument", "A source of type %q answers nobody, so it has no ack_timeout.", c.Type)
		}
	}
	for _, b := range cont.blocks {
		if b.typ == "interceptor" {
			w.interceptor(c, &s, b, len(s.Interceptors))
		}
	}
	w.routes(c, d, cont, &s)
	c.unsure = c.unsure || d.unknown || d.broken
	w.spec.Sources = append(w.spec.Sources, s)
}

func (w *wiring) interceptor(c *component, s *schema.SourceSpec, b *block, i int) {
	if len(b.labels) != 1 {
		w.l.fail(b.at, "Missing name", "An interceptor is written interceptor \"TYPE\" { … }; it has no name.")
		c.unsure = true
		return
	}
	typ := b.labels[0]
	def, ok := w.l.opts.Types.Lookup(schema.Interceptor, typ)
	if !ok {
		w.l.unknownType(schema.Interceptor, typ, b.labAt[0])
		c.unsure = true
		return
	}
	path := fmt.Sprintf("%s.interceptor[%d]", c.Path(), i)
	w.own.ranges[path] = b.at
	d := &decoding{l: w.l, sc: b.sc, owner: w.own, path: path, what: "interceptor " + quote(typ), about: &def.About}
	cont := w.l.open(b)
	cfg := d.block(cont, part{def.Block})[0]
	w.l.check(def, cfg, d, cont)
	c.unsure = c.unsure || d.unknown || d.broken
	s.Interceptors = append(s.Interceptors, schema.InterceptorSpec{Type: typ, Config: some(cfg), At: posOf(b.at)})
}
