package agents

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// component finds the live figures of a part; nil when there are none.
func (d *differ) component(p anatomy.Part) *api.Component {
	if d.figures == nil {
		d.figures = make(map[string]*api.Component, len(d.live.Components))
		for i := range d.live.Components {
			c := &d.live.Components[i]
			d.figures[string(c.Kind)+" "+c.Name] = c
		}
	}
	return d.figures[string(p.Kind)+" "+p.Name]
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
func (d *differ) swap(p anatomy.Part, e schema.Effect) string {
	c := d.component(p)
	if d.restart && (p.Kind != schema.Channel || e != schema.Rename && d.durable(p)) {
		return "" // the whole agent drains and starts again, and its own line says so
	}
	switch p.Kind {
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

func (d *differ) swapChannel(p anatomy.Part, c *api.Component, e schema.Effect) string {
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

func (d *differ) durable(p anatomy.Part) bool {
	return d.kind.parts.About(schema.Channel, p.Type).Durable
}

// emptiers names what empties a channel.
func (d *differ) emptiers(p anatomy.Part) string {
	var names []string
	for _, r := range anatomy.Readers(d.was, p.Name) {
		if r.Kind == schema.SinkGroup {
			names = append(names, d.kind.parts.Tail(d.was, r))
		} else {
			names = append(names, r.Label())
		}
	}
	return strings.Join(names, " and ")
}

// drainTime estimates how long a channel takes to be emptied.
func (d *differ) drainTime(p anatomy.Part) string {
	c := d.component(p)
	if c == nil {
		return ""
	}
	r := 0.0
	for _, s := range anatomy.Readers(d.was, p.Name) {
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
	all := anatomy.Readers(d.was, channel)
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
	for _, p := range d.was.Parts {
		if p.Kind == schema.Source && anatomy.Writes(p, channel) && d.kind.parts.About(schema.Source, p.Type).Replay == schema.CannotReplay {
			return false
		}
	}
	return true
}

// stuckLoss notes what is lost when a channel that outlives nothing is emptied while its destination takes nothing: what no source
// would send again.
func (d *differ) stuckLoss(p anatomy.Part) {
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 || d.durable(p) || d.replayable(p.Name) || !d.stuck(p.Name) {
		return
	}
	d.lose(p.Name, c.BacklogEvents, c.BacklogBytes, d.arriving())
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
	for _, p := range d.was.Parts {
		if p.Kind == schema.Channel {
			d.stuckLoss(p)
		}
	}
}

func (d *differ) added(p anatomy.Part) {
	if !covered(d.is, d.was, p) {
		d.sum("add", p.Label())
		note := strings.TrimSpace(d.kind.parts.Tail(d.is, p) + d.inherits(p))
		if p.Kind == schema.Source && note == "" {
			note = d.kind.anew(p, d.address, d.gone())
		}
		d.add(resource.Item{Path: p.Path, Action: resource.Create, Effect: schema.Swap, Note: note})
	}
	if p.Kind == schema.Source || p.Kind == schema.Sink {
		d.kind.parts.Interesting(p, d.add)
	}
}

// covered says that a sink or group belongs to a channel that comes, or goes, with it: the line of the channel shows it.
func covered(in, other anatomy.Anatomy, p anatomy.Part) bool {
	if p.Kind != schema.Sink && p.Kind != schema.SinkGroup {
		return false
	}
	if r, ok := p.Args["channel"].(map[string]any); ok {
		_, there := other.Find(anatomy.Text(r))
		return !there
	}
	g, ok := in.Group[p.Path]
	return ok && covered(in, other, in.Parts[g])
}

// retyped is a component under its old name with another type: another component.
func (d *differ) retyped(old, now anatomy.Part) {
	d.sum("replace", now.Label())
	note := "replaced: " + old.Label() + " goes, " + now.Label() + " comes"
	switch now.Kind {
	case schema.Channel:
		note += "; " + d.drains(old)
	case schema.Source:
		if d.kind.Layout.PositionsOf(d.live.ID, now.Name, now.Type) {
			note += ", which goes on at the positions that an earlier source of this type left"
		} else {
			note += ", which begins anew: positions of one type mean nothing to another"
		}
	}
	d.add(resource.Item{Path: now.Path + ".type", Action: resource.Update, Before: old.Type, After: now.Type, Effect: schema.Rename, Note: note})
}

func (d *differ) removed(p anatomy.Part) {
	if covered(d.was, d.is, p) {
		return
	}
	d.sum("remove", p.Label())
	it := resource.Item{Path: p.Path, Action: resource.Delete, Effect: schema.Swap}
	switch p.Kind {
	case schema.Channel:
		d.dropped = append(d.dropped, p.Name)
		it.Note = d.drains(p)
	case schema.Source:
		it.Note = "stops reading; what it has read is delivered, and its positions are kept as long as the agent is"
	default:
		it.Note = "stops when what it has taken is delivered" + d.leaves(p)
	}
	d.add(it)
}

// leaves tells what waits for a sink alone that goes from a channel which others read on: nobody else delivers it to where it was to go.
func (d *differ) leaves(p anatomy.Part) string {
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 || !slices.ContainsFunc(d.was.Parts, func(ch anatomy.Part) bool { return d.readOn(ch, p) }) {
		return ""
	}
	s := "; " + resource.Number(c.BacklogEvents) + " events wait for it alone"
	if c.Health == "ok" {
		return s + ", which it delivers first"
	}
	d.loss = append(d.loss, resource.Loss{Address: d.address + "." + p.Path, Events: c.BacklogEvents, What: "events waiting"})
	return s + ": what it does not take within drain never reaches it"
}

// readOn says whether p reads a channel that stays, with no reader that did not read it before: one would begin with what p leaves.
func (d *differ) readOn(ch, p anatomy.Part) bool {
	if ch.Kind != schema.Channel {
		return false
	}
	was, is := anatomy.Readers(d.was, ch.Name), anatomy.Readers(d.is, ch.Name)
	has := func(list []anatomy.Part, r anatomy.Part) bool {
		return slices.ContainsFunc(list, func(o anatomy.Part) bool { return o.Kind == r.Kind && o.Name == r.Name })
	}
	return has(was, p) && len(is) > 0 && !slices.ContainsFunc(is, func(r anatomy.Part) bool { return !has(was, r) })
}

// takes names the sinks and groups that leave with their channel: they have no line of their own.
func (d *differ) takes(p anatomy.Part) string {
	var names []string
	for _, r := range anatomy.Readers(d.was, p.Name) {
		if _, stays := d.is.Find(r.Path); !stays {
			names = append(names, r.Label())
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
func (d *differ) drains(p anatomy.Part) string {
	d.stuckLoss(p)
	c := d.component(p)
	if c == nil || c.BacklogEvents == 0 {
		return "it is empty" + d.takes(p)
	}
	if slices.Contains(d.confirmed, channelAddress(d.address, p.Name)) {
		d.lose(p.Name, c.BacklogEvents, c.BacklogBytes, d.arriving())
		return figures(c.BacklogEvents, c.BacklogBytes) + " waiting are given up" + d.takes(p)
	}
	if d.durable(p) && !isRunning(d.live.State) {
		return figures(c.BacklogEvents, c.BacklogBytes) + " waiting stay on disk as an orphan: the agent does not run" + d.takes(p)
	}
	s := figures(c.BacklogEvents, c.BacklogBytes) + " waiting; drains through " + d.emptiers(p) + " first" + comma(d.drainTime(p))
	switch {
	case !d.durable(p):
	case d.stuck(p.Name):
		s += "; nothing takes them at present: what is not delivered in time stays on disk as an orphan"
	default:
		s += "; then its directory is removed"
	}
	return s + d.takes(p)
}
