package agents

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// component finds the live figures of a part; nil when there are none.
func (d *differ) component(p part) *api.Component {
	if d.figures == nil {
		d.figures = make(map[string]*api.Component, len(d.live.Components))
		for i := range d.live.Components {
			c := &d.live.Components[i]
			d.figures[string(c.Kind)+" "+c.Name] = c
		}
	}
	return d.figures[string(p.kind)+" "+p.name]
}

// rate is how many events an agent takes in per second.
func rate(a api.Agent) float64 {
	r := 0.0
	for _, c := range a.Components {
		if c.Kind == schema.Source {
			r += c.EventsPerSec
		}
	}
	return r
}

// runningNote says how the agent runs, and whether it goes on.
func runningNote(a api.Agent, restart bool) string {
	if !isRunning(a.State) {
		return string(a.State) + "; starts with the new configuration"
	}
	s := fmt.Sprintf("%s %s, %s events", a.State, resource.Span(time.Since(a.Since)), resource.Rate(rate(a)))
	s = strings.Replace(s, "/s events", " events/s", 1)
	if restart {
		return s + "; drained and started again, data and positions kept"
	}
	return s + "; stays up, same process"
}

func figures(n, bytes int64) string {
	if n >= api.UnknownEvents {
		return events(n)
	}
	return fmt.Sprintf("%s (%s)", events(n), resource.Size(bytes))
}

func events(n int64) string {
	if n >= api.UnknownEvents {
		return "an unknown number of events"
	}
	return resource.Events(n)
}

// about estimates how long events take at a rate; "" when that cannot be said.
func about(events int64, perSecond float64) string {
	if perSecond <= 0 {
		return ""
	}
	d := time.Duration(float64(events) / perSecond * float64(time.Second))
	return "about " + resource.Span(max(d, 100*time.Millisecond))
}

// swap tells what happens when a component is made anew inside the running agent, to it and to the data in flight.
func (d *differ) swap(p part, e schema.Effect) string {
	c := d.component(p)
	if d.restart && (p.kind != schema.Channel || e != schema.Rename && d.durable(p)) {
		return "" // the whole agent drains and starts again, and its own line says so
	}
	switch p.kind {
	case schema.Source:
		if c != nil && c.InFlight > 0 {
			return fmt.Sprintf("swap: %s in flight are acknowledged first; goes on where it stopped", figures(c.InFlight, c.InFlightBytes))
		}
		return "swap: goes on where it stopped"
	case schema.Channel:
		return d.swapChannel(p, c, e)
	}
	if c != nil && c.InFlight > 0 {
		s := fmt.Sprintf("swap: %s in flight are flushed first", figures(c.InFlight, c.InFlightBytes))
		if t := about(c.InFlight, c.EventsPerSec); t != "" {
			s += ", " + t
		}
		return s
	}
	return "swap: made anew, nothing is in flight"
}

func (d *differ) swapChannel(p part, c *api.Component, e schema.Effect) string {
	if e != schema.Rename && d.durable(p) {
		return "swap: closed and opened again, its events stay"
	}
	d.stuckLoss(p)
	if c != nil && c.BacklogEvents > 0 {
		return "swap: " + figures(c.BacklogEvents, c.BacklogBytes) + " waiting are delivered first" + comma(d.drainTime(p))
	}
	return "swap: made anew, it is empty"
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

func (d *differ) durable(p part) bool { return d.kind.about(schema.Channel, p.typ).Durable }

// readers are the sinks and groups that the running agent empties a channel with.
func readers(a anatomy, channel string) []part {
	var out []part
	for _, i := range a.reads["channel."+channel] {
		out = append(out, a.parts[i])
	}
	return out
}

// emptiers names what empties a channel.
func (d *differ) emptiers(p part) string {
	var names []string
	for _, r := range readers(d.was, p.name) {
		if r.kind == schema.SinkGroup {
			names = append(names, d.kind.tail(d.was, r))
		} else {
			names = append(names, r.label())
		}
	}
	return strings.Join(names, " and ")
}

// drainTime estimates how long a channel takes to be emptied.
func (d *differ) drainTime(p part) string {
	c := d.component(p)
	if c == nil {
		return ""
	}
	r := 0.0
	for _, s := range readers(d.was, p.name) {
		if m := d.component(s); m != nil {
			r = max(r, m.EventsPerSec)
		}
	}
	return about(c.BacklogEvents, r)
}

// connectTime is how long a sink that is connecting is thought to succeed.
const connectTime = 3 * time.Second

// stuck says whether nobody empties a channel at present, and why.
func (d *differ) stuck(channel string) bool {
	if !isRunning(d.live.State) {
		return false
	}
	all := readers(d.was, channel)
	for _, s := range all {
		m := d.component(s)
		connects := m != nil && m.Why == "connecting" && time.Since(m.HealthSince) < connectTime
		if m == nil || connects || m.Health == "ok" || m.Health == "idle" {
			return false
		}
	}
	return len(all) > 0
}

// replayable says whether everything in a channel would come again from its sources.
func (d *differ) replayable(channel string) bool {
	for _, p := range d.was.parts {
		if p.kind == schema.Source && writes(p, channel) && d.kind.about(schema.Source, p.typ).Replay == schema.CannotReplay {
			return false
		}
	}
	return true
}

func writes(source part, channel string) bool {
	for _, r := range source.list {
		for _, arg := range []string{"channels", "optional"} {
			list, _ := r.args[arg].([]any)
			if slices.ContainsFunc(list, func(v any) bool { m, ok := v.(map[string]any); return ok && m["ref"] == "channel."+channel }) {
				return true
			}
		}
	}
	return false
}

// stuckLoss notes what is lost when a channel that outlives nothing is emptied while its destination takes nothing: what no source
// would send again.
func (d *differ) stuckLoss(p part) {
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 || d.durable(p) || d.replayable(p.name) || !d.stuck(p.name) {
		return
	}
	d.lose(p.name, c.BacklogEvents, c.BacklogBytes, d.arriving())
}

// stopWithin is how long people and apply may take from a plan until the sources have stopped.
const stopWithin = time.Minute

// arriving gives how many events may still come until the sources of a running agent have stopped. They would make the figure of a plan too
// small as soon as it is shown.
func (d *differ) arriving() int64 {
	if !isRunning(d.live.State) || d.live.CannotRun {
		return 0
	}
	rate := 0.0
	for _, c := range d.live.Components {
		if c.Kind == schema.Source {
			rate += c.EventsPerSec
		}
	}
	return int64(math.Ceil(rate * stopWithin.Seconds()))
}

func (d *differ) lose(channel string, events, bytes, more int64) {
	address := channelAddress(d.address, channel)
	if slices.ContainsFunc(d.loss, func(l resource.Loss) bool { return l.Address == address }) {
		return
	}
	d.loss = append(d.loss, resource.Loss{Address: address, Events: events, Bytes: bytes, What: "events waiting", More: more})
}

// restartLoss notes what a new process would lose.
func (d *differ) restartLoss() {
	for _, p := range d.was.parts {
		if p.kind == schema.Channel {
			d.stuckLoss(p)
		}
	}
}

func (d *differ) added(p part) {
	if !covered(d.is, d.was, p) {
		d.sum("add", p.label())
		note := strings.TrimSpace(d.kind.tail(d.is, p) + d.inherits(p))
		if p.kind == schema.Source && note == "" {
			note = d.kind.anew(p, d.address, d.gone())
		}
		d.add(resource.Item{Path: p.path, Action: resource.Create, Effect: schema.Swap, Note: note})
	}
	if p.kind == schema.Source || p.kind == schema.Sink {
		d.kind.interesting(p, d.add)
	}
}

// covered says that a sink or group belongs to a channel that comes, or goes, with it: the line of the channel shows it.
func covered(in, other anatomy, p part) bool {
	if p.kind != schema.Sink && p.kind != schema.SinkGroup {
		return false
	}
	if r, ok := p.args["channel"].(map[string]any); ok {
		_, there := other.find(text(r))
		return !there
	}
	g, ok := in.group[p.path]
	return ok && covered(in, other, in.parts[g])
}

// retyped is a component under its old name with another type: another component.
func (d *differ) retyped(old, now part) {
	d.sum("replace", now.label())
	note := "replaced: " + old.label() + " goes, " + now.label() + " comes"
	switch now.kind {
	case schema.Channel:
		note += "; " + d.drains(old)
	case schema.Source:
		if d.kind.Layout.PositionsOf(d.live.ID, now.name, now.typ) {
			note += ", which goes on at the positions that an earlier source of this type left"
		} else {
			note += ", which begins anew: positions of one type mean nothing to another"
		}
	}
	d.add(resource.Item{Path: now.path + ".type", Action: resource.Update, Before: old.typ, After: now.typ, Effect: schema.Rename, Note: note})
}

func (d *differ) removed(p part) {
	if covered(d.was, d.is, p) {
		return
	}
	d.sum("remove", p.label())
	it := resource.Item{Path: p.path, Action: resource.Delete, Effect: schema.Swap}
	switch p.kind {
	case schema.Channel:
		d.dropped = append(d.dropped, p.name)
		it.Note = d.drains(p)
	case schema.Source:
		it.Note = "stops reading; what it has read is delivered, and its positions are kept as long as the agent is"
	default:
		it.Note = "stops when what it has taken is delivered" + d.leaves(p)
	}
	d.add(it)
}

// leaves tells what waits for a sink alone that goes from a channel which others read on: nobody else delivers it to where it was to go.
func (d *differ) leaves(p part) string {
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 || !slices.ContainsFunc(d.was.parts, func(ch part) bool { return d.readOn(ch, p) }) {
		return ""
	}
	s := "; " + resource.Number(c.BacklogEvents) + " events wait for it alone"
	if c.Health == "ok" {
		return s + ", which it delivers first"
	}
	d.loss = append(d.loss, resource.Loss{Address: d.address + "." + p.path, Events: c.BacklogEvents, What: "events waiting"})
	return s + ": what it does not take within drain never reaches it"
}

// readOn says whether p reads a channel that stays, with no reader that did not read it before: one would begin with what p leaves.
func (d *differ) readOn(ch, p part) bool {
	if ch.kind != schema.Channel {
		return false
	}
	was, is := readers(d.was, ch.name), readers(d.is, ch.name)
	has := func(list []part, r part) bool {
		return slices.ContainsFunc(list, func(o part) bool { return o.kind == r.kind && o.name == r.name })
	}
	return has(was, p) && len(is) > 0 && !slices.ContainsFunc(is, func(r part) bool { return !has(was, r) })
}

// takes names the sinks and groups that leave with their channel: they have no line of their own.
func (d *differ) takes(p part) string {
	var names []string
	for _, r := range readers(d.was, p.name) {
		if _, stays := d.is.find(r.path); !stays {
			names = append(names, r.label())
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "; " + names[0] + " goes with it"
	}
	return "; " + strings.Join(names, ", ") + " go with it"
}

// drains tells how a channel that leaves is emptied.
func (d *differ) drains(p part) string {
	d.stuckLoss(p)
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 {
		return "it is empty" + d.takes(p)
	}
	if slices.Contains(d.confirmed, channelAddress(d.address, p.name)) {
		d.lose(p.name, c.BacklogEvents, c.BacklogBytes, d.arriving())
		return figures(c.BacklogEvents, c.BacklogBytes) + " waiting are given up" + d.takes(p)
	}
	if d.durable(p) && !isRunning(d.live.State) {
		return figures(c.BacklogEvents, c.BacklogBytes) + " waiting stay on disk as an orphan: the agent does not run" + d.takes(p)
	}
	s := figures(c.BacklogEvents, c.BacklogBytes) + " waiting; drains through " + d.emptiers(p) + " first" + comma(d.drainTime(p))
	switch {
	case !d.durable(p):
	case d.stuck(p.name):
		s += "; nothing takes them at present: what is not delivered in time stays on disk as an orphan"
	default:
		s += "; then its directory is removed"
	}
	return s + d.takes(p)
}
