package registry

import (
	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// Inspector tells people what the directory of a channel holds, and repairs it. All but Repair change nothing and work beside whoever uses
// the channel.
type Inspector struct {
	Read   func(flow.Dir) (flow.ChannelReport, error) // what is there
	Verify func(flow.Dir) (flow.ChannelReport, error) // the same, after everything was checked
	// Dump gives the batches that wait, with all set whatever can be read, until yield says false. Each is gone when yield returns. The
	// report says what could not be read.
	Dump func(dir flow.Dir, pool *flow.Pool, all bool, yield func(*flow.Batch) bool) (flow.ChannelReport, error)
	// Repair sets damaged pieces aside and reports what was damaged.
	Repair func(flow.Dir, flow.Rand) (flow.ChannelReport, error)
}

// Inspecting adds, to a channel whose data outlive the process, what looks into its directory.
func (e Entry) Inspecting(i Inspector) Entry {
	e.inspector = &i
	return e
}

// Inspector gives what looks into the directory of a channel type; nil: it stores nothing that could be looked at.
func (r *Registry) Inspector(channel string) *Inspector {
	if e := r.entries[typeKey{schema.Channel, channel}]; e != nil {
		return e.inspector
	}
	return nil
}

// TypeOf finds the channel type that left something undelivered in a directory, "" when none did.
func (r *Registry) TypeOf(dir flow.Dir) string {
	for _, e := range r.storing {
		if events, _, err := e.stored(dir); err != nil || events > 0 {
			return e.Name
		}
	}
	return ""
}
