// Package schema is what a component says about its configuration, and what a planned agent is made of.
//
// One Go struct with tags is the only source of a component's schema, defaults, documentation and of what a change of
// each argument does to a running agent. [Of] reads the struct; the language (package hclspec) uses the result to turn an HCL
// body into a [Config], canonical JSON that planner and runtime exchange; [Decode] turns a [Config] back into the struct.
//
// The package is a leaf: it knows neither HCL files nor the data plane.
package schema

// Kind says what part of an agent, or of the configuration, a type can be.
type Kind string

// The kinds of blocks that have types of their own.
const (
	Source      Kind = "source"
	Interceptor Kind = "interceptor"
	Channel     Kind = "channel"
	Sink        Kind = "sink"
	SinkGroup   Kind = "sink_group"
	Provider    Kind = "provider"
	Topic       Kind = "topic"
	Agent       Kind = "agent"
)

// Effect says what changing an argument does to what runs.
type Effect string

// The effects, from the mildest to the strongest.
const (
	Reload  Effect = "reload"  // applied to the living component
	Swap    Effect = "swap"    // the component is drained and made anew inside the running agent; the default
	Restart Effect = "restart" // the agent process starts again on the same data
	Rename  Effect = "rename"  // identity of stored data: needs a drain
)

// ValueType is the type of an argument.
type ValueType string

// The types of arguments. In a [Config] durations and sizes are strings in canonical form ("1m30s", "64MiB").
const (
	String     ValueType = "string"
	Bool       ValueType = "bool"
	Int        ValueType = "int"
	Float      ValueType = "float"
	Duration   ValueType = "duration"
	Size       ValueType = "size"
	StringList ValueType = "list(string)"
	StringMap  ValueType = "map(string)"
	Reference  ValueType = "reference"       // one reference, its kind in Attr.Ref
	References ValueType = "list(reference)" // several of them
	ExprMap    ValueType = "map(expression)" // per-event values by name
	ProviderOf ValueType = "provider"        // the settings of a provider, chosen by a reference; its type in Attr.Provider
)

// Attr is one argument of a block.
type Attr struct {
	Name     string    `json:"name"`
	Type     ValueType `json:"type"`
	Required bool      `json:"required,omitempty"`
	Secret   bool      `json:"secret,omitempty"`   // its value is never shown
	Event    bool      `json:"event,omitempty"`    // may mention event; the Go field is an Expr (or a map of them)
	Path     bool      `json:"path,omitempty"`     // file names, resolved against path.root
	Contents bool      `json:"contents,omitempty"` // what the named file holds is part of the configuration
	Cron     bool      `json:"cron,omitempty"`     // a schedule, in the time zone of the collect block
	Effect   Effect    `json:"effect"`
	Default  any       `json:"default,omitempty"` // as it would stand in a Config
	Doc      string    `json:"doc"`
	Enum     []string  `json:"enum,omitempty"`     // the only values allowed
	Ref      Kind      `json:"ref,omitempty"`      // what a reference must point at
	Provider string    `json:"provider,omitempty"` // for ProviderOf: which provider
	Block    *Block    `json:"block,omitempty"`    // for ProviderOf: its settings
}

// Nested is a block inside a block.
type Nested struct {
	Name     string `json:"name"`
	Multiple bool   `json:"multiple,omitempty"` // may stand more than once
	Block    *Block `json:"block"`
	Doc      string `json:"doc"`
	Effect   Effect `json:"effect"`
}

// Block is the schema of the inside of a block.
type Block struct {
	Attrs  []Attr   `json:"attributes,omitempty"`
	Blocks []Nested `json:"blocks,omitempty"`
}

// Attr finds an argument by name.
func (b *Block) Attr(name string) (*Attr, bool) {
	for i := range b.Attrs {
		if b.Attrs[i].Name == name {
			return &b.Attrs[i], true
		}
	}
	return nil, false
}

// Nested finds an inner block by name.
func (b *Block) Nested(name string) (*Nested, bool) {
	for i := range b.Blocks {
		if b.Blocks[i].Name == name {
			return &b.Blocks[i], true
		}
	}
	return nil, false
}

// Replay says who can send an event again that was read but not acknowledged.
type Replay string

// Who can replay.
const (
	Replays       Replay = "replays" // the source itself reads it again
	SenderReplays Replay = "sender"  // whoever sent it got no answer and sends again
	CannotReplay  Replay = "cannot"  // nobody: it is lost with a volatile channel
)

// About is what a component tells of itself besides its arguments.
type About struct {
	Doc         string   `json:"doc"`                    // one paragraph for the reference page
	Replay      Replay   `json:"replay,omitempty"`       // sources
	Answers     bool     `json:"answers,omitempty"`      // sources that answer their sender
	Listen      string   `json:"listen,omitempty"`       // the argument that holds a listening address
	Files       string   `json:"files,omitempty"`        // the argument that holds watched files or folders
	Durable     bool     `json:"durable,omitempty"`      // channels that keep events over a crash
	Rolls       bool     `json:"rolls,omitempty"`        // sinks that deliver only when a file closes
	RollsWith   []string `json:"rolls_with,omitempty"`   // sinks that do so only when one of these arguments or blocks is given
	Window      Window   `json:"window,omitzero"`        // sinks: the most that they have taken and not delivered
	Unconfirmed bool     `json:"unconfirmed,omitempty"`  // sinks that get no answer from their destination
	Experiment  bool     `json:"experimental,omitempty"` // not promised to stay
	// CapacityAttr is the channel argument that bounds its bytes.
	CapacityAttr string `json:"capacity,omitempty"`
}

// Window bounds what a sink has taken and not delivered: what a crash delivers again from a channel that keeps events. The zero value is
// one batch.
type Window struct {
	Batches int   `json:"batches,omitempty"`
	Events  int   `json:"events,omitempty"` // 0: as many as the batches hold
	Bytes   int64 `json:"bytes,omitempty"`  // of events; one batch may be larger
}

// Type is one component type: what users write after the kind, and all that is known of it without running it.
type Type struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name"`
	About About  `json:"about"`
	Block *Block `json:"block"`
	// Check reports a wrong combination of arguments; it has decoded the Config into the component's struct and called its
	// Validate. It may be nil.
	Check func(c Config) error `json:"-"`
}

// Types finds the component types that exist.
type Types interface {
	Lookup(kind Kind, name string) (*Type, bool)
	Names(kind Kind) []string // sorted
}
