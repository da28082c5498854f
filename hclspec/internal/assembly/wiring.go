package assembly

import (
	"fmt"
	"strings"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// wiring builds the components of one agent and the edges between them.
type wiring struct {
	bl         *Builder
	inst       *names.Instance
	own        *decode.Owner
	spec       *schema.AgentSpec
	deadLetter ref.Use // of the agent
	depends    map[string]bool
	unsure     bool
}

func (w *wiring) component(c *names.Component) {
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
	w.unsure = w.unsure || c.Unsure
	for _, u := range c.References {
		w.useEdge(c, u)
	}
}

// useEdge adds the edge that a reference in an argument makes.
func (w *wiring) useEdge(c *names.Component, u ref.Use) {
	switch u.Ref.Kind {
	case schema.Topic:
		from, to := c.Addr, u.Ref.Addr
		if c.Kind == schema.Source {
			from, to = to, from
		}
		w.bl.graph.Add(topology.Edge{From: from, To: to, Kind: "topic"}, u.At)
		w.depend(u.Ref.Addr)
	case schema.Source:
		w.wire(c, u)
	case schema.Channel:
		if u.Attr == "dead_letter" && (c.Channel == nil || c.Channel.Addr != u.Ref.Addr) {
			w.bl.graph.Add(topology.Edge{From: c.Addr, To: u.Ref.Addr, Kind: "dead_letter"}, u.At)
		}
	}
}

// wire adds the edge from a sink to the source of an agent that it sends to.
func (w *wiring) wire(c *names.Component, u ref.Use) {
	to := u.Ref
	if to.Type != c.Type && to.Known {
		w.bl.Fail(u.At, "Wrong receiver", "A sink of type %q sends to a source of type %q; %s has the type %q.", c.Type, c.Type, u.Ref.Addr, to.Type)
		w.unsure = true
		return
	}
	if strings.HasSuffix(u.Ref.Attrs["listen"], ":0") {
		w.bl.Fail(u.At, "Receiver without a fixed port", "%s listens on port 0, which is any port: nobody can be told where to send. Give it a port.", u.Ref.Addr)
	}
	w.bl.graph.Add(topology.Edge{From: c.Addr, To: u.Ref.Addr, Kind: "wire"}, u.At)
	if to.Agent != w.inst.Addr {
		w.depend(to.Agent)
	}
}

// topology gives the agent as the checks see it.
func (w *wiring) topology() *topology.Agent {
	a := &topology.Agent{
		Name: w.inst.Resource.Name, Addr: w.inst.Addr, At: w.inst.Resource.Block.DefRange(),
		Spec: w.spec, Ranges: w.own.Ranges, Phantom: w.inst.Phantom, Unsure: w.unsure,
	}
	for _, c := range w.inst.Components {
		c.Uses = topologyUses(c.References)
		a.Components = append(a.Components, &c.Component)
	}
	if w.deadLetter.Ref != nil {
		a.DeadLetter = &topologyUses([]ref.Use{w.deadLetter})[0]
	}
	return a
}

func topologyUses(list []ref.Use) []topology.Use {
	out := make([]topology.Use, len(list))
	for i, u := range list {
		out[i] = topology.Use{Attr: u.Attr, Addr: u.Ref.Addr, Local: u.Ref.Local, At: u.At}
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
	return sorted.Keys(w.depends)
}

func (w *wiring) channel(c *names.Component) {
	w.bl.build(c, w.own, nil, nil)
	w.spec.Channels = append(w.spec.Channels, schema.ChannelSpec{Type: c.Type, Name: c.Name, Config: whole(c.Config, c.Settings), At: c.Pos()})
}

func (w *wiring) sink(c *names.Component) {
	d := w.bl.build(c, w.own, []string{"channel"}, nil)
	cont := c.Contents
	s := schema.SinkSpec{Type: c.Type, Name: c.Name, Config: some(c.Config), Settings: some(c.Settings), At: c.Pos()}
	if u, ok := d.OneReference(cont, "channel", schema.Channel); ok {
		c.Channel, c.ChannelAt, s.Channel = w.channelOf(u), u.At, lastPart(u.Ref.Local)
		w.bl.graph.Add(topology.Edge{From: u.Ref.Addr, To: c.Addr, Kind: "take"}, u.At)
	}
	c.Unsure = c.Unsure || d.Unknown || d.Broken
	w.spec.Sinks = append(w.spec.Sinks, s)
}

func (w *wiring) channelOf(u ref.Use) *topology.Component {
	return &w.inst.Component(schema.Channel, lastPart(u.Ref.Local)).Component
}

func lastPart(local string) string { return local[strings.LastIndexByte(local, '.')+1:] }

func (w *wiring) group(c *names.Component) {
	d := w.bl.build(c, w.own, []string{"channel", "sinks"}, nil)
	cont := c.Contents
	g := schema.GroupSpec{Name: c.Name, Settings: some(c.Settings), At: c.Pos()}
	if u, ok := d.OneReference(cont, "channel", schema.Channel); ok {
		c.Channel, c.ChannelAt, g.Channel = w.channelOf(u), u.At, lastPart(u.Ref.Local)
		w.bl.graph.Add(topology.Edge{From: u.Ref.Addr, To: c.Addr, Kind: "take"}, u.At)
	} else if cont.Attrs["channel"] == nil {
		w.bl.Fail(c.Block.At, "Missing argument", "The %s needs \"channel\": where its sinks take events from.", c.What())
	}
	members, ok := d.ManyReferences(cont, "sinks", schema.Sink)
	if ok && len(members) == 0 {
		at := c.Block.At
		if a := cont.Attrs["sinks"]; a != nil {
			at = a.Expr.Range()
		}
		w.bl.Fail(at, "Missing argument", "The %s needs \"sinks\": its members, in order of preference.", c.What())
		d.Broken = true
	}
	for _, u := range members {
		m := w.inst.Component(schema.Sink, lastPart(u.Ref.Local))
		g.Sinks = append(g.Sinks, m.Name)
		if m.Group != nil {
			w.bl.Fail(u.At, "Sink in two groups", "%s belongs to %s already, at %s:%d.", u.Ref.Local, m.Group.Local, m.Group.At.Filename, m.Group.At.Start.Line)
			continue
		}
		m.Group = &c.Component
		w.bl.graph.Add(topology.Edge{From: c.Addr, To: m.Addr, Kind: "take"}, u.At)
	}
	c.Unsure = c.Unsure || d.Unknown || d.Broken
	w.spec.Groups = append(w.spec.Groups, g)
}

func (w *wiring) source(c *names.Component) {
	d := w.bl.build(c, w.own, []string{"channels"}, []string{"route", "interceptor"})
	cont := c.Contents
	s := schema.SourceSpec{Type: c.Type, Name: c.Name, Config: some(c.Config), Settings: some(c.Settings), At: c.Pos()}
	if c.Def != nil && !c.Def.About.Answers {
		if a := cont.Attrs["ack_timeout"]; a != nil {
			w.bl.Fail(a.NameRange, "Unknown argument", "A source of type %q answers nobody, so it has no ack_timeout.", c.Type)
		}
	}
	for _, b := range cont.Blocks {
		if b.Type == "interceptor" {
			w.interceptor(c, &s, b, len(s.Interceptors))
		}
	}
	w.routes(c, d, cont, &s)
	c.Unsure = c.Unsure || d.Unknown || d.Broken
	w.spec.Sources = append(w.spec.Sources, s)
}

func (w *wiring) interceptor(c *names.Component, s *schema.SourceSpec, b *names.Block, i int) {
	if len(b.Labels) != 1 {
		w.bl.Fail(b.At, "Missing name", "An interceptor is written interceptor \"TYPE\" { … }; it has no name.")
		c.Unsure = true
		return
	}
	typ := b.Labels[0]
	def, ok := w.bl.Types.Lookup(schema.Interceptor, typ)
	if !ok {
		w.bl.UnknownType(schema.Interceptor, typ, b.LabelsAt[0])
		c.Unsure = true
		return
	}
	path := fmt.Sprintf("%s.interceptor[%d]", c.Path(), i)
	w.own.Ranges[path] = b.At
	d := &decode.Decoding{Decoder: w.bl.Decoder, Scope: b.Scope, Owner: w.own, Path: path, What: "interceptor " + diag.Quote(typ), About: &def.About}
	cont := w.bl.Open(b)
	cfg := d.Block(cont, decode.Part{Block: def.Block})[0]
	w.bl.check(def, cfg, d, cont)
	c.Unsure = c.Unsure || d.Unknown || d.Broken
	s.Interceptors = append(s.Interceptors, schema.InterceptorSpec{Type: typ, Config: some(cfg), At: names.PosOf(b.At)})
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
