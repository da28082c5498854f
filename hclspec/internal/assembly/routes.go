package assembly

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/expr"
	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

var routeArgs = []string{"when", "channels", "optional", "drop", "copy"}

// routes reads the route blocks, or the list of channels that stands for one.
func (w *wiring) routes(c *names.Component, d *decode.Decoding, cont *names.Contents, s *schema.SourceSpec) {
	var blocks []*names.Block
	for _, b := range cont.Blocks {
		if b.Type == "route" {
			blocks = append(blocks, b)
		}
	}
	short := cont.Attrs["channels"]
	switch {
	case short != nil && len(blocks) > 0:
		w.bl.Fail(short.NameRange, "channels and route", "A source has channels or route blocks, not both. Put these channels into a last route { channels = … }.")
		d.Broken = true
		return
	case short == nil && len(blocks) == 0 && misspelt(cont, "channels", "route"):
		d.Broken = true // and reported
		return
	case short == nil && len(blocks) == 0:
		w.bl.Fail(c.Block.At, "Source without a channel", "The %s sends its events nowhere. Write channels = [channel.NAME], or route blocks.", c.What())
		d.Broken = true
		return
	case short != nil:
		list, ok := d.ManyReferences(cont, "channels", schema.Channel)
		if !ok {
			return
		}
		if len(list) == 0 {
			w.bl.Fail(short.Expr.Range(), "Source without a channel", "The list of channels is empty, so these events would go nowhere.")
			d.Broken = true
			return
		}
		w.addRoute(c, s, schema.RouteSpec{Channels: namesOf(list), At: names.PosOf(short.Range())}, route{channels: list})
		return
	}
	for i, b := range blocks {
		w.route(c, d, s, b, i, i == len(blocks)-1)
	}
}

// misspelt says whether a block holds an unknown argument or block that was probably meant to be one of these.
func misspelt(c *names.Contents, names ...string) bool {
	for name := range c.Attrs {
		if !slices.Contains(names, name) && diag.Near(name, names) != "" {
			return true
		}
	}
	for _, b := range c.Blocks {
		if !slices.Contains(names, b.Type) && diag.Near(b.Type, names) != "" {
			return true
		}
	}
	return false
}

func namesOf(list []ref.Use) []string {
	var out []string
	for _, u := range list {
		out = append(out, lastPart(u.Ref.Local))
	}
	return out
}

// route is what a route block says besides its spec.
type route struct {
	channels, optional []ref.Use
	label              string
}

func (w *wiring) addRoute(c *names.Component, s *schema.SourceSpec, spec schema.RouteSpec, r route) {
	s.Routes = append(s.Routes, spec)
	c.Routes = append(c.Routes, topology.Route{Channels: topologyUses(r.channels), Optional: topologyUses(r.optional)})
	for _, u := range r.channels {
		w.bl.graph.Add(topology.Edge{From: c.Addr, To: u.Ref.Addr, Kind: "route", Label: r.label}, u.At)
	}
	for _, u := range r.optional {
		w.bl.graph.Add(topology.Edge{From: c.Addr, To: u.Ref.Addr, Kind: "optional", Label: r.label}, u.At)
	}
}

func (w *wiring) route(c *names.Component, outer *decode.Decoding, s *schema.SourceSpec, b *names.Block, i int, last bool) {
	d := *outer
	d.Scope, d.Path, d.What = b.Scope, fmt.Sprintf("%s.route[%d]", c.Path(), i), "route"
	d.Uses, d.Args, d.Inner = nil, routeArgs, nil
	w.own.Ranges[d.Path] = b.At
	cont := w.bl.Open(b)
	d.Block(cont)
	broken := d.Broken
	d.Broken = false
	spec := schema.RouteSpec{Drop: d.Boolean(cont, "drop"), Copy: d.Boolean(cont, "copy"), At: names.PosOf(b.At)}
	var r route
	var ok1, ok2 bool
	sure := !d.Broken && !misspelt(cont, routeArgs...)
	d.Broken = d.Broken || broken
	r.channels, ok1 = d.ManyReferences(cont, "channels", schema.Channel)
	r.optional, ok2 = d.ManyReferences(cont, "optional", schema.Channel)
	spec.Channels, spec.Optional = namesOf(r.channels), namesOf(r.optional)
	if a := cont.Attrs["when"]; a != nil {
		d.Mark("when", a.Range())
		spec.When, r.label = w.when(&d, a)
	}
	if ok1 && ok2 && sure {
		w.checkRoute(&d, cont, spec, last, slices.ContainsFunc(s.Routes, takesAll))
	}
	outer.Uses = append(outer.Uses, d.Uses...)
	c.References = append(c.References, d.Uses...)
	outer.Broken, outer.Unknown = d.Broken, d.Unknown
	w.addRoute(c, s, spec, r)
}

// when compiles the condition of a route.
func (w *wiring) when(d *decode.Decoding, a *hclsyntax.Attribute) (any, string) {
	attr := &schema.Attr{Name: "when", Type: schema.Bool, Event: true}
	if !expr.Mentions(a.Expr) {
		d.Constant(attr, a.Expr)
		return nil, ""
	}
	out, ok := d.Residual("when", a.Expr, expr.TypeBool, false)
	if !ok {
		return nil, ""
	}
	return out.Encode(), out.Src
}

// takesAll says that no event goes past a route.
func takesAll(r schema.RouteSpec) bool { return r.When == nil && !r.Copy }

func (w *wiring) checkRoute(d *decode.Decoding, cont *names.Contents, r schema.RouteSpec, last, unreached bool) {
	some := len(r.Channels)+len(r.Optional) > 0
	when := cont.Attrs["when"]
	switch {
	case r.Drop && (some || r.Copy):
		w.bl.Fail(cont.Attrs["drop"].NameRange, "Route that drops", "A route with drop = true drops its events: it has neither channels nor copy.")
		d.Broken = true
	case !r.Drop && !some && !d.Unknown:
		w.bl.Fail(cont.At, "Route without a channel", "A route names the channels that take its events, or drops them with drop = true.")
		d.Broken = true
	case last && when != nil && !unreached:
		w.bl.Fail(when.Range(), "Events without a route", "The last route must take every event, so it has no when. End with route { channels = … }, or with route { drop = true } to drop what fits no other.")
		d.Broken = true
	case !last && when == nil && !r.Copy:
		w.bl.Fail(cont.At, "Routes that nothing reaches", "This route takes every event, so the routes after it get none. Give it a when, or copy = true to go on to the next.")
		d.Broken = true
	}
}
