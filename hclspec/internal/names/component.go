package names

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// Component is one source, channel, sink or group of an agent. Here it has its names; decoding its block fills the rest, of which
// topology.Component is what the checks of the whole see.
type Component struct {
	topology.Component
	Block      *Block
	Agent      *Instance
	ref        *ref.Ref
	Contents   *Contents            // once its block is decoded
	Early      map[string]cty.Value // arguments that others have read
	References []ref.Use            // in its arguments
	Unsure     bool                 // something about it is not known or wrong
}

// componentLabels are the blocks inside an agent that make a component, with their labels.
var componentLabels = map[string][]string{
	"source": {"TYPE", "NAME"}, "channel": {"TYPE", "NAME"}, "sink": {"TYPE", "NAME"}, "sink_group": {"NAME"},
}

// newComponent takes in a block of an agent; not ok: it is none, or its header is wrong and reported.
func (ns *Names) newComponent(inst *Instance, b *Block) (*Component, bool) {
	labels, ok := componentLabels[b.Type]
	if !ok || !ns.componentLabels(b, labels) {
		return nil, false
	}
	c := &Component{Block: b, Agent: inst}
	c.Kind, c.Name, c.At = schema.Kind(b.Type), b.Labels[len(b.Labels)-1], b.At
	local := b.Type + "." + c.Name
	c.Addr, c.Local = inst.Addr+"."+local, local
	c.ref = &ref.Ref{Kind: c.Kind, Addr: c.Addr, Local: c.Local, Range: b.At}
	if c.Kind == schema.Source {
		c.ref.Agent = inst.Addr
	}
	if len(labels) == 1 {
		return c, true
	}
	c.Type = b.Labels[0]
	c.ref.Type = c.Type
	if def, ok := ns.Types.Lookup(c.Kind, c.Type); ok {
		c.Def, c.ref.Known = def, true
		return c, true
	}
	ns.UnknownType(c.Kind, c.Type, b.LabelsAt[0])
	return c, true
}

// UnknownType reports a type that no component of the kind has.
func (ns *Names) UnknownType(kind schema.Kind, typ string, at hcl.Range) {
	for _, other := range []schema.Kind{schema.Source, schema.Interceptor, schema.Channel, schema.Sink} {
		if _, ok := ns.Types.Lookup(other, typ); ok && other != kind {
			ns.Fail(at, "Unknown type", "There is no %s of type %q; %q is a type of %s.%s", kind, typ, typ, other, diag.DidYouMean(typ, ns.Types.Names(kind), "%q"))
			return
		}
	}
	names := ns.Types.Names(kind)
	hint := diag.DidYouMean(typ, names, "%q")
	if hint == "" && len(names) > 0 {
		hint = " There is: " + strings.Join(names, ", ") + "."
	}
	ns.Fail(at, "Unknown type", "There is no %s of type %q.%s", kind, typ, hint)
}

func (ns *Names) componentLabels(b *Block, want []string) bool {
	form := b.Type
	for _, w := range want {
		form += " " + diag.Quote(w)
	}
	if len(b.Labels) < len(want) {
		ns.Fail(b.At, "Missing name", "This block is written %s { … }.", form)
		return false
	}
	if len(b.Labels) > len(want) {
		ns.Fail(b.LabelsAt[len(want)], "Too many names", "This block is written %s { … }.", form)
		return false
	}
	if name := b.Labels[len(want)-1]; !ref.ValidName(name) {
		ns.Fail(b.LabelsAt[len(want)-1], "Invalid name", "%q cannot be a name: names are made of letters, digits, \"_\" and \"-\", and begin with a letter or \"_\".", name)
		return false
	}
	return true
}

// What names the component for messages.
func (c *Component) What() string {
	if c.Type == "" {
		return string(c.Kind) + " " + diag.Quote(c.Name)
	}
	return string(c.Kind) + " " + diag.Quote(c.Type)
}

// Pos is where the component stands.
func (c *Component) Pos() schema.Pos { return PosOf(c.Block.At) }

// PosOf gives the beginning of a range as specs hold it.
func PosOf(r hcl.Range) schema.Pos {
	return schema.Pos{File: r.Filename, Line: r.Start.Line, Col: r.Start.Column}
}
