package agents

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/resource"
)

const arrow = " ──▶ "

// picture draws the way of the events through an agent, one line for each source and each further channel.
func (k *agentKind) picture(a anatomy) []string {
	var lines []string
	inline := map[string]bool{}
	for _, p := range a.parts {
		if p.kind != schema.Source {
			continue
		}
		head := p.label()
		var through []string
		var routes []part
		for _, q := range p.list {
			if q.kind == schema.Interceptor {
				through = append(through, q.typ)
			} else {
				routes = append(routes, q)
			}
		}
		if len(through) > 0 {
			head += arrow + strings.Join(through, " ▸ ")
		}
		if ch, ok := onlyChannel(routes); ok && !inline[ch] {
			if c, ok := a.find("channel." + ch); ok {
				inline[ch] = true
				lines = append(lines, head+arrow+c.label()+k.tail(a, c))
				continue
			}
		}
		lines = append(lines, routed(a, head, routes)...)
	}
	for _, p := range a.parts {
		if p.kind == schema.Channel && !inline[p.name] {
			lines = append(lines, p.label()+k.tail(a, p))
		}
	}
	return lines
}

// onlyChannel gives the channel that takes everything, when there is only one way.
func onlyChannel(routes []part) (string, bool) {
	if len(routes) != 1 || routes[0].args["when"] != nil || routes[0].args["optional"] != nil || routes[0].args["drop"] == true {
		return "", false
	}
	list, _ := routes[0].args["channels"].([]any)
	if len(list) != 1 {
		return "", false
	}
	return strings.TrimPrefix(text(list[0]), "channel."), true
}

func routed(a anatomy, head string, routes []part) []string {
	if len(routes) == 1 && routes[0].args["when"] == nil {
		return []string{head + targets(a, routes[0])}
	}
	lines := []string{head}
	for _, r := range routes {
		cond := "otherwise"
		if w, ok := r.args["when"]; ok {
			cond = "when " + text(w)
		} else if len(routes) == 1 {
			cond = "always"
		}
		lines = append(lines, "  "+cond+targets(a, r))
	}
	return lines
}

// targets writes where a route leads.
func targets(a anatomy, r part) string {
	if r.args["drop"] == true {
		return arrow + "dropped"
	}
	s := arrow + named(a, r.args["channels"])
	if o, ok := r.args["optional"]; ok {
		s += " (" + named(a, o) + " when it has room)"
	}
	if r.args["copy"] == true {
		s += ", then on"
	}
	return s
}

// named writes references with the types of what they point at.
func named(a anatomy, refs any) string {
	l, _ := refs.([]any)
	out := make([]string, len(l))
	for i, v := range l {
		if out[i] = text(v); a.labels[out[i]] != "" {
			out[i] = a.labels[out[i]]
		}
	}
	return strings.Join(out, ", ")
}

// tail draws what follows a component: a channel's size and its sinks, a sink's destination.
func (k *agentKind) tail(a anatomy, p part) string {
	switch p.kind {
	case schema.Channel:
		s := k.size(p)
		for i, r := range readers(a, p.name) {
			if i == 0 {
				s += arrow
			} else {
				s += " | "
			}
			if r.kind == schema.SinkGroup {
				s += k.tail(a, r)
			} else {
				s += r.label() + k.tail(a, r)
			}
		}
		return s
	case schema.SinkGroup:
		list, _ := p.args["sinks"].([]any)
		var names []string
		for _, v := range list {
			if m, ok := a.find(text(v)); ok {
				names = append(names, m.label())
			}
		}
		return strings.Join(names, " | ") + " (" + text(p.args["strategy"]) + ")"
	case schema.Sink:
		for _, arg := range []string{"topic", "to"} {
			if m, ok := p.args[arg].(map[string]any); ok && m["ref"] != nil {
				return arrow + text(m)
			}
		}
	}
	return ""
}

// size writes a channel's capacity.
func (k *agentKind) size(p part) string {
	arg := k.about(schema.Channel, p.typ).CapacityAttr
	if arg == "" {
		return ""
	}
	v, ok := p.args[arg]
	for _, b := range p.blocks {
		if d, found := b.Attr(arg); found && !ok {
			v, ok = d.Default, true
		}
	}
	s, _ := v.(string)
	n, err := schema.ParseSize(s)
	if !ok || err != nil {
		return ""
	}
	return " (" + resource.Size(n) + ")"
}

// interesting adds the arguments that tell what a component is about: what it must be given, and when files end.
func (k *agentKind) interesting(p part, add func(resource.Item)) {
	t, ok := k.Types.Lookup(p.kind, p.typ)
	if !ok || t.Block == nil {
		return
	}
	for _, a := range t.Block.Attrs {
		v, given := p.args[a.Name]
		if !given || !a.Required && !a.Path || isRef(v) {
			continue
		}
		it := resource.Item{Path: p.path + "." + a.Name, After: v}
		if isSecret(v) {
			it.Sensitive, it.After = true, nil
		}
		add(it)
	}
	var roll []string
	for arg, v := range p.args {
		if name, ok := strings.CutPrefix(arg, "roll."); ok {
			roll = append(roll, name+" "+readable(v))
		}
	}
	if len(roll) > 0 {
		slices.Sort(roll)
		add(resource.Item{Path: p.path + ".roll", Note: strings.Join(roll, ", ")})
	}
}

func isRef(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m["ref"] != nil
}

// readable writes a size or a duration as people do.
func readable(v any) string {
	s, ok := v.(string)
	if !ok {
		return text(v)
	}
	if strings.HasSuffix(s, "B") {
		if n, err := schema.ParseSize(s); err == nil {
			return resource.Size(n)
		}
	}
	if d, err := schema.ParseDuration(s); err == nil {
		return resource.Span(d)
	}
	return s
}

// text writes a value in one line: references by address, expressions by source, strings bare.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []any:
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = text(e)
		}
		return strings.Join(out, ", ")
	case map[string]any:
		for _, key := range []string{"ref", "expr"} {
			if s, ok := x[key].(string); ok {
				return s
			}
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
