package pipeline

import (
	"context"
	"fmt"
	"slices"

	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
)

// orphaned notes a channel that is one from now on.
func (p *Pipeline) orphaned(name string, events, bytes int64) {
	o := api.Orphan{Channel: name, Events: events, Bytes: bytes, Why: orphan.Why}
	p.mu.Lock()
	p.orphans = append(slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == name }), o)
	p.mu.Unlock()
	p.base.Log.Warn("channel left with events in it", "channel", name, "events", events)
}

// owned says that a channel is declared and durable: what its directory holds is its own.
func (p *Pipeline) owned(name string) bool {
	n := p.channel(name)
	return n != nil && n.Durable
}

func (p *Pipeline) isOrphan(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == name })
}

// findOrphans looks, once the channels are open, for those of earlier runs, and removes the rest of what was given up. An agent
// runs also where that is not possible.
func (p *Pipeline) findOrphans() {
	if err := datadir.RemoveRest(p.base.FS, p.base.Dir); err != nil {
		p.base.Log.Warn("what was given up is not removed yet", "err", err)
	}
	stored, err := orphan.Stored(p.reg, p.base.FS, p.base.Dir, p.owned)
	if err != nil {
		p.base.Log.Warn("channels that left the configuration cannot be listed", "err", err)
	}
	for _, o := range stored {
		if o.Events < api.UnknownEvents {
			o.Why = orphan.Why
		}
		p.mu.Lock()
		p.orphans = append(p.orphans, o)
		p.mu.Unlock()
		p.base.Log.Warn("a channel that is not declared holds events", "channel", o.Channel, "events", o.Events)
	}
}

// Discard removes an orphan with all it holds, unless that is more than may be lost.
func (p *Pipeline) Discard(ctx context.Context, l orphan.Loss) error {
	if err := p.life.Lock(ctx); err != nil {
		return err
	}
	defer p.life.Unlock()
	p.mu.Lock()
	i := slices.IndexFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == l.Channel })
	var o api.Orphan
	if i >= 0 {
		o = p.orphans[i]
	}
	p.mu.Unlock()
	switch {
	case p.owned(l.Channel):
		return fmt.Errorf("channel %s is declared", l.Channel)
	case i < 0:
		return nil // removed before
	case o.Events > l.Events:
		return orphan.TooMany(o, l)
	}
	if err := datadir.Remove(p.base.FS, p.base.Dir, "channel."+l.Channel); err != nil {
		return err
	}
	p.mu.Lock()
	p.orphans = slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == l.Channel })
	p.mu.Unlock()
	p.base.Log.Warn("channel given up", "channel", l.Channel, "events", o.Events)
	return nil
}
