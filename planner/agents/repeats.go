package agents

import (
	"cmp"
	"fmt"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
)

// repeats says how much comes again after a crash: of a source what a channel that keeps nothing had not delivered, of a sink what it
// had taken from a channel that keeps events. A rolling sink gives each file its name once.
func (k *agentKind) repeats(spec *schema.AgentSpec, a anatomy.Anatomy) ([]resource.Item, error) {
	var items []resource.Item
	var most schema.BatchSettings    // the largest batch that a sink may get
	for i, s := range spec.Sources { // the first parts are the sources
		set := schema.DefaultSourceSettings()
		if err := schema.Decode(s.Settings, nil, &set); err != nil {
			return nil, err
		}
		most.MaxEvents, most.MaxBytes = max(most.MaxEvents, set.Batch.MaxEvents), max(most.MaxBytes, set.Batch.MaxBytes)
		if k.forgets(a, a.Parts[i]) {
			items = append(items, again(set.InFlight.MaxBatches*set.Batch.MaxEvents, int64(set.InFlight.MaxBytes), "in_flight", a.Parts[i]))
		}
	}
	for _, p := range a.Parts {
		ch, ok := k.readBy(a, p)
		if p.Kind != schema.Sink || !ok || !k.parts.About(schema.Channel, ch.Type).Durable || k.rolls(p) {
			continue
		}
		w := k.parts.About(schema.Sink, p.Type).Window
		batches := max(w.Batches, 1)
		items = append(items, again(cmp.Or(w.Events, batches*most.MaxEvents), max(w.Bytes, int64(batches)*int64(most.MaxBytes)), "window", p))
	}
	return items, nil
}

// again says how much that is. What is delivered is noted within a second: by the source for its positions, by a disk channel for a power cut.
func again(events int, bytes int64, limit string, p anatomy.Part) resource.Item {
	return resource.Item{Note: fmt.Sprintf("at most %s or %s, and what was delivered in the second before, are sent again after a crash (%s of %s)", resource.Events(int64(events)), resource.Size(bytes), limit, p.Label())}
}

// forgets says whether a source writes to a channel that a crash empties.
func (k *agentKind) forgets(a anatomy.Anatomy, source anatomy.Part) bool {
	for _, p := range a.Parts {
		if p.Kind == schema.Channel && anatomy.Writes(source, p.Name) && !k.parts.About(schema.Channel, p.Type).Durable {
			return true
		}
	}
	return false
}

// readBy gives the channel that a sink reads, by itself or in its group.
func (k *agentKind) readBy(a anatomy.Anatomy, sink anatomy.Part) (anatomy.Part, bool) {
	r, ok := sink.Args["channel"].(map[string]any)
	if i, in := a.Group[sink.Path]; !ok && in {
		r, _ = a.Parts[i].Args["channel"].(map[string]any)
	}
	return a.Find(anatomy.Text(r))
}

// rolls says whether a sink delivers only when it closes a file.
func (k *agentKind) rolls(sink anatomy.Part) bool {
	about := k.parts.About(schema.Sink, sink.Type)
	for _, name := range about.RollsWith {
		for arg := range sink.Args {
			if arg == name || strings.HasPrefix(arg, name+".") {
				return true
			}
		}
	}
	return about.Rolls
}
