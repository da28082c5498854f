package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// Status shows what runs: what is in trouble first, with the last error, since when, and what it waits for.
func (w *Writer) Status(s api.Installation) {
	w.show(func() {
		w.line(statusHead(s))
		for _, u := range s.Unreachable {
			w.line(w.paint(red+";"+bold, "! "), safe(u))
		}
		if s.Supervisor == nil && slices.ContainsFunc(s.Agents, unattended) {
			w.line(w.paint(yellow, "! "), "without a supervisor, agents that end are not started again: collect apply starts one")
		}
		agents := slices.Clone(s.Agents)
		slices.SortStableFunc(agents, func(a, b api.Agent) int { return worse(b) - worse(a) })
		for _, a := range agents {
			w.line()
			w.agent(a, s.At)
		}
		if len(s.Topics) > 0 {
			w.line()
		}
		for _, t := range s.Topics {
			w.line(w.address(t.Address), topic(t))
		}
		if len(s.Agents)+len(s.Topics) == 0 && s.Broker == nil {
			w.line("Nothing runs here. collect apply starts what is declared.")
		}
	})
}

// address writes an address at the beginning of a line.
func (w *Writer) address(a string) string {
	a = safe(a)
	return w.paint(bold, a) + strings.Repeat(" ", max(2, 21-columns(a)))
}

func statusHead(s api.Installation) string {
	parts := []string{safe(s.Name)}
	if s.Revision > 0 {
		r := "revision " + resource.Number(int64(s.Revision))
		if s.Commit != "" {
			r += " (" + safe(short(s.Commit)) + ")"
		}
		parts = append(parts, r)
	}
	parts = append(parts, keeper(s))
	if s.Broker != nil {
		b := "development broker " + safe(s.Broker.Address)
		if s.Broker.State != api.Running {
			b += " (" + safe(string(s.Broker.State)) + ")"
		}
		parts = append(parts, b)
	}
	return strings.Join(parts, " · ")
}

// unattended says that only a supervisor would start an agent again: it is meant to run, and is no child of run.
func unattended(a api.Agent) bool {
	return a.RunPID == 0 && a.State != api.Stopped && a.State != api.Starting
}

// keeper says who starts agents again that end.
func keeper(s api.Installation) string {
	if s.Supervisor != nil {
		return "supervisor running"
	}
	for _, a := range s.Agents {
		if a.RunPID != 0 {
			return fmt.Sprintf("run by process %d, which starts agents again", a.RunPID)
		}
	}
	return "supervisor not running"
}

func topic(t api.Topic) string {
	if t.Error != "" {
		return safe(t.Name) + ": " + safe(t.Error)
	}
	s := safe(t.Name) + ", " + plural(t.Partitions, "partition")
	records := "records"
	if t.Records == 1 {
		records = "record"
	}
	return s + ", " + resource.Number(t.Records) + " " + records
}

// worse ranks agents by their trouble.
func worse(a api.Agent) int {
	switch a.State {
	case api.Crashed, api.Unreachable:
		return 4
	case api.Blocked:
		return 3
	}
	for _, c := range a.Components {
		if trouble(c) {
			return 2
		}
	}
	if !a.Ready {
		return 1
	}
	return 0
}

// trouble says whether a component is not as it should be.
func trouble(c api.Component) bool {
	switch c.Health {
	case "", "ok", "idle", "busy":
		return false
	case "waiting":
		return c.Why != "" || c.LastError != ""
	}
	return true
}

func (w *Writer) agent(a api.Agent, now time.Time) {
	style := green
	if worse(a) > 2 {
		style = red
	} else if worse(a) > 0 {
		style = yellow
	}
	state := string(a.State)
	if a.State != api.Stopped && a.State != api.Crashed && !a.Since.IsZero() {
		state += " " + resource.Span(now.Sub(a.Since))
	}
	line := w.address(a.Address) + w.paint(style, safe(state)) + strings.Repeat(" ", max(2, 19-columns(safe(state))))
	if a.PID != 0 {
		line += pad(fmt.Sprintf("pid %d", a.PID), 12)
	}
	if a.RSS > 0 {
		line += resource.Size(a.RSS)
	}
	w.line(strings.TrimRight(line, " "))
	if !a.Ready && a.NotReady != "" {
		w.line("  not ready: ", safe(a.NotReady))
	}
	if a.Restarts > 0 {
		s := "  started again " + plural(a.Restarts, "time")
		if a.LastExit != "" {
			s += ", the last time after: " + safe(a.LastExit)
		}
		w.line(s)
	}
	for _, c := range inTrouble(a.Components) {
		w.component(c, now)
	}
	for _, o := range a.Orphans {
		w.line("  ", w.paint(yellow, "orphan "), "  ", pad("channel."+safe(o.Channel), 22), orphan(o))
	}
}

func orphan(o api.Orphan) string {
	s := "an unknown number of events"
	if o.Events < api.UnknownEvents {
		s = resource.Events(o.Events)
		if o.Bytes > 0 {
			s += " (" + resource.Size(o.Bytes) + ")"
		}
	}
	s += " not delivered"
	if o.Why != "" {
		s += ": " + safe(o.Why)
	}
	return s
}

// inTrouble gives the components to show, those in trouble first.
func inTrouble(all []api.Component) []api.Component {
	out := slices.DeleteFunc(slices.Clone(all), func(c api.Component) bool {
		return c.Kind == schema.Interceptor && !trouble(c) && c.Dropped+c.DeadLettered+c.Errors == 0
	})
	slices.SortStableFunc(out, func(a, b api.Component) int { return rankOf(b) - rankOf(a) })
	return out
}

func rankOf(c api.Component) int {
	if trouble(c) {
		return 1
	}
	return 0
}

func (w *Writer) component(c api.Component, now time.Time) {
	name := safe(c.Type + "." + c.Name)
	if c.Kind == schema.SinkGroup {
		name = safe(c.Name + " (" + c.Type + ")")
	}
	kind := string(c.Kind)
	switch c.Kind {
	case schema.SinkGroup:
		kind = "group"
	case schema.Interceptor:
		kind, name = "step", safe(c.Name) // SOURCE.TYPE[n]
	}
	w.line("  ", pad(safe(kind), 9), pad(name, 22), strings.TrimRight(figures(c), " "))
	if trouble(c) {
		w.line("           ", w.paint(red, safe(c.Health)), healthSpan(c, now), why(c, now))
	}
}

func healthSpan(c api.Component, now time.Time) string {
	if c.HealthSince.IsZero() {
		return ""
	}
	return " for " + resource.Span(now.Sub(c.HealthSince))
}

func why(c api.Component, now time.Time) string {
	s := ""
	if c.Why != "" {
		s += ": " + safe(c.Why)
	}
	if c.LastError != "" && c.LastError != c.Why {
		s += "; last error: " + safe(c.LastError)
		if !c.LastErrorAt.IsZero() {
			s += " (" + resource.Span(now.Sub(c.LastErrorAt)) + " ago, " + plural(int(c.Errors), "error") + ")"
		}
	}
	return s
}

// figures writes what matters of a component.
func figures(c api.Component) string {
	var s string
	switch c.Kind {
	case schema.Source:
		s = pad(resource.Number(c.EventsOut)+" in", 23) + pad(resource.Rate(c.EventsPerSec), 8)
	case schema.Channel:
		s = resource.Number(c.BacklogEvents) + " waiting"
		if c.BacklogEvents > 0 && c.BacklogBytes > 0 { // behind what was delivered, a block's rest is no backlog
			s += " (" + resource.Size(c.BacklogBytes) + ")"
		}
		if c.Capacity > 0 {
			s += " of " + resource.Size(c.Capacity)
		}
		if c.BacklogEvents > 0 && c.Oldest > 0 {
			s += ", oldest " + resource.Span(time.Duration(c.Oldest*float64(time.Second)))
		}
		s += "  "
	case schema.Sink, schema.SinkGroup:
		s = pad(resource.Number(c.EventsOut)+" delivered", 23) + pad(resource.Rate(c.EventsPerSec), 8)
	default:
		s = resource.Number(c.EventsIn) + " in, " + resource.Number(c.EventsOut) + " out  "
	}
	var more []string
	for _, n := range []struct {
		n    int64
		what string
	}{{c.Retries, "retries"}, {c.Dropped, "dropped"}, {c.DeadLettered, "dead-lettered"}, {c.Duplicates, "perhaps twice"}} {
		if n.n > 0 {
			more = append(more, resource.Number(n.n)+" "+n.what)
		}
	}
	for _, f := range c.Facts {
		v := f.Value
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			v = resource.Number(n)
		}
		more = append(more, strings.TrimSpace(safe(f.Label+" "+v+" "+f.Unit)))
	}
	return s + strings.Join(more, ", ")
}
