package hclspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/expr"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

var routeArgs = []string{"when", "channels", "optional", "drop", "copy"}

// routes reads the route blocks, or the list of channels that stands for one.
func (w *wiring) routes(c *component, d *decoding, cont *contents, s *schema.SourceSpec) {
	var blocks []*block
	for _, b := range cont.blocks {
		if b.typ == "route" {
			blocks = append(blocks, b)
		}
	}
	short := cont.attrs["channels"]
	switch {
	case short != nil && len(blocks) > 0:
		w.l.fail(short.NameRange, "channels and route", "A source has channels or route blocks, not both. Put these channels into a last route { channels = … }.")
		d.broken = true
		return
	case short == nil && len(blocks) == 0 && misspelt(cont, "channels", "route"):
		d.broken = true // and reported
		return
	case short == nil && len(blocks) == 0:
		w.l.fail(c.b.at, "Source without a channel", "The %s sends its events nowhere. Write channels = [channel.NAME], or route blocks.", c.what())
		d.broken = true
		return
	case short != nil:
		list, ok := d.manyReferences(cont, "channels", schema.Channel)
		if !ok {
			return
		}
		if len(list) == 0 {
			w.l.fail(short.Expr.Range(), "Source without a channel", "The list of channels is empty, so these events would go nowhere.")
			d.broken = true
			return
		}
		w.addRoute(c, s, schema.RouteSpec{Channels: namesOf(list), At: posOf(short.Range())}, route{channels: list})
		return
	}
	for i, b := range blocks {
		w.route(c, d, s, b, i, i == len(blocks)-1)
	}
}

// misspelt says whether a block holds an unknown argument or block that was probably meant to be one of these.
func misspelt(c *contents, names ...string) bool {
	for name := range c.attrs {
		if !contains(names, name) && diag.Near(name, names) != "" {
			return true
		}
	}
	for _, b := range c.blocks {
		if !contains(names, b.typ) && diag.Near(b.typ, names) != "" {
			return true
		}
	}
	return false
}

func namesOf(list []use) []string {
	var out []string
	for _, u := range list {
		out = append(out, lastPart(u.ref.Local))
	}
	return out
}

// route is what a route block says besides its spec.
type route struct {
	channels, optional []use
	label              string
}

func (w *wiring) addRoute(c *component, s *schema.SourceSpec, spec schema.RouteSpec, r route) {
	s.Routes = append(s.Routes, spec)
	c.Routes = append(c.Routes, topology.Route{Channels: topologyUses(r.channels), Optional: topologyUses(r.optional)})
	for _, u := range r.channels {
		w.l.graph.Add(topology.Edge{From: c.Addr, To: u.ref.Addr, Kind: "route", Label: r.label}, u.at)
	}
	for _, u := range r.optional {
		w.l.graph.Add(topology.Edge{From: c.Addr, To: u.ref.Addr, Kind: "optional", Label: r.label}, u.at)
	}
}

func (w *wiring) route(c *component, outer *decoding, s *schema.SourceSpec, b *block, i int, last bool) {
	d := *outer
	d.sc, d.path, d.what = b.sc, fmt.Sprintf("%s.route[%d]", c.Path(), i), "route"
	d.uses, d.args, d.inner = nil, routeArgs, nil
	w.own.ranges[d.path] = b.at
	cont := w.l.open(b)
	d.block(cont)
	broken := d.broken
	d.broken = false
	spec := schema.RouteSpec{Drop: d.boolean(cont, "drop"), Copy: d.boolean(cont, "copy"), At: posOf(b.at)}
	var r route
	var ok1, ok2 bool
	sure := !d.broken && !misspelt(cont, routeArgs...)
	d.broken = d.broken || broken
	r.channels, ok1 = d.manyReferences(cont, "channels", schema.Channel)
	r.optional, ok2 = d.manyReferences(cont, "optional", schema.Channel)
	spec.Channels, spec.Optional = namesOf(r.channels), namesOf(r.optional)
	if a := cont.attrs["when"]; a != nil {
		d.mark("when", a.Range())
		spec.When, r.label = w.when(&d, a)
	}
	if ok1 && ok2 && sure {
		w.checkRoute(&d, cont, spec, last, slices.ContainsFunc(s.Routes, takesAll))
	}
	outer.uses = append(outer.uses, d.uses...)
	c.uses = append(c.uses, d.uses...)
	outer.broken, outer.unknown = d.broken, d.unknown
	w.addRoute(c, s, spec, r)
}

// when compiles the condition of a route.
func (w *wiring) when(d *decoding, a *hclsyntax.Attribute) (any, string) {
	attr := &schema.Attr{Name: "when", Type: schema.Bool, Event: true}
	if !expr.Mentions(a.Expr) {
		d.constant(attr, a.Expr)
		return nil, ""
	}
	out, ok := d.residual("when", a.Expr, expr.TypeBool, false)
	if !ok {
		return nil, ""
	}
	return out.Encode(), out.Src
}

// takesAll says that no event goes past a route.
func takesAll(r schema.RouteSpec) bool { return r.When == nil && !r.Copy }

func (w *wiring) checkRoute(d *decoding, cont *contents, r schema.RouteSpec, last, unreached bool) {
	some := len(r.Channels)+len(r.Optional) > 0
	when := cont.attrs["when"]
	switch {
	case r.Drop && (some || r.Copy):
		w.l.fail(cont.attrs["drop"].NameRange, "Route that drops", "A route with drop = true drops its events: it has neither channels nor copy.")
		d.broken = true
	case !r.Drop && !some && !d.unknown:
		w.l.fail(cont.at, "Route without a channel", "A route names the channels that take its events, or drops them with drop = true.")
		d.broken = true
	case last && when != nil && !unreached:
		w.l.fail(when.Range(), "Events without a route", "The last route must take every event, so it has no when. End with route { channels = … }, or with route { drop = true } to drop what fits no other.")
		d.broken = true
	case !last && when == nil && !r.Copy:
		w.l.fail(cont.at, "Routes that nothing reaches", "This route takes every event, so the routes after it get none. Give it a when, or copy = true to go on to the next.")
		d.broken = true
	}
}
