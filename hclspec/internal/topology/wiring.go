package topology

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/schema"
)

// CheckAgent looks for mistakes in the wiring of one agent, and adds the edges that its default dead-letter channel makes.
func (g *Graph) CheckAgent(a *Agent) hcl.Diagnostics {
	w := &wiring{a, g}
	w.check()
	return g.said()
}

// wiring is the checks of one agent.
type wiring struct {
	*Agent
	g *Graph
}

func (w *wiring) check() {
	if !w.Phantom {
		w.collectListeners()
		w.collectFiles()
	}
	if w.Unsure {
		return
	}
	w.agentDeadLetter()
	w.checkChannels()
	w.checkSinks()
	w.checkCapacities()
	w.checkRefusals()
	w.checkMemory()
}

// agentDeadLetter adds the edges that the agent's default makes: from every component without one of its own, except
// the sinks that empty that channel.
func (w *wiring) agentDeadLetter() {
	for _, c := range w.Components {
		if u, ok := c.deadLetter(); ok && c.Kind == schema.Sink {
			if ch := c.from(); ch != nil && ch.Addr == u.Addr {
				w.g.fail(u.At, "Dead letters go in a circle", "%s reads %s, so it cannot put what it could not deliver back there. Leave dead_letter out here: such events then wait, and status says why.", c.Local, u.Local)
			}
			continue
		}
		if w.DeadLetter == nil || c.Kind != schema.Source && c.Kind != schema.Sink {
			continue
		}
		if ch := c.from(); ch != nil && ch.Addr == w.DeadLetter.Addr {
			continue
		}
		w.g.Add(Edge{From: c.Addr, To: w.DeadLetter.Addr, Kind: "dead_letter"}, w.DeadLetter.At)
	}
}

func (w *wiring) checkChannels() {
	written, read := map[string]bool{}, map[*Component]bool{}
	for _, c := range w.Components {
		for _, r := range c.Routes {
			for _, u := range append(append([]Use(nil), r.Channels...), r.Optional...) {
				written[u.Addr] = true
			}
		}
		if u, ok := c.deadLetter(); ok {
			written[u.Addr] = true
		}
		if c.Channel != nil {
			read[c.Channel] = true
		}
	}
	if w.DeadLetter != nil {
		written[w.DeadLetter.Addr] = true
	}
	loose, unread := w.looseSinks(), w.unread(read)
	for _, c := range w.Components {
		if c.Kind != schema.Channel {
			continue
		}
		switch {
		case !written[c.Addr] && !read[c]:
			w.g.fail(c.At, "Unused channel", "Nothing writes to %s and nothing reads from it.", c.Local)
		case !written[c.Addr]:
			w.g.fail(c.At, "Channel without a writer", "No source of agent %q sends events to %s, so its sink never gets one. Name it in channels = [%s] or in a route.", w.Name, c.Local, c.Local)
		case !read[c] && len(unread) > loose: // otherwise it is the sinks that are without a channel, and those are reported
			w.g.fail(c.At, "Channel without a reader", "No sink of agent %q reads from %s, so it would fill and stop its sources. Write channel = %s in a sink.", w.Name, c.Local, c.Local)
		}
	}
}

// looseSinks counts the sinks that neither name a channel nor are in a group.
func (w *wiring) looseSinks() int {
	n := 0
	for _, c := range w.Components {
		if c.Kind == schema.Sink && c.Channel == nil && c.Group == nil {
			n++
		}
	}
	return n
}

// unread gives the channels that no sink reads.
func (w *wiring) unread(read map[*Component]bool) []*Component {
	var out []*Component
	for _, c := range w.Components {
		if c.Kind == schema.Channel && !read[c] {
			out = append(out, c)
		}
	}
	return out
}

func (w *wiring) checkSinks() {
	for _, c := range w.Components {
		if c.Kind != schema.Sink {
			continue
		}
		switch {
		case c.Channel != nil && c.Group != nil:
			w.g.fail(c.ChannelAt, "Sink with two channels", "%s belongs to %s, which reads %s for it. Leave channel out of the sink.", c.Local, c.Group.Local, c.Group.Channel.Local)
		case c.Channel == nil && c.Group == nil:
			w.g.fail(c.At, "Sink without a channel", "%s takes events from nowhere. Write channel = channel.NAME, or name it in a sink_group.", c.Local)
		}
		// Every sink that exists has many batches on their way by itself; several calls of Write would only give up order.
		if n, ok := c.Settings["workers"].(float64); ok && n != 1 {
			w.g.fail(w.Ranges[c.Path()+".workers"], "One worker only", "%s cannot have %g workers: it has a window of its own and keeps many batches on their way. Leave workers out.", c.Local, n)
		}
	}
}

// readers gives the sinks behind a channel.
func (w *wiring) readers(ch *Component) []*Component {
	var out []*Component
	for _, c := range w.Components {
		if c.Kind == schema.Sink && c.from() == ch {
			out = append(out, c)
		}
	}
	return out
}

func (w *wiring) checkCapacities() {
	for _, c := range w.Components {
		switch c.Kind {
		case schema.Source:
			w.checkSource(c)
		case schema.Channel:
			w.checkRolls(c)
		}
	}
}

func (w *wiring) checkSource(c *Component) {
	batch, _ := given(c.Settings, w.g.settings(schema.Source), "batch", "max_bytes")
	seen := map[string]bool{}
	for _, r := range c.Routes {
		for i, u := range append(append([]Use(nil), r.Channels...), r.Optional...) {
			if seen[u.Addr] {
				continue
			}
			seen[u.Addr] = true
			ch := w.component(u.Addr)
			size, ok := ch.capacity()
			if ok && batch > size/4 {
				w.g.fail(ch.At, "Channel too small for its batches", "%s holds %s; a batch of %s may be %s, and a channel must hold four of them. Raise %s, or lower batch { max_bytes } of the source (%s:%d).",
					ch.Local, schema.FormatSize(size), c.Local, schema.FormatSize(batch), ch.Def.About.CapacityAttr, c.At.Filename, c.At.Start.Line)
			}
			if i < len(r.Channels) && !ch.durable() {
				w.volatile(c, ch, u)
			}
		}
	}
}

// volatile looks at a source in front of a channel that a crash empties.
func (w *wiring) volatile(c, ch *Component, u Use) {
	if c.Def == nil {
		return
	}
	if c.Def.About.Replay == schema.CannotReplay {
		w.g.warn(u.At, "Events can be lost", "A source of type %q cannot read its input again, and %s is empty after a crash: what it holds then is lost. A channel of type \"disk\" keeps it.", c.Type, ch.Local)
	}
	if !c.Def.About.Answers {
		return
	}
	for _, s := range w.readers(ch) {
		if _, ok := s.rolls(); ok {
			w.g.fail(u.At, "Sender would wait for a file to close", "%s answers its sender when an event is safe. %s is not safe, and %s is done with an event only when its file is closed, which takes longer than senders wait. Use a channel of type \"disk\".", c.Local, ch.Local, s.Local)
			return
		}
	}
}

func (w *wiring) checkRolls(ch *Component) {
	size, ok := ch.capacity()
	if !ok {
		return
	}
	if _, set := ch.Config[ch.Def.About.CapacityAttr]; !set && !ch.durable() {
		return // it makes itself large enough
	}
	for _, s := range w.readers(ch) {
		if roll, ok := s.rolls(); ok && roll > size {
			w.g.warn(ch.At, "Channel smaller than a file", "%s holds %s, and %s keeps events there until a file of %s is closed: its files will close early. Raise %s.",
				ch.Local, schema.FormatSize(size), s.Local, schema.FormatSize(roll), ch.Def.About.CapacityAttr)
		}
	}
}

// checkMemory adds up what the agent may have to hold in memory.
func (w *wiring) checkMemory() {
	limit, ok := given(w.Spec.Settings, w.g.settings(schema.Agent), "memory_limit")
	if !ok {
		return
	}
	var sum int64
	var parts []string
	add := func(c *Component, what string, n int64) {
		sum += n
		parts = append(parts, fmt.Sprintf("\n  %s %s = %s (%s:%d)", c.Local, what, schema.FormatSize(n), c.At.Filename, c.At.Start.Line))
	}
	for _, c := range w.Components {
		if c.Kind == schema.Source {
			if n, ok := given(c.Settings, w.g.settings(schema.Source), "in_flight", "max_bytes"); ok {
				add(c, "in_flight.max_bytes", n)
			}
		}
		if n, ok := c.capacity(); ok && c.Kind == schema.Channel && !c.durable() {
			add(c, c.Def.About.CapacityAttr, n)
		}
	}
	if sum > limit {
		at := w.At
		if r, ok := w.Ranges["memory_limit"]; ok {
			at = r
		}
		w.g.fail(at, "Memory limit too small", "The parts of agent %q may hold %s, and its memory_limit is %s:%s", w.Name, schema.FormatSize(sum), schema.FormatSize(limit), strings.Join(parts, ""))
	}
}

// checkRefusals looks at what becomes of events that somebody does not want.
func (w *wiring) checkRefusals() {
	for i, c := range w.componentsOf(schema.Source) {
		spec := w.Spec.Sources[i]
		if _, own := c.deadLetter(); !own && w.DeadLetter == nil {
			w.checkDeadLetters(c, spec)
		}
		if c.Def == nil || c.Def.About.Answers {
			continue
		}
		for _, r := range c.Routes {
			for _, u := range r.Channels {
				ch := w.component(u.Addr)
				if full, _ := ch.Config["when_full"].(string); full == "reject" {
					w.g.fail(u.At, "Nobody to refuse", "%s refuses events when it is full, and a source of type %q has no sender that it could tell. Use when_full = \"block\".", ch.Local, c.Type)
				}
			}
		}
	}
	for _, c := range w.componentsOf(schema.Sink) {
		if u, own := c.deadLetter(); own && c.Def != nil && c.Def.About.Unconfirmed {
			w.g.warn(u.At, "Nothing to dead-letter", "A sink of type %q gets no answer, so it never learns that an event could not be delivered: %s will get nothing from it.", c.Type, u.Local)
		}
	}
}

// checkDeadLetters finds interceptors that send events to a dead-letter channel that there is not.
func (w *wiring) checkDeadLetters(c *Component, spec schema.SourceSpec) {
	for i, ic := range spec.Interceptors {
		if on, _ := ic.Config["on_error"].(string); on == "dead_letter" {
			at := w.Ranges[fmt.Sprintf("%s.interceptor[%d].on_error", c.Path(), i)]
			w.g.fail(at, "No dead-letter channel", "Neither the source nor its agent has a dead_letter channel. Write dead_letter = channel.NAME in one of them.")
		}
	}
}
