package design

import (
	"cmp"
	"maps"
	"slices"

	"collect/hclspec/schema"
)

// rollSize is what a rolling sink holds at least, when its own default is not known.
const rollSize = 64 << 20

// capacity gives the config of a channel in front of a rolling sink more room, when the configuration does not say how much: it
// must hold what a roll holds, within half of the memory of the agent.
func (d *Design) capacity(ch *Channel, readers []*Runner) schema.Config {
	attr := ch.Entry.About.CapacityAttr
	if ch.Entry.About.Durable || attr == "" || ch.Spec.Config[attr] != nil {
		return ch.Spec.Config
	}
	var need int64
	for _, r := range readers {
		for _, m := range r.Members {
			if m.Rolls() {
				need = max(need, 2*rollOf(m))
			}
		}
	}
	if need == 0 {
		return ch.Spec.Config
	}
	def := int64(0)
	if a, ok := ch.Entry.Block.Attr(attr); ok {
		text, _ := a.Default.(string)
		def, _ = schema.ParseSize(text) // a wrong default is found by the component's own tests
	}
	need = max(def, min(need, int64(d.Agent.MemoryLimit)/2))
	config := maps.Clone(ch.Spec.Config)
	if config == nil {
		config = schema.Config{}
	}
	config[attr] = schema.FormatSize(need)
	return config
}

// Rolls says whether the sink delivers only when a file closes.
func (m Member) Rolls() bool {
	about := m.Entry.About
	return about.Rolls || slices.ContainsFunc(about.RollsWith, func(arg string) bool { return m.Spec.Config[arg] != nil })
}

func rollOf(m Member) int64 {
	roll, _ := m.Spec.Config["roll"].(map[string]any)
	text, _ := roll["size"].(string)
	n, _ := schema.ParseSize(text) // a wrong size is found by the sink
	return cmp.Or(n, rollSize)
}
