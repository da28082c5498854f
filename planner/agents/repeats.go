package agents

import (
	"cmp"
	"fmt"
	"strings"

	"collect/hclspec/schema"
	"collect/planner/resource"
)

// repeats says how much comes again after a crash: of a source what a channel that keeps nothing had not delivered, of a sink what it
// had taken from a channel that keeps events. A rolling sink gives each file its name once.
func (k *agentKind) repeats(spec *schema.AgentSpec, a anatomy) ([]resource.Item, error) {
	var items []resource.Item
	var most schema.BatchSettings    // the largest batch that a sink may get
	for i, s := range spec.Sources { // the first parts are the sources
		set := schema.DefaultSourceSettings()
		if err := schema.Decode(s.Settings, nil, &set); err != nil {
			return nil, err
		}
		most.MaxEvents, most.MaxBytes = max(most.MaxEvents, set.Batch.MaxEvents), max(most.MaxBytes, set.Batch.MaxBytes)
		if k.forgets(a, a.parts[i]) {
			items = append(items, again(set.InFlight.MaxBatches*set.Batch.MaxEvents, int64(set.InFlight.MaxBytes), "in_flight", a.parts[i]))
		}
	}
	for _, p := range a.parts {
		ch, ok := k.readBy(a, p)
		if p.kind != schema.Sink || !ok || !k.about(schema.Channel, ch.typ).Durable || k.rolls(p) {
			continue
		}
		w := k.about(schema.Sink, p.typ).Window
		batches := max(w.Batches, 1)
		items = append(items, again(cmp.Or(w.Events, batches*most.MaxEvents), max(w.Bytes, int64(batches)*int64(most.MaxBytes)), "window", p))
	}
	return items, nil
}

// again says how much that is. What is delivered is noted within a second: by the source for its positions, by a disk channel for a power cut.
func again(events int, bytes int64, limit string, p part) resource.Item {
	return resource.Item{Note: fmt.Sprintf("at most %s or %s, and what was delivered in the second before, are sent again after a crash (%s of %s)", resource.Events(int64(events)), resource.Size(bytes), limit, p.label())}
}

// forgets says whether a source writes to a channel that a crash empties.
func (k *agentKind) forgets(a anatomy, source part) bool {
	for _, p := range a.parts {
		if p.kind == schema.Channel && writes(source, p.name) && !k.about(schema.Channel, p.typ).Durable {
			return true
		}
	}
	return false
}

// readBy gives the channel that a sink reads, by itself or in its group.
func (k *agentKind) readBy(a anatomy, sink part) (part, bool) {
	r, ok := sink.args["channel"].(map[string]any)
	if i, in := a.group[sink.path]; !ok && in {
		r, _ = a.parts[i].args["channel"].(map[string]any)
	}
	return a.find(text(r))
}

// rolls says whether a sink delivers only when it closes a file.
func (k *agentKind) rolls(sink part) bool {
	about := k.about(schema.Sink, sink.typ)
	for _, name := range about.RollsWith {
		for arg := range sink.args {
			if arg == name || strings.HasPrefix(arg, name+".") {
				return true
			}
		}
	}
	return about.Rolls
}
