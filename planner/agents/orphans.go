package agents

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// Keys of Live.Figures of an orphan: stored events that no declared channel owns.
const (
	figureOrphan = "orphan" // api.Orphan
	figureStays  = "stays"  // true: its agent is wanted, and does not declare the channel again
)

func channelAddress(agent, channel string) string { return agent + ".channel." + channel }

func isOrphan(l *resource.Live) bool { _, ok := l.Figures[figureOrphan]; return ok }

// orphans gives the orphans of agents as objects of their own, which only a confirmed loss changes.
func (k *agentKind) orphans(lives []*resource.Live, want []*resource.Object) ([]*resource.Live, error) {
	var out []*resource.Live
	for _, l := range lives {
		a := agentOf(l)
		if len(a.Orphans) == 0 || l.Have == nil {
			continue
		}
		have, err := specOf(l.Have)
		if err != nil {
			return nil, err
		}
		var next *schema.AgentSpec
		if i := slices.IndexFunc(want, func(o *resource.Object) bool { return o.Address == l.Address }); i >= 0 {
			if next, err = specOf(want[i].Want); err != nil {
				return nil, err
			}
		}
		for _, o := range a.Orphans {
			if k.keeps(have, o.Channel) {
				continue // its own, left by an attempt to drain it
			}
			out = append(out, &resource.Live{
				Address: channelAddress(l.Address, o.Channel), Part: l.Address, Basis: "orphan:" + a.ID,
				Identity: map[string]string{"id": a.ID, "channel": o.Channel},
				Figures:  map[string]any{figureOrphan: o, figureStays: next != nil && !k.keeps(next, o.Channel)},
			})
		}
	}
	return out, nil
}

// keeps says whether an agent has a durable channel of a name.
func (k *agentKind) keeps(s *schema.AgentSpec, channel string) bool {
	return slices.ContainsFunc(s.Channels, func(c schema.ChannelSpec) bool {
		return c.Name == channel && k.parts.About(schema.Channel, c.Type).Durable
	})
}

// diffOrphan plans to remove an orphan whose loss is confirmed; of others it only tells. One whose agent goes, goes with it.
func diffOrphan(live *resource.Live, opt resource.DiffOptions) (*resource.Change, error) {
	o, _ := live.Figures[figureOrphan].(api.Orphan)
	if opt.Destroy || live.Figures[figureStays] != true {
		return &resource.Change{Action: resource.NoOp}, nil
	}
	note := "orphan, " + figures(o.Events, o.Bytes)
	if o.Events >= api.UnknownEvents && o.Why != "" {
		note += " (" + o.Why + ")"
	}
	if !slices.Contains(opt.Confirmed, live.Address) {
		return &resource.Change{
			Action: resource.NoOp,
			Note:   note + " that no channel delivers; declare it again, or give them up with apply -confirm-loss=" + flag(live.Address),
		}, nil
	}
	return &resource.Change{
		Action: resource.Delete, Basis: live.Basis, Note: note + " are given up, its directory is removed",
		Loss:   []resource.Loss{{Address: live.Address, Events: o.Events, Bytes: o.Bytes, What: "events waiting"}},
		Detail: map[string]any{detailID: live.Identity["id"], detailOrphan: live.Identity["channel"]},
	}, nil
}

// flag quotes an address for a shell.
func flag(address string) string {
	for _, r := range address {
		if r == '"' || r == '[' {
			return "'" + address + "'"
		}
	}
	return address
}

// inherits tells what a new channel goes on with.
func (d *differ) inherits(p anatomy.Part) string {
	if p.Kind == schema.Source && d.kind.Layout.PositionsOf(d.live.ID, p.Name, p.Type) {
		return "  goes on at the positions that an earlier source of this name left"
	}
	if p.Kind != schema.Channel || !d.durable(p) {
		return ""
	}
	for _, o := range d.live.Orphans {
		if o.Channel == p.Name {
			return "  goes on with " + figures(o.Events, o.Bytes) + " that it holds since it left the configuration"
		}
	}
	return ""
}

// giveUp removes channels that left with more than was delivered and whose loss is confirmed: those of an agent that did not run are
// orphans now.
func (k *agentKind) giveUp(ctx context.Context, id string, lose map[string]int64) error {
	for _, channel := range slices.Sorted(maps.Keys(lose)) {
		r := api.DiscardRequest{Channel: channel, Events: lose[channel]}
		if err := k.request(ctx, func(s *api.Client) error { return s.DiscardOf(ctx, id, r) }); err != nil {
			return fmt.Errorf("give up channel.%s: %w", channel, err)
		}
	}
	return nil
}

// discard removes an orphan.
func (k *agentKind) discard(ctx context.Context, id, channel string, c *resource.Change, opt resource.ApplyOptions) error {
	n := opt.Confirmed[c.Address]
	opt.Report("giving up " + events(n))
	begin := time.Now()
	err := k.request(ctx, func(s *api.Client) error {
		return s.DiscardOf(ctx, id, api.DiscardRequest{Channel: channel, Events: n})
	})
	if err != nil {
		return err
	}
	opt.Report(fmt.Sprintf("removed (%s)", resource.Span(time.Since(begin))))
	return nil
}
