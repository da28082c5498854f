package topology

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/schema"
)

// Agent is one agent instance.
type Agent struct {
	Name, Addr string
	At         hcl.Range
	Spec       *schema.AgentSpec
	Components []*Component         // sorted by name
	Ranges     map[string]hcl.Range // places of arguments: by "source.log.batch.max_bytes"
	DeadLetter *Use                 // the agent's default
	Phantom    bool                 // it stands for instances that are not known
	Unsure     bool                 // something about it is not known or wrong, so that what follows from it is not reported
}

// Component is one source, channel, sink or group.
type Component struct {
	Kind        schema.Kind
	Type        string // "" for a group
	Name        string
	Addr, Local string // agent.a.sink.k and, from inside the agent, sink.k
	At          hcl.Range
	Def         *schema.Type // nil: there is no such type
	Config      schema.Config
	Settings    schema.Config
	Uses        []Use      // references in its arguments
	Routes      []Route    // of a source
	Channel     *Component // that a sink or a group reads
	ChannelAt   hcl.Range
	Group       *Component // that a sink belongs to
}

// Use is one reference that an argument holds.
type Use struct {
	Attr        string
	Addr, Local string
	At          hcl.Range
}

// Route is one route of a source.
type Route struct {
	Channels, Optional []Use
}

// Path gives the name of the component among the places of its agent.
func (c *Component) Path() string { return string(c.Kind) + "." + c.Name }

func (c *Component) deadLetter() (Use, bool) {
	i := slices.IndexFunc(c.Uses, func(u Use) bool { return u.Attr == "dead_letter" })
	if i < 0 {
		return Use{}, false
	}
	return c.Uses[i], true
}

// from gives the channel that a sink or group takes events from.
func (c *Component) from() *Component {
	if c.Group != nil {
		return c.Group.Channel
	}
	return c.Channel
}

// given reads a size from a Config, or from the schema's default.
func given(cfg schema.Config, b *schema.Block, path ...string) (int64, bool) {
	name := path[0]
	if len(path) > 1 {
		inner, _ := cfg[name].(map[string]any)
		n, ok := b.Nested(name)
		if !ok {
			return 0, false
		}
		return given(inner, n.Block, path[1:]...)
	}
	s, ok := cfg[name].(string)
	if !ok {
		a, known := b.Attr(name)
		if !known {
			return 0, false
		}
		s, ok = a.Default.(string)
	}
	n, err := schema.ParseSize(s)
	return n, ok && err == nil
}

// capacity gives the bytes that a channel holds.
func (c *Component) capacity() (int64, bool) {
	if c.Def == nil || c.Def.About.CapacityAttr == "" {
		return 0, false
	}
	return given(c.Config, c.Def.Block, c.Def.About.CapacityAttr)
}

func (c *Component) durable() bool { return c.Def == nil || c.Def.About.Durable }

// rolls says whether a sink delivers only when it closes a file, and how much such a file holds (0: not known).
func (c *Component) rolls() (size int64, ok bool) {
	if c.Def == nil {
		return 0, false
	}
	ok = c.Def.About.Rolls
	for _, name := range c.Def.About.RollsWith {
		_, given := c.Config[name]
		ok = ok || given
	}
	if _, has := c.Def.Block.Nested("roll"); has {
		size, _ = given(c.Config, c.Def.Block, "roll", "size")
	}
	return size, ok
}

// choice gives an argument that is a text, given or by default.
func (c *Component) choice(name string) (string, bool) {
	a, known := c.Def.Block.Attr(name)
	if !known {
		return "", false
	}
	s, ok := c.Config[name].(string)
	if !ok {
		s, ok = a.Default.(string)
	}
	return s, ok
}

// takes says whether a source renames or deletes what it has read.
func (c *Component) takes() bool {
	done, marks := c.choice("done")
	del, deletes := c.choice("delete")
	return marks && done != "track" || deletes && del != "never"
}

// component gives the component with an address.
func (a *Agent) component(addr string) *Component {
	i := slices.IndexFunc(a.Components, func(c *Component) bool { return c.Addr == addr })
	if i < 0 {
		return nil
	}
	return a.Components[i]
}

// componentsOf gives the components of a kind, sorted by name as the spec has them.
func (a *Agent) componentsOf(kind schema.Kind) []*Component {
	var out []*Component
	for _, c := range a.Components {
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}
