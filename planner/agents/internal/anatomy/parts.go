// Package anatomy takes the spec of an agent apart, into the parts that a plan speaks of: their arguments, what changing one does, how they
// are called and drawn, and which of two lists belong together.
package anatomy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"collect/hclspec/schema"
)

// Part is one block of an agent: its own arguments, a source, an interceptor, a route, a channel, a sink or a group.
type Part struct {
	Kind   schema.Kind
	Type   string
	Name   string
	Path   string         // "source.log", "source.log.interceptor[0]", "" for the agent itself
	Args   map[string]any // by dotted path: "compression", "roll.size"
	blocks []*schema.Block
	List   []Part // a source's interceptors, then routes
}

// KindRoute is the kind of a route, which is only part of a source.
const KindRoute schema.Kind = "route"

// Label is how the part is called on screens.
func (p Part) Label() string {
	switch p.Kind {
	case schema.Agent:
		return ""
	case schema.SinkGroup:
		return "sink_group." + p.Name
	}
	return p.Type + "." + p.Name
}

// same says whether two parts do the same, whatever their places in files and lists.
func (p Part) same(q Part) bool { return p.key() == q.key() }

func (p Part) key() string {
	raw, _ := json.Marshal([]any{p.Kind, p.Type, p.Name, p.Args}) // of JSON values: cannot fail
	return string(raw)
}

// Anatomy is a spec taken apart.
type Anatomy struct {
	Agent  Part
	Parts  []Part // sources, channels, sinks, groups
	Labels map[string]string
	at     map[string]int   // index of a part by its path
	reads  map[string][]int // sinks and groups of a channel, by its path
	Group  map[string]int   // the group of a sink, by the sink's path
}

// commonBlocks are the arguments that every component of a kind has.
type commonBlocks struct {
	agent, source, sink, group *schema.Block
}

// Catalog takes agents apart. It knows the component types.
type Catalog struct {
	types  schema.Types
	once   sync.Once // for common
	common commonBlocks
}

// NewCatalog makes a catalog of component types.
func NewCatalog(types schema.Types) *Catalog { return &Catalog{types: types} }

// blocks gives them; they are read from their structs once.
func (k *Catalog) blocks() commonBlocks {
	k.once.Do(func() {
		k.common = commonBlocks{
			agent: schema.Of(schema.DefaultAgentSettings()), source: schema.Of(schema.DefaultSourceSettings()),
			sink: schema.Of(schema.DefaultSinkSettings()), group: schema.Of(schema.DefaultGroupSettings()),
		}
	})
	return k.common
}

// Of takes a spec apart.
func (k *Catalog) Of(s *schema.AgentSpec) Anatomy {
	c := k.blocks()
	a := Anatomy{Agent: Part{Kind: schema.Agent, Args: flat(s.Settings), blocks: []*schema.Block{c.agent}}, Labels: map[string]string{}}
	for _, x := range s.Sources {
		p := Part{Kind: schema.Source, Type: x.Type, Name: x.Name, Path: "source." + x.Name, Args: flat(x.Config, x.Settings)}
		p.blocks = append(k.block(schema.Source, x.Type), c.source)
		for i, ic := range x.Interceptors {
			p.List = append(p.List, Part{
				Kind: schema.Interceptor, Type: ic.Type, Path: fmt.Sprintf("%s.interceptor[%d]", p.Path, i), Args: flat(ic.Config),
				blocks: k.block(schema.Interceptor, ic.Type),
			})
		}
		for i, r := range x.Routes {
			p.List = append(p.List, route(r, fmt.Sprintf("%s.route[%d]", p.Path, i)))
		}
		a.Parts = append(a.Parts, p)
	}
	for _, x := range s.Channels {
		a.Parts = append(a.Parts, Part{
			Kind: schema.Channel, Type: x.Type, Name: x.Name, Path: "channel." + x.Name, Args: flat(x.Config),
			blocks: k.block(schema.Channel, x.Type),
		})
	}
	for _, x := range s.Sinks {
		p := Part{Kind: schema.Sink, Type: x.Type, Name: x.Name, Path: "sink." + x.Name, Args: flat(x.Config, x.Settings)}
		if x.Channel != "" {
			p.Args["channel"] = ref("channel." + x.Channel)
		}
		p.blocks = append(k.block(schema.Sink, x.Type), c.sink)
		a.Parts = append(a.Parts, p)
	}
	for _, x := range s.Groups {
		p := Part{Kind: schema.SinkGroup, Name: x.Name, Path: "sink_group." + x.Name, Args: flat(x.Settings), blocks: []*schema.Block{c.group}}
		p.Args["channel"], p.Args["sinks"] = ref("channel."+x.Channel), refs("sink.", x.Sinks)
		a.Parts = append(a.Parts, p)
	}
	a.index()
	return a
}

// index makes parts quick to find: an agent may have thousands.
func (a *Anatomy) index() {
	a.at, a.reads, a.Group = make(map[string]int, len(a.Parts)), map[string][]int{}, map[string]int{}
	for i, p := range a.Parts {
		a.Labels[p.Path], a.at[p.Path] = p.Label(), i
		if r, ok := p.Args["channel"].(map[string]any); ok {
			a.reads[Text(r)] = append(a.reads[Text(r)], i)
		}
		members, _ := p.Args["sinks"].([]any)
		for _, m := range members {
			a.Group[Text(m)] = i
		}
	}
}

func (k *Catalog) block(kind schema.Kind, typ string) []*schema.Block {
	if t, ok := k.types.Lookup(kind, typ); ok && t.Block != nil {
		return []*schema.Block{t.Block}
	}
	return nil
}

// About gives what a component type says of itself.
func (k *Catalog) About(kind schema.Kind, typ string) schema.About {
	if t, ok := k.types.Lookup(kind, typ); ok {
		return t.About
	}
	return schema.About{}
}

func route(r schema.RouteSpec, path string) Part {
	p := Part{Kind: KindRoute, Path: path, Args: map[string]any{}}
	if r.When != nil {
		p.Args["when"] = schema.WithoutPlaces(r.When)
	}
	if len(r.Channels) > 0 {
		p.Args["channels"] = refs("channel.", r.Channels)
	}
	if len(r.Optional) > 0 {
		p.Args["optional"] = refs("channel.", r.Optional)
	}
	if r.Drop {
		p.Args["drop"] = true
	}
	if r.Copy {
		p.Args["copy"] = true
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

// Effect finds what changing an argument does.
func (p Part) Effect(arg string) schema.Effect {
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

// Find finds a part by its path.
func (a Anatomy) Find(path string) (Part, bool) {
	i, ok := a.at[path]
	if !ok {
		return Part{}, false
	}
	return a.Parts[i], true
}

// Readers are the sinks and groups that the running agent empties a channel with.
func Readers(a Anatomy, channel string) []Part {
	var out []Part
	for _, i := range a.reads["channel."+channel] {
		out = append(out, a.Parts[i])
	}
	return out
}

// Writes says whether a route of a source leads to a channel.
func Writes(source Part, channel string) bool {
	for _, r := range source.List {
		for _, arg := range []string{"channels", "optional"} {
			list, _ := r.Args[arg].([]any)
			if slices.ContainsFunc(list, func(v any) bool { m, ok := v.(map[string]any); return ok && m["ref"] == "channel."+channel }) {
				return true
			}
		}
	}
	return false
}
