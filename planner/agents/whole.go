package agents

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// diffCreate shows a new agent: the way of its events, and what tells what its parts are about.
func (k *agentKind) diffCreate(want *resource.Object) (*resource.Change, error) {
	spec, err := specOf(want.Want)
	if err != nil {
		return nil, err
	}
	a := k.parts.Of(spec)
	id := api.AgentID(want.Address)
	c := &resource.Change{
		Address: want.Address, Kind: k.Name(), Action: resource.Create, After: want.Want,
		Detail: map[string]any{detailLabels: anyMap(a.Labels), detailID: id},
	}
	if _, err := os.Stat(filepath.Join(k.Layout.Kept(), id)); err == nil {
		c.Note = "goes on at the positions that were kept when it was destroyed"
	}
	for _, line := range k.parts.Picture(a) {
		c.Items = append(c.Items, resource.Item{Note: line})
	}
	d := &differ{places: want.Places}
	for _, p := range a.Parts {
		if p.Kind == schema.Source || p.Kind == schema.Sink {
			k.parts.Interesting(p, d.add)
		}
	}
	for i := range d.items {
		d.items[i].Place = "" // a new agent is one block of the configuration: it need not be looked for
	}
	c.Items = append(c.Items, d.items...)
	if c.Note == "" { // nothing was kept under these names
		for _, p := range a.Parts {
			if note := k.anew(p, want.Address, k.left); p.Kind == schema.Source && note != "" {
				c.Items = append(c.Items, resource.Item{Note: p.Label() + " " + note})
			}
		}
	}
	repeats, err := k.repeats(spec, a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", want.Address, err)
	}
	c.Items = append(c.Items, repeats...)
	return c, nil
}

// diffDelete shows an agent that goes: what it holds, where that goes first, and what cannot be delivered.
func (k *agentKind) diffDelete(live *resource.Live, opt resource.DiffOptions) (*resource.Change, error) {
	spec, err := specOf(live.Have)
	if err != nil {
		return nil, err
	}
	a := agentOf(live)
	d := &differ{kind: k, was: k.parts.Of(spec), live: a, address: live.Address}
	c := &resource.Change{Address: live.Address, Kind: k.Name(), Action: resource.Delete, Before: live.Have, Basis: live.Basis}
	var backlog, bytes int64
	durable := false
	for _, p := range d.was.Parts {
		if p.Kind != schema.Channel {
			continue
		}
		durable = durable || d.durable(p)
		m := d.component(p)
		if m == nil || m.BacklogEvents == 0 {
			continue
		}
		backlog, bytes = backlog+m.BacklogEvents, bytes+m.BacklogBytes
		c.Items = append(c.Items, resource.Item{Path: p.Path, Action: resource.Delete, Note: figures(m.BacklogEvents, m.BacklogBytes) + " waiting" + through(d, p)})
		if d.durable(p) && (d.stuck(p.Name) || a.CannotRun) {
			d.lose(p.Name, m.BacklogEvents, m.BacklogBytes, d.arriving())
		}
		d.stuckLoss(p)
	}
	k.leftovers(d, a)
	c.Loss = d.loss
	c.Note = deleteNote(a, backlog, bytes)
	positions := "positions are kept: a later apply goes on where it stopped"
	if opt.ForgetPositions {
		positions = "positions are forgotten: a later apply reads everything again"
	}
	c.Items = append(c.Items, resource.Item{Note: positions})
	c.Detail = map[string]any{
		detailLabels: anyMap(d.was.Labels), detailID: live.Identity["id"], detailRunning: isRunning(a.State), detailDurable: durable, detailBacklog: backlog,
	}
	return c, nil
}

// leftovers are the losses of an agent that does not run: what an earlier attempt to remove it could not deliver, and what left its
// configuration earlier.
func (k *agentKind) leftovers(d *differ, a api.Agent) {
	for _, o := range a.Orphans {
		p, ok := d.was.Find("channel." + o.Channel)
		if o.Events > 0 && (!ok || d.durable(p)) {
			d.lose(o.Channel, o.Events, o.Bytes, 0)
		}
	}
}

func through(d *differ, p anatomy.Part) string {
	if d.live.CannotRun {
		return ", and the agent cannot run" + because(d.live.LastExit)
	}
	if d.stuck(p.Name) {
		return ", and " + d.emptiers(p) + " takes nothing at present" + cause(d, p)
	}
	return "; drains through " + d.emptiers(p) + " first" + comma(d.drainTime(p))
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func cause(d *differ, p anatomy.Part) string {
	for _, r := range anatomy.Readers(d.was, p.Name) {
		if m := d.component(r); m != nil && m.LastError != "" {
			return ": " + m.LastError
		}
	}
	return ""
}

func deleteNote(a api.Agent, backlog, bytes int64) string {
	if !isRunning(a.State) {
		return string(a.State)
	}
	s := fmt.Sprintf("%s %s", a.State, resource.Span(time.Since(a.Since)))
	if backlog == 0 {
		return s + ", nothing waiting; stops"
	}
	return s + ", " + figures(backlog, bytes) + " waiting; drains first"
}
