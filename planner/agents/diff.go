package agents

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// Keys of Change.Detail.
const (
	detailLabels  = "labels"  // map: path of a component -> TYPE.NAME
	detailRestart = "restart" // true: the process starts again
	detailSummary = "summary" // list: what the reload does, in a few words each
	detailRunning = "running" // true: it ran when the plan was made
	detailDurable = "durable" // true: it has a channel that outlives the process
	detailID      = "id"      // of the agent's directory
	detailDropped = "dropped" // list: channels whose loss may be confirmed
	detailBacklog = "backlog" // events waiting when the plan was made
	detailOrphan  = "orphan"  // the channel, of an orphan
)

// Diff compares what an agent runs with what is wanted, component by component.
func (k *agentKind) Diff(_ context.Context, want *resource.Object, live *resource.Live, _ *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	switch {
	case live != nil && live.Unread != "":
		return nil, &resource.Problem{
			Summary: live.Address + " cannot be asked what it runs",
			Detail:  fmt.Sprintf("%s: %s. Wait until it answers, or end that process and plan again.", live.Address, live.Unread),
		}
	case want == nil && live == nil:
		return &resource.Change{Action: resource.NoOp}, nil
	case live != nil && isOrphan(live):
		return diffOrphan(live, opt)
	case want == nil:
		return k.diffDelete(live, opt)
	case live == nil:
		return k.diffCreate(want)
	}
	return k.diffUpdate(want, live, opt)
}

func agentOf(l *resource.Live) api.Agent {
	a, _ := l.Figures["agent"].(api.Agent)
	return a
}

func (k *agentKind) diffUpdate(want *resource.Object, live *resource.Live, opt resource.DiffOptions) (*resource.Change, error) {
	wanted, err := specOf(want.Want)
	if err != nil {
		return nil, err
	}
	have, err := specOf(live.Have)
	if err != nil {
		return nil, err
	}
	wanted = ignoring(wanted, have, want.IgnoreChanges)
	a := agentOf(live)
	c := &resource.Change{
		Address: want.Address, Kind: k.Name(), Action: resource.Update, Before: live.Have, Basis: live.Basis,
		Detail: map[string]any{detailID: live.Identity["id"], detailRunning: isRunning(a.State)},
	}
	if c.After, err = tree(wanted); err != nil {
		return nil, err
	}
	if have.Hash() == wanted.Hash() {
		return k.asWanted(c, want, live, a, opt)
	}
	d := &differ{kind: k, was: k.parts.Of(have), is: k.parts.Of(wanted), places: want.Places, live: a, address: want.Address, noted: map[string]bool{}, confirmed: opt.Confirmed, restart: opt.Replace}
	d.run()
	c.Items, c.Loss = d.items, d.loss
	labels := maps.Clone(d.was.Labels)
	maps.Copy(labels, d.is.Labels)
	c.Detail[detailLabels], c.Detail[detailSummary] = anyMap(labels), anyList(d.summary)
	c.Detail[detailRestart] = d.restart
	c.Detail[detailDropped] = anyList(d.dropped)
	c.Note = runningNote(a, d.restart)
	if opt.Replace {
		c.Action = resource.Replace
	}
	return c, nil
}

// asWanted is the change of an agent whose spec is the wanted one.
func (k *agentKind) asWanted(c *resource.Change, want *resource.Object, live *resource.Live, a api.Agent, opt resource.DiffOptions) (*resource.Change, error) {
	switch {
	case opt.Replace:
		c.Action, c.Detail[detailRestart] = resource.Replace, true
		c.Note = runningNote(a, true)
		have, err := specOf(live.Have)
		if err != nil {
			return nil, err
		}
		d := &differ{kind: k, was: k.parts.Of(have), is: k.parts.Of(have), live: a, address: want.Address, restart: true}
		d.restartLoss()
		c.Loss = d.loss
	case a.State == api.Stopped:
		c.Action, c.Reason = resource.Start, "it is stopped"
	case a.State == api.Crashed:
		c.Action, c.Reason = resource.Start, "it has ended"
		if a.LastExit != "" {
			c.Reason += ": " + a.LastExit
		}
	default:
		c.Action = resource.NoOp
	}
	return c, nil
}

func isRunning(s api.State) bool { return s != api.Stopped && s != api.Crashed }

// ignoring gives the wanted spec with what ignore_changes names taken from the running one.
func ignoring(want, have *schema.AgentSpec, paths []string) *schema.AgentSpec {
	if len(paths) == 0 {
		return want
	}
	out := *want
	for _, path := range paths {
		f := strings.Split(path, ".")
		switch {
		case len(f) == 1:
			out.Settings = keep(out.Settings, have.Settings, f[0])
		case len(f) >= 3 && f[0] == "source":
			out.Sources = keepIn(out.Sources, have.Sources, func(s *schema.SourceSpec) (string, []*schema.Config) {
				return s.Name, []*schema.Config{&s.Config, &s.Settings}
			}, f[1], f[2])
		case len(f) >= 3 && f[0] == "channel":
			out.Channels = keepIn(out.Channels, have.Channels, func(s *schema.ChannelSpec) (string, []*schema.Config) {
				return s.Name, []*schema.Config{&s.Config}
			}, f[1], f[2])
		case len(f) >= 3 && f[0] == "sink":
			out.Sinks = keepIn(out.Sinks, have.Sinks, func(s *schema.SinkSpec) (string, []*schema.Config) {
				return s.Name, []*schema.Config{&s.Config, &s.Settings}
			}, f[1], f[2])
		case len(f) >= 3 && f[0] == "sink_group":
			out.Groups = keepIn(out.Groups, have.Groups, func(s *schema.GroupSpec) (string, []*schema.Config) {
				return s.Name, []*schema.Config{&s.Settings}
			}, f[1], f[2])
		}
	}
	return &out
}

func keepIn[T any](want, have []T, of func(*T) (string, []*schema.Config), name, arg string) []T {
	want = slices.Clone(want)
	for i := range want {
		n, configs := of(&want[i])
		for j := range have {
			h, old := of(&have[j])
			if n != name || h != name {
				continue
			}
			for c := range configs {
				*configs[c] = keep(*configs[c], *old[c], arg)
			}
		}
	}
	return want
}

func keep(want, have schema.Config, arg string) schema.Config {
	old, had := have[arg]
	if _, has := want[arg]; !has && !had {
		return want
	}
	out := maps.Clone(want)
	if out == nil {
		out = schema.Config{}
	}
	delete(out, arg)
	if had {
		out[arg] = old
	}
	return out
}

// differ compares the parts of two specs of one agent.
type differ struct {
	kind    *agentKind
	was, is anatomy.Anatomy
	places  map[string]string
	live    api.Agent
	address string
	figures map[string]*api.Component // of live, by kind and name

	confirmed []string // addresses of losses

	items   []resource.Item
	loss    []resource.Loss
	summary []string        // "swap kafka.stream", "add disk.alerts"
	dropped []string        // channels that leave
	noted   map[string]bool // parts whose effect was told already
	restart bool            // the process starts again
}

func (d *differ) run() {
	d.args(d.is.Agent, d.was.Agent, d.is.Agent)
	for _, p := range d.is.Parts {
		old, ok := d.was.Find(p.Path)
		switch {
		case !ok:
			d.added(p)
		case old.Type != p.Type:
			d.retyped(old, p)
		default:
			d.args(p, old, p)
			d.lists(p, old)
		}
	}
	for _, p := range d.was.Parts {
		if _, ok := d.is.Find(p.Path); !ok {
			d.removed(p)
		}
	}
	if d.restart {
		d.restartLoss()
	}
}

func (d *differ) add(it resource.Item) {
	if it.Place == "" && it.Action != resource.Delete { // what goes away stands in no file any more
		it.Place = d.place(it.Path)
	}
	d.items = append(d.items, it)
}

// place finds the line of a path, or of the block around it.
func (d *differ) place(path string) string {
	for {
		if p, ok := d.places[path]; ok {
			return p
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return d.places[""]
		}
		path = path[:i]
	}
}

func (d *differ) sum(verb, label string) {
	s := strings.TrimSpace(verb + " " + label)
	if !slices.Contains(d.summary, s) {
		d.summary = append(d.summary, s)
	}
}

// args compares the arguments of one part; owner is the component that a change concerns.
func (d *differ) args(owner, old, now anatomy.Part) {
	keys := map[string]bool{}
	for k := range old.Args {
		keys[k] = true
	}
	for k := range now.Args {
		keys[k] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		before, had := old.Args[key]
		after, has := now.Args[key]
		if reflect.DeepEqual(before, after) {
			continue
		}
		it := resource.Item{Path: join(now.Path, key), Action: resource.Update, Before: before, After: after, Effect: now.Effect(key)}
		switch {
		case !had:
			it.Action = resource.Create
		case !has:
			it.Action = resource.Delete
		}
		if anatomy.IsSecret(before) || anatomy.IsSecret(after) {
			it.Sensitive, it.Before, it.After = true, nil, nil
		}
		it.Note = d.effect(owner, it.Effect)
		d.add(it)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// effect tells, once for each component, what the change does to it.
func (d *differ) effect(p anatomy.Part, e schema.Effect) string {
	switch {
	case e == schema.Restart || p.Kind == schema.Agent:
		return d.agentEffect(e)
	case e == schema.Reload:
		d.sum("set", p.Label())
		return ""
	}
	d.sum("swap", p.Label())
	if d.noted[p.Path] {
		return ""
	}
	d.noted[p.Path] = true
	return d.swap(p, e)
}

func (d *differ) agentEffect(e schema.Effect) string {
	if e != schema.Restart {
		d.sum("set", "its own arguments")
		return ""
	}
	d.restart = true
	d.sum("start again", "")
	if d.noted["restart"] {
		return ""
	}
	d.noted["restart"] = true
	return "restart: the process starts again, data and positions are kept"
}

// lists compares the interceptors and the routes of a source.
func (d *differ) lists(now, old anatomy.Part) {
	for _, kind := range []schema.Kind{schema.Interceptor, anatomy.KindRoute} {
		of := func(l []anatomy.Part) []anatomy.Part {
			return slices.DeleteFunc(slices.Clone(l), func(p anatomy.Part) bool { return p.Kind != kind })
		}
		for _, pair := range anatomy.Align(of(old.List), of(now.List)) {
			switch {
			case pair.Was == nil:
				d.listed(now, *pair.Is, resource.Create)
			case pair.Is == nil:
				d.listed(now, *pair.Was, resource.Delete)
			default:
				d.args(now, *pair.Was, *pair.Is)
			}
		}
	}
}

func (d *differ) listed(owner, p anatomy.Part, a resource.Action) {
	it := resource.Item{Path: p.Path, Action: a, Effect: schema.Swap, Note: describe(p)}
	if note := d.effect(owner, schema.Swap); note != "" {
		it.Note = strings.TrimSpace(it.Note + "  " + note)
	}
	d.add(it)
}

// describe writes an interceptor or a route in one line.
func describe(p anatomy.Part) string {
	if p.Kind == schema.Interceptor {
		return p.Type
	}
	var b strings.Builder
	if w, ok := p.Args["when"]; ok {
		b.WriteString("when " + anatomy.Text(w) + "  ")
	}
	if p.Args["drop"] == true {
		return b.String() + "drops the event"
	}
	b.WriteString("──▶ " + anatomy.Text(p.Args["channels"]))
	if o, ok := p.Args["optional"]; ok {
		b.WriteString(" and, when it has room, " + anatomy.Text(o))
	}
	if p.Args["copy"] == true {
		b.WriteString(", then the next route")
	}
	return b.String()
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func anyList(l []string) []any {
	out := make([]any, len(l))
	for i, v := range l {
		out[i] = v
	}
	return out
}
