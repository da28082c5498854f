package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/supervisor/api"
)

// channelPrefix begins the address of a channel.
//
// An orphan is a durable channel that left the configuration with events in it. Its directory stays until the channel is declared
// again or its loss is confirmed.
const channelPrefix = "channel."

// WhyOrphan is what people read about one.
const WhyOrphan = "it left the configuration and was not empty in time"

// Loss is what may be lost of a channel: never more events than that.
type Loss struct {
	Channel string
	Events  int64
}

// Stored lists what lies in the directories of channels below an agent's data, declared or not, sorted by name; empty ones are left out.
// It changes nothing. What cannot be read has api.UnknownEvents and says why.
func (r *Registry) Stored(fsys flow.FS, dir string) ([]api.Orphan, error) {
	return r.storedBut(fsys, dir, func(string) bool { return false })
}

// storedBut is Stored without some channels.
func (r *Registry) storedBut(fsys flow.FS, dir string, without func(channel string) bool) ([]api.Orphan, error) {
	infos, err := datadir.List(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var out []api.Orphan
	for _, in := range infos {
		name, ok := strings.CutPrefix(in.Name, channelPrefix)
		if !ok || !in.Mode.IsDir() || without(name) {
			continue
		}
		events, bytes, err := r.storedIn(fsys, path.Join(dir, in.Name, "data"))
		switch {
		case err != nil:
			out = append(out, api.Orphan{Channel: name, Events: api.UnknownEvents, Why: err.Error()})
		case events > 0:
			out = append(out, api.Orphan{Channel: name, Events: events, Bytes: bytes})
		}
	}
	return out, nil
}

// storedIn asks the types of channels, one after the other, what a directory holds.
func (r *Registry) storedIn(fsys flow.FS, dir string) (events, bytes int64, err error) {
	d, err := fsys.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	for _, e := range r.storing {
		err := guard.Call(func() (err error) {
			events, bytes, err = e.stored(d)
			return err
		})
		if err != nil || events > 0 {
			return events, bytes, err
		}
	}
	return 0, 0, nil
}

// orphaned notes a channel that is one from now on.
func (p *Pipeline) orphaned(name string, events, bytes int64) {
	o := api.Orphan{Channel: name, Events: events, Bytes: bytes, Why: WhyOrphan}
	p.mu.Lock()
	p.orphans = append(slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == name }), o)
	p.mu.Unlock()
	p.base.Log.Warn("channel left with events in it", "channel", name, "events", events)
}

// owned says that a channel is declared and durable: what its directory holds is its own.
func (p *Pipeline) owned(name string) bool {
	n := p.channel(name)
	return n != nil && n.durable
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
	stored, err := p.reg.storedBut(p.base.FS, p.base.Dir, p.owned)
	if err != nil {
		p.base.Log.Warn("channels that left the configuration cannot be listed", "err", err)
	}
	for _, o := range stored {
		if o.Events < api.UnknownEvents {
			o.Why = WhyOrphan
		}
		p.mu.Lock()
		p.orphans = append(p.orphans, o)
		p.mu.Unlock()
		p.base.Log.Warn("a channel that is not declared holds events", "channel", o.Channel, "events", o.Events)
	}
}

// Discard removes an orphan with all it holds, unless that is more than may be lost.
func (p *Pipeline) Discard(ctx context.Context, l Loss) error {
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
		return tooMany(o, l)
	}
	if err := datadir.Remove(p.base.FS, p.base.Dir, channelPrefix+l.Channel); err != nil {
		return err
	}
	p.mu.Lock()
	p.orphans = slices.DeleteFunc(p.orphans, func(o api.Orphan) bool { return o.Channel == l.Channel })
	p.mu.Unlock()
	p.base.Log.Warn("channel given up", "channel", l.Channel, "events", o.Events)
	return nil
}

func tooMany(o api.Orphan, l Loss) error {
	return fmt.Errorf("channel %s holds %d events, and the loss of %d is confirmed", o.Channel, o.Events, l.Events)
}

// Discard removes a channel of an agent that does not run, unless it holds more than may be lost. Nobody else may use its data.
func (r *Registry) Discard(fsys flow.FS, dir string, l Loss) error {
	stored, err := r.storedBut(fsys, dir, func(channel string) bool { return channel != l.Channel })
	if err != nil {
		return err
	}
	for _, o := range stored {
		if o.Events > l.Events {
			return tooMany(o, l)
		}
	}
	return datadir.Remove(fsys, dir, channelPrefix+l.Channel)
}
