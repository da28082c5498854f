package anatomy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/resource"
)

const arrow = " ──▶ "

// Picture draws the way of the events through an agent, one line for each source and each further channel.
func (k *Catalog) Picture(a Anatomy) []string {
	var lines []string
	inline := map[string]bool{}
	for _, p := range a.Parts {
		if p.Kind != schema.Source {
			continue
		}
		head := p.Label()
		var through []string
		var routes []Part
		for _, q := range p.List {
			if q.Kind == schema.Interceptor {
				through = append(through, q.Type)
			} else {
				routes = append(routes, q)
			}
		}
		if len(through) > 0 {
			head += arrow + strings.Join(through, " ▸ ")
		}
		if ch, ok := onlyChannel(routes); ok && !inline[ch] {
			if c, ok := a.Find("channel." + ch); ok {
				inline[ch] = true
				lines = append(lines, head+arrow+c.Label()+k.Tail(a, c))
				continue
			}
		}
		lines = append(lines, routed(a, head, routes)...)
	}
	for _, p := range a.Parts {
		if p.Kind == schema.Channel && !inline[p.Name] {
			lines = append(lines, p.Label()+k.Tail(a, p))
		}
	}
	return lines
}

// onlyChannel gives the channel that takes everything, when there is only one way.
func onlyChannel(routes []Part) (string, bool) {
	if len(routes) != 1 || routes[0].Args["when"] != nil || routes[0].Args["optional"] != nil || routes[0].Args["drop"] == true {
		return "", false
	}
	list, _ := routes[0].Args["channels"].([]any)
	if len(list) != 1 {
		return "", false
	}
	return strings.TrimPrefix(Text(list[0]), "channel."), true
}

func routed(a Anatomy, head string, routes []Part) []string {
	if len(routes) == 1 && routes[0].Args["when"] == nil {
		return []string{head + targets(a, routes[0])}
	}
	lines := []string{head}
	for _, r := range routes {
		cond := "otherwise"
		if w, ok := r.Args["when"]; ok {
			cond = "when " + Text(w)
		} else if len(routes) == 1 {
			cond = "always"
		}
		lines = append(lines, "  "+cond+targets(a, r))
	}
	return lines
}

// targets writes where a route leads.
func targets(a Anatomy, r Part) string {
	if r.Args["drop"] == true {
		return arrow + "dropped"
	}
	s := arrow + named(a, r.Args["channels"])
	if o, ok := r.Args["optional"]; ok {
		s += " (" + named(a, o) + " when it has room)"
	}
	if r.Args["copy"] == true {
		s += ", then on"
	}
	return s
}

// named writes references with the types of what they point at.
func named(a Anatomy, refs any) string {
	l, _ := refs.([]any)
	out := make([]string, len(l))
	for i, v := range l {
		if out[i] = Text(v); a.Labels[out[i]] != "" {
			out[i] = a.Labels[out[i]]
		}
	}
	return strings.Join(out, ", ")
}

// Tail draws what follows a component: a channel's size and its sinks, a sink's destination.
func (k *Catalog) Tail(a Anatomy, p Part) string {
	switch p.Kind {
	case schema.Channel:
		s := k.size(p)
		for i, r := range Readers(a, p.Name) {
			if i == 0 {
				s += arrow
			} else {
				s += " | "
			}
			if r.Kind == schema.SinkGroup {
				s += k.Tail(a, r)
			} else {
				s += r.Label() + k.Tail(a, r)
			}
		}
		return s
	case schema.SinkGroup:
		list, _ := p.Args["sinks"].([]any)
		var names []string
		for _, v := range list {
			if m, ok := a.Find(Text(v)); ok {
				names = append(names, m.Label())
			}
		}
		return strings.Join(names, " | ") + " (" + Text(p.Args["strategy"]) + ")"
	case schema.Sink:
		for _, arg := range []string{"topic", "to"} {
			if m, ok := p.Args[arg].(map[string]any); ok && m["ref"] != nil {
				return arrow + Text(m)
			}
		}
	}
	return ""
}

// size writes a channel's capacity.
func (k *Catalog) size(p Part) string {
	arg := k.About(schema.Channel, p.Type).CapacityAttr
	if arg == "" {
		return ""
	}
	v, ok := p.Args[arg]
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

// Interesting adds the arguments that tell what a component is about: what it must be given, and when files end.
func (k *Catalog) Interesting(p Part, add func(resource.Item)) {
	t, ok := k.types.Lookup(p.Kind, p.Type)
	if !ok || t.Block == nil {
		return
	}
	for _, a := range t.Block.Attrs {
		v, given := p.Args[a.Name]
		if !given || !a.Required && !a.Path || isRef(v) {
			continue
		}
		it := resource.Item{Path: p.Path + "." + a.Name, After: v}
		if IsSecret(v) {
			it.Sensitive, it.After = true, nil
		}
		add(it)
	}
	var roll []string
	for arg, v := range p.Args {
		if name, ok := strings.CutPrefix(arg, "roll."); ok {
			roll = append(roll, name+" "+readable(v))
		}
	}
	if len(roll) > 0 {
		slices.Sort(roll)
		add(resource.Item{Path: p.Path + ".roll", Note: strings.Join(roll, ", ")})
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
		return Text(v)
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

// Text writes a value in one line: references by address, expressions by source, strings bare.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []any:
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = Text(e)
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

// IsSecret says whether a secret is in a value.
func IsSecret(v any) bool {
	switch x := v.(type) {
	case map[string]any:
		if _, ok := x["secret"].(string); ok {
			return true
		}
		return slices.ContainsFunc(slices.Collect(maps.Values(x)), IsSecret)
	case []any:
		return slices.ContainsFunc(x, IsSecret)
	}
	return false
}
