package pipeline

import (
	"context"
	"maps"
	"slices"

	"collect/runtime/pipeline/internal/design"
	"collect/runtime/pipeline/internal/emit"
	"collect/runtime/pipeline/internal/position"
	"collect/runtime/pipeline/internal/wait"
)

// track is how far a source is. It outlives the source.
type track struct {
	*position.Tracker
	interceptors int // interceptors of the source, each with dead-letter keys of its own
}

// retirePositions lets go what the process and the channels hold for sources that left, once all they emitted is settled. Their files
// stay: a source that is declared again goes on there.
func (p *Pipeline) retirePositions(ctx context.Context, d *design.Design) {
	stay := map[string]bool{}
	for _, w := range d.Sources {
		stay[positionOf(w)] = true
	}
	p.mu.Lock()
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(p.pos)), func(name string) bool { return stay[name] })
	p.mu.Unlock()
	for _, name := range gone {
		p.mu.Lock()
		pos := p.pos[name]
		p.mu.Unlock()
		if !pos.Idle() {
			continue // the next reload finds it settled
		}
		saving, cancel := wait.ToClose(ctx) // what was applied is not undone by a deadline
		err := pos.Save(saving)
		cancel()
		if err == nil {
			p.forgetSource(pos)
			err = pos.Close()
			p.mu.Lock()
			delete(p.pos, name)
			p.mu.Unlock()
		}
		if err != nil { // the saver tries again, and the next reload
			p.base.Log.Warn("positions of a source that left", "source", name, "err", err)
		}
	}
}

// forgetSource tells all channels that no batch of the source comes again behind its frontier, which is durable.
func (p *Pipeline) forgetSource(pos *track) {
	emit.ForgetKeys(p.channelList(), emit.Prefix(pos.ID(), pos.Routed()), pos.All(), pos.interceptors)
}
