package agents

import (
	"encoding/json"
	"fmt"
	"strings"

	"collect/hclspec/schema"
)

// part is one block of an agent: its own arguments, a source, an interceptor, a route, a channel, a sink or a group.
type part struct {
	kind   schema.Kind
	typ    string
	name   string
	path   string         // "source.log", "source.log.interceptor[0]", "" for the agent itself
	args   map[string]any // by dotted path: "compression", "roll.size"
	at     string         // file:line
	blocks []*schema.Block
	list   []part // a source's interceptors, then routes
}

// The kinds of blocks that are only parts of a source.
const kindRoute schema.Kind = "route"

// label is how the part is called on screens.
func (p part) label() string {
	switch p.kind {
	case schema.Agent:
		return ""
	case schema.SinkGroup:
		return "sink_group." + p.name
	}
	return p.typ + "." + p.name
}

// same says whether two parts do the same, whatever their places in files and lists.
func (p part) same(q part) bool { return p.key() == q.key() }

func (p part) key() string {
	raw, _ := json.Marshal([]any{p.kind, p.typ, p.name, p.args}) // of JSON values: cannot fail
	return string(raw)
}

// anatomy takes a spec apart.
type anatomy struct {
	agent  part
	parts  []part // sources, channels, sinks, groups
	labels map[string]string
	at     map[string]int   // index of a part by its path
	reads  map[string][]int // sinks and groups of a channel, by its path
	group  map[string]int   // the group of a sink, by the sink's path
}

// commonBlocks are the arguments that every component of a kind has.
type commonBlocks struct {
	agent, source, sink, group *schema.Block
}

// blocks gives them; they are read from their structs once.
func (h *host) blocks() commonBlocks {
	h.once.Do(func() {
		h.common = commonBlocks{
			agent: schema.Of(schema.DefaultAgentSettings()), source: schema.Of(schema.DefaultSourceSettings()),
			sink: schema.Of(schema.DefaultSinkSettings()), group: schema.Of(schema.DefaultGroupSettings()),
		}
	})
	return h.common
}

func (k *agentKind) anatomy(s *schema.AgentSpec) anatomy {
	c := k.blocks()
	a := anatomy{agent: part{kind: schema.Agent, args: flat(s.Settings), at: s.At.String(), blocks: []*schema.Block{c.agent}}, labels: map[string]string{}}
	for _, x := range s.Sources {
		p := part{kind: schema.Source, typ: x.Type, name: x.Name, path: "source." + x.Name, args: flat(x.Config, x.Settings), at: x.At.String()}
		p.blocks = append(k.block(schema.Source, x.Type), c.source)
		for i, ic := range x.Interceptors {
			p.list = append(p.list, part{
				kind: schema.Interceptor, typ: ic.Type, path: fmt.Sprintf("%s.interceptor[%d]", p.path, i), args: flat(ic.Config),
				at: ic.At.String(), blocks: k.block(schema.Interceptor, ic.Type),
			})
		}
		for i, r := range x.Routes {
			p.list = append(p.list, route(r, fmt.Sprintf("%s.route[%d]", p.path, i)))
		}
		a.parts = append(a.parts, p)
	}
	for _, x := range s.Channels {
		a.parts = append(a.parts, part{
			kind: schema.Channel, typ: x.Type, name: x.Name, path: "channel." + x.Name, args: flat(x.Config), at: x.At.String(),
			blocks: k.block(schema.Channel, x.Type),
		})
	}
	for _, x := range s.Sinks {
		p := part{kind: schema.Sink, typ: x.Type, name: x.Name, path: "sink." + x.Name, args: flat(x.Config, x.Settings), at: x.At.String()}
		if x.Channel != "" {
			p.args["channel"] = ref("channel." + x.Channel)
		}
		p.blocks = append(k.block(schema.Sink, x.Type), c.sink)
		a.parts = append(a.parts, p)
	}
	for _, x := range s.Groups {
		p := part{kind: schema.SinkGroup, name: x.Name, path: "sink_group." + x.Name, args: flat(x.Settings), at: x.At.String(), blocks: []*schema.Block{c.group}}
		p.args["channel"], p.args["sinks"] = ref("channel."+x.Channel), refs("sink.", x.Sinks)
		a.parts = append(a.parts, p)
	}
	a.index()
	return a
}

// index makes parts quick to find: an agent may have thousands.
func (a *anatomy) index() {
	a.at, a.reads, a.group = make(map[string]int, len(a.parts)), map[string][]int{}, map[string]int{}
	for i, p := range a.parts {
		a.labels[p.path], a.at[p.path] = p.label(), i
		if r, ok := p.args["channel"].(map[string]any); ok {
			a.reads[text(r)] = append(a.reads[text(r)], i)
		}
		members, _ := p.args["sinks"].([]any)
		for _, m := range members {
			a.group[text(m)] = i
		}
	}
}

func (k *agentKind) block(kind schema.Kind, typ string) []*schema.Block {
	if t, ok := k.Types.Lookup(kind, typ); ok && t.Block != nil {
		return []*schema.Block{t.Block}
	}
	return nil
}

func (k *agentKind) about(kind schema.Kind, typ string) schema.About {
	if t, ok := k.Types.Lookup(kind, typ); ok {
		return t.About
	}
	return schema.About{}
}

func route(r schema.RouteSpec, path string) part {
	p := part{kind: kindRoute, path: path, args: map[string]any{}, at: r.At.String()}
	if r.When != nil {
		p.args["when"] = schema.WithoutPlaces(r.When)
	}
	if len(r.Channels) > 0 {
		p.args["channels"] = refs("channel.", r.Channels)
	}
	if len(r.Optional) > 0 {
		p.args["optional"] = refs("channel.", r.Optional)
	}
	if r.Drop {
		p.args["drop"] = true
	}
	if r.Copy {
		p.args["copy"] = true
	}
	return p
}

func ref(address string) any { return map[string]any{"ref": address} }

func refs(prefix string, names []string) any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = ref(prefix + n)
	}
	return out
}

// flat gives the arguments of blocks by dotted path, inner blocks too.
func flat(configs ...schema.Config) map[string]any {
	out := map[string]any{}
	for _, c := range configs {
		t, ok := schema.WithoutPlaces(map[string]any(c)).(map[string]any)
		if ok {
			flatten("", t, out)
		}
	}
	return out
}

func flatten(prefix string, m map[string]any, out map[string]any) {
	for k, v := range m {
		inner, ok := v.(map[string]any)
		if ok && !isValue(inner) && len(inner) > 0 {
			flatten(prefix+k+".", inner, out)
			continue
		}
		out[prefix+k] = v
	}
}

// isValue says that an object is no block but a reference, an expression or a secret.
func isValue(m map[string]any) bool {
	for _, k := range []string{"ref", "expr", "secret"} {
		if _, ok := m[k].(string); ok {
			return true
		}
	}
	return false
}

// effect finds what changing an argument does.
func (p part) effect(arg string) schema.Effect {
	for _, b := range p.blocks {
		if e, ok := effectIn(b, arg); ok {
			return e
		}
	}
	return schema.Swap
}

func effectIn(b *schema.Block, arg string) (schema.Effect, bool) {
	if a, ok := b.Attr(arg); ok {
		return a.Effect, true
	}
	head, rest, inner := strings.Cut(arg, ".")
	if a, ok := b.Attr(head); ok { // a map, or the settings of a provider
		return a.Effect, true
	}
	n, ok := b.Nested(head)
	if !ok {
		return "", false
	}
	if inner {
		if e, ok := effectIn(n.Block, rest); ok {
			return e, true
		}
	}
	return n.Effect, true
}

// find finds a part by its path.
func (a anatomy) find(path string) (part, bool) {
	i, ok := a.at[path]
	if !ok {
		return part{}, false
	}
	return a.parts[i], true
}
