package hclspec

import (
	"fmt"
	"strings"

	"collect/hclspec/schema"
)

// check looks for mistakes in the wiring of one agent. Where something is not known or wrong already, what follows from it
// is not reported.
func (w *wiring) check() {
	w.collectListeners()
	w.collectFiles()
	if w.unsure {
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
	for _, c := range w.inst.components {
		if u, ok := deadLetterOf(c.uses); ok && c.kind == schema.Sink {
			if ch := c.from(); ch != nil && ch.ref == u.ref {
				w.l.fail(u.at, "Dead letters go in a circle", "%s reads %s, so it cannot put what it could not deliver back there. Leave dead_letter out here: such events then wait, and status says why.", c.ref.Local, u.ref.Local)
				w.unsure = true
			}
			continue
		}
		if w.deadLetter.ref == nil || c.kind != schema.Source && c.kind != schema.Sink {
			continue
		}
		if ch := c.from(); ch != nil && ch.ref == w.deadLetter.ref {
			continue
		}
		w.l.graph.add(Edge{From: c.ref.Addr, To: w.deadLetter.ref.Addr, Kind: "dead_letter"}, w.deadLetter.at)
	}
}

// from gives the channel that a sink or group takes events from.
func (c *component) from() *component {
	if c.group != nil {
		return c.group.channel
	}
	return c.channel
}

func (w *wiring) checkChannels() {
	written, read := map[*ref]bool{}, map[*component]bool{}
	for _, c := range w.inst.components {
		for _, r := range c.routes {
			for _, u := range append(append([]use(nil), r.channels...), r.optional...) {
				written[u.ref] = true
			}
		}
		if u, ok := deadLetterOf(c.uses); ok {
			written[u.ref] = true
		}
		if c.channel != nil {
			read[c.channel] = true
		}
	}
	if w.deadLetter.ref != nil {
		written[w.deadLetter.ref] = true
	}
	for _, c := range w.inst.components {
		if c.kind != schema.Channel {
			continue
		}
		switch {
		case !written[c.ref] && !read[c]:
			w.l.fail(c.b.at, "Unused channel", "Nothing writes to %s and nothing reads from it.", c.ref.Local)
		case !written[c.ref]:
			w.l.fail(c.b.at, "Channel without a writer", "No source of agent %q sends events to %s, so its sink never gets one. Name it in channels = [%s] or in a route.", w.inst.res.name, c.ref.Local, c.ref.Local)
		case !read[c]:
			w.l.fail(c.b.at, "Channel without a reader", "No sink of agent %q reads from %s, so it would fill and stop its sources. Write channel = %s in a sink.", w.inst.res.name, c.ref.Local, c.ref.Local)
		}
	}
}

func (w *wiring) checkSinks() {
	for _, c := range w.inst.components {
		if c.kind != schema.Sink {
			continue
		}
		switch {
		case c.channel != nil && c.group != nil:
			w.l.fail(c.reads, "Sink with two channels", "%s belongs to %s, which reads %s for it. Leave channel out of the sink.", c.ref.Local, c.group.ref.Local, c.group.channel.ref.Local)
		case c.channel == nil && c.group == nil:
			w.l.fail(c.b.at, "Sink without a channel", "%s takes events from nowhere. Write channel = channel.NAME, or name it in a sink_group.", c.ref.Local)
		}
		// Every sink that exists has many batches on their way by itself; several calls of Write would only give up order.
		if n, ok := c.settings["workers"].(float64); ok && n != 1 {
			w.l.fail(w.own.ranges[c.path()+".workers"], "One worker only", "%s cannot have %g workers: it has a window of its own and keeps many batches on their way. Leave workers out.", c.ref.Local, n)
		}
	}
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
func (c *component) capacity() (int64, bool) {
	if c.def == nil || c.def.About.CapacityAttr == "" {
		return 0, false
	}
	return given(c.cfg, c.def.Block, c.def.About.CapacityAttr)
}

func (c *component) durable() bool { return c.def == nil || c.def.About.Durable }

// rolls says whether a sink delivers only when it closes a file, and how much such a file holds (0: not known).
func (c *component) rolls() (size int64, ok bool) {
	if c.def == nil {
		return 0, false
	}
	ok = c.def.About.Rolls
	for _, name := range c.def.About.RollsWith {
		_, given := c.cfg[name]
		ok = ok || given
	}
	if _, has := c.def.Block.Nested("roll"); has {
		size, _ = given(c.cfg, c.def.Block, "roll", "size")
	}
	return size, ok
}

// readers gives the sinks behind a channel.
func (w *wiring) readers(ch *component) []*component {
	var out []*component
	for _, c := range w.inst.components {
		if c.kind == schema.Sink && c.from() == ch {
			out = append(out, c)
		}
	}
	return out
}

func (w *wiring) checkCapacities() {
	for _, c := range w.inst.components {
		switch c.kind {
		case schema.Source:
			w.checkSource(c)
		case schema.Channel:
			w.checkRolls(c)
		}
	}
}

func (w *wiring) checkSource(c *component) {
	batch, _ := given(c.settings, w.l.settingsOf(schema.Source), "batch", "max_bytes")
	seen := map[*ref]bool{}
	for _, r := range c.routes {
		for i, u := range append(append([]use(nil), r.channels...), r.optional...) {
			if seen[u.ref] {
				continue
			}
			seen[u.ref] = true
			ch := w.inst.component(schema.Channel, lastPart(u.ref.Local))
			size, ok := ch.capacity()
			if ok && batch > size/4 {
				w.l.fail(ch.b.at, "Channel too small for its batches", "%s holds %s; a batch of %s may be %s, and a channel must hold four of them. Raise %s, or lower batch { max_bytes } of the source (%s:%d).",
					ch.ref.Local, schema.FormatSize(size), c.ref.Local, schema.FormatSize(batch), ch.def.About.CapacityAttr, c.b.at.Filename, c.b.at.Start.Line)
			}
			if i < len(r.channels) && !ch.durable() {
				w.volatile(c, ch, u)
			}
		}
	}
}

// volatile looks at a source in front of a channel that a crash empties.
func (w *wiring) volatile(c, ch *component, u use) {
	if c.def == nil {
		return
	}
	if c.def.About.Replay == schema.CannotReplay {
		w.l.warn(u.at, "Events can be lost", "A source of type %q cannot read its input again, and %s is empty after a crash: what it holds then is lost. A channel of type \"disk\" keeps it.", c.typ, ch.ref.Local)
	}
	if !c.def.About.Answers {
		return
	}
	for _, s := range w.readers(ch) {
		if _, ok := s.rolls(); ok {
			w.l.fail(u.at, "Sender would wait for a file to close", "%s answers its sender when an event is safe. %s is not safe, and %s is done with an event only when its file is closed, which takes longer than senders wait. Use a channel of type \"disk\".", c.ref.Local, ch.ref.Local, s.ref.Local)
			return
		}
	}
}

func (w *wiring) checkRolls(ch *component) {
	size, ok := ch.capacity()
	if !ok {
		return
	}
	if _, set := ch.cfg[ch.def.About.CapacityAttr]; !set && !ch.durable() {
		return // it makes itself large enough
	}
	for _, s := range w.readers(ch) {
		if roll, ok := s.rolls(); ok && roll > size {
			w.l.warn(ch.b.at, "Channel smaller than a file", "%s holds %s, and %s keeps events there until a file of %s is closed: its files will close early. Raise %s.",
				ch.ref.Local, schema.FormatSize(size), s.ref.Local, schema.FormatSize(roll), ch.def.About.CapacityAttr)
		}
	}
}

// checkMemory adds up what the agent may have to hold in memory.
func (w *wiring) checkMemory() {
	limit, ok := given(w.spec.Settings, w.l.settingsOf(schema.Agent), "memory_limit")
	if !ok {
		return
	}
	var sum int64
	var parts []string
	add := func(c *component, what string, n int64) {
		sum += n
		parts = append(parts, fmt.Sprintf("\n  %s %s = %s (%s:%d)", c.ref.Local, what, schema.FormatSize(n), c.b.at.Filename, c.b.at.Start.Line))
	}
	for _, c := range w.inst.components {
		if c.kind == schema.Source {
			if n, ok := given(c.settings, w.l.settingsOf(schema.Source), "in_flight", "max_bytes"); ok {
				add(c, "in_flight.max_bytes", n)
			}
		}
		if n, ok := c.capacity(); ok && c.kind == schema.Channel && !c.durable() {
			add(c, c.def.About.CapacityAttr, n)
		}
	}
	if sum > limit {
		at := w.inst.res.block.DefRange()
		if r, ok := w.own.ranges["memory_limit"]; ok {
			at = r
		}
		w.l.fail(at, "Memory limit too small", "The parts of agent %q may hold %s, and its memory_limit is %s:%s", w.inst.res.name, schema.FormatSize(sum), schema.FormatSize(limit), strings.Join(parts, ""))
	}
}

// checkRefusals looks at what becomes of events that somebody does not want.
func (w *wiring) checkRefusals() {
	for i, c := range w.componentsOf(schema.Source) {
		spec := w.spec.Sources[i]
		if _, own := deadLetterOf(c.uses); !own && w.deadLetter.ref == nil {
			w.checkDeadLetters(c, spec)
		}
		if c.def == nil || c.def.About.Answers {
			continue
		}
		for _, r := range c.routes {
			for _, u := range r.channels {
				ch := w.inst.component(schema.Channel, lastPart(u.ref.Local))
				if full, _ := ch.cfg["when_full"].(string); full == "reject" {
					w.l.fail(u.at, "Nobody to refuse", "%s refuses events when it is full, and a source of type %q has no sender that it could tell. Use when_full = \"block\".", ch.ref.Local, c.typ)
				}
			}
		}
	}
	for _, c := range w.componentsOf(schema.Sink) {
		if u, own := deadLetterOf(c.uses); own && c.def != nil && c.def.About.Unconfirmed {
			w.l.warn(u.at, "Nothing to dead-letter", "A sink of type %q gets no answer, so it never learns that an event could not be delivered: %s will get nothing from it.", c.typ, u.ref.Local)
		}
	}
}

// checkDeadLetters finds interceptors that send events to a dead-letter channel that there is not.
func (w *wiring) checkDeadLetters(c *component, spec schema.SourceSpec) {
	for i, ic := range spec.Interceptors {
		if on, _ := ic.Config["on_error"].(string); on == "dead_letter" {
			at := w.own.ranges[fmt.Sprintf("%s.interceptor[%d].on_error", c.path(), i)]
			w.l.fail(at, "No dead-letter channel", "Neither the source nor its agent has a dead_letter channel. Write dead_letter = channel.NAME in one of them.")
		}
	}
}

// componentsOf gives the components of a kind, sorted by name as the spec has them.
func (w *wiring) componentsOf(kind schema.Kind) []*component {
	var out []*component
	for _, c := range w.inst.components {
		if c.kind == kind {
			out = append(out, c)
		}
	}
	return out
}
