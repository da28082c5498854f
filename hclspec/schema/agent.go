package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// SpecVersion changes only when the meaning of an agent's spec changes.
const SpecVersion = 1

// AgentSpec is everything an agent is told: what planner and runtime meet on. It is evaluated: no variable, no HCL file and
// no state is needed to run it, only the agent's secrets.
type AgentSpec struct {
	Version  int           `json:"spec_version"`
	Address  string        `json:"address"` // agent.NAME or agent.NAME["KEY"]
	Settings Config        `json:"settings,omitempty"`
	Sources  []SourceSpec  `json:"sources,omitempty"`  // sorted by name
	Channels []ChannelSpec `json:"channels,omitempty"` // sorted by name
	Sinks    []SinkSpec    `json:"sinks,omitempty"`    // sorted by name
	Groups   []GroupSpec   `json:"sink_groups,omitempty"`
	At       Pos           `json:"at,omitzero"`
}

// SourceSpec is one source with its interceptors and routes, in the order in which they are passed.
type SourceSpec struct {
	Type         string            `json:"type"`
	Name         string            `json:"name"`
	Config       Config            `json:"config,omitempty"`
	Settings     Config            `json:"settings,omitempty"` // SourceSettings
	Interceptors []InterceptorSpec `json:"interceptors,omitempty"`
	Routes       []RouteSpec       `json:"routes"`
	At           Pos               `json:"at,omitzero"`
}

// InterceptorSpec is one interceptor.
type InterceptorSpec struct {
	Type   string `json:"type"`
	Config Config `json:"config,omitempty"` // on_error is among them
	At     Pos    `json:"at,omitzero"`
}

// RouteSpec says which channels take an event. The first route whose condition holds wins; Copy goes on to the next.
type RouteSpec struct {
	When     any      `json:"when,omitempty"`     // encoded Expr; nil: always
	Channels []string `json:"channels,omitempty"` // names of channels that must take the event
	Optional []string `json:"optional,omitempty"` // names of channels that may miss it
	Drop     bool     `json:"drop,omitempty"`
	Copy     bool     `json:"copy,omitempty"`
	At       Pos      `json:"at,omitzero"`
}

// ChannelSpec is one channel.
type ChannelSpec struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Config Config `json:"config,omitempty"`
	At     Pos    `json:"at,omitzero"`
}

// SinkSpec is one sink. Channel is empty when a group owns it.
type SinkSpec struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Channel  string `json:"channel,omitempty"`
	Config   Config `json:"config,omitempty"`
	Settings Config `json:"settings,omitempty"` // SinkSettings
	At       Pos    `json:"at,omitzero"`
}

// GroupSpec is a group of sinks that share a channel.
type GroupSpec struct {
	Name     string   `json:"name"`
	Channel  string   `json:"channel"`
	Sinks    []string `json:"sinks"` // in order of preference
	Settings Config   `json:"settings,omitempty"`
	At       Pos      `json:"at,omitzero"`
}

// Canonical gives the JSON of the spec: keys sorted, as encoding/json does.
func (s *AgentSpec) Canonical() ([]byte, error) { return json.Marshal(s) }

// Hash identifies what the spec means: places in files are not part of it.
func (s *AgentSpec) Hash() string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("schema: a spec that is not JSON: " + err.Error())
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic("schema: " + err.Error())
	}
	raw, _ = json.Marshal(withoutPlaces(tree))
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// WithoutPlaces gives a copy of a JSON tree without the "at" objects, which say where something stands in a file.
func WithoutPlaces(v any) any { return withoutPlaces(v) }

func withoutPlaces(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			if at, ok := e.(map[string]any); ok && k == "at" && at["file"] != nil {
				continue
			}
			out[k] = withoutPlaces(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = withoutPlaces(e)
		}
		return out
	}
	return v
}

// AgentSettings are the arguments of an agent block itself.
type AgentSettings struct {
	MemoryLimit Bytes             `collect:"memory_limit,restart" doc:"Memory the agent should stay within; channels, windows and in-flight limits must fit."`
	Drain       time.Duration     `collect:"drain,reload" doc:"Longest time a stop waits for events in flight."`
	DeadLetter  Ref               `collect:"dead_letter,ref=channel" doc:"Channel for events that can never be delivered; the default of all components of the agent."`
	Env         map[string]string `collect:"env,restart" doc:"The process's whole environment besides PATH, TZ and LANG."`
	Metrics     *MetricsSettings  `collect:"metrics" doc:"Prometheus metrics on a port."`
}

// MetricsSettings is the metrics block of an agent.
type MetricsSettings struct {
	Listen string `collect:"listen,required" doc:"Address that answers GET /metrics, such as \"127.0.0.1:9100\"."`
}

// DefaultAgentSettings gives the defaults.
func DefaultAgentSettings() AgentSettings {
	return AgentSettings{MemoryLimit: 128 << 20, Drain: 20 * time.Second}
}

// BatchSettings bound one batch.
type BatchSettings struct {
	MaxEvents int           `collect:"max_events,reload" doc:"Most events in a batch."`
	MaxBytes  Bytes         `collect:"max_bytes,reload" doc:"Most bytes in a batch."`
	MaxWait   time.Duration `collect:"max_wait,reload" doc:"Longest time an event waits for others when they trickle in."`
}

// InFlightSettings bound what a source has emitted and not yet got acknowledged.
type InFlightSettings struct {
	MaxBatches int   `collect:"max_batches,reload" doc:"Most batches emitted and not acknowledged."`
	MaxBytes   Bytes `collect:"max_bytes,reload" doc:"Most bytes emitted and not acknowledged."`
}

// SourceSettings are the arguments that every source has.
type SourceSettings struct {
	Batch      BatchSettings    `collect:"batch" doc:"When a batch leaves the source: when the input is empty or a limit is reached."`
	InFlight   InFlightSettings `collect:"in_flight" doc:"Limit of what is emitted and not acknowledged: the most that a crash sends again, besides what was acknowledged in the second before."`
	AckTimeout time.Duration    `collect:"ack_timeout" doc:"For sources that answer: how long a sender waits before it gets a refusal."`
	DeadLetter Ref              `collect:"dead_letter,ref=channel" doc:"Channel for events that an interceptor or a route cannot handle."`
}

// DefaultSourceSettings gives the defaults.
func DefaultSourceSettings() SourceSettings {
	return SourceSettings{
		Batch:      BatchSettings{MaxEvents: 4096, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond},
		InFlight:   InFlightSettings{MaxBatches: 64, MaxBytes: 16 << 20},
		AckTimeout: 30 * time.Second,
	}
}

// RetrySettings bound how a sink tries again.
type RetrySettings struct {
	Initial time.Duration `collect:"initial,reload" doc:"First pause after a failure; it doubles, with full jitter."`
	Max     time.Duration `collect:"max,reload" doc:"Longest pause between tries."`
}

// SinkBatchSettings bound what a sink takes at once.
type SinkBatchSettings struct {
	MaxEvents int   `collect:"max_events" doc:"Most events handed to the sink at once; larger batches are split."`
	MaxBytes  Bytes `collect:"max_bytes" doc:"Most bytes handed to the sink at once."`
}

// SinkSettings are the arguments that every sink has besides its channel.
type SinkSettings struct {
	Batch      SinkBatchSettings `collect:"batch" doc:"Whole batches are taken; larger ones are split."`
	Retry      RetrySettings     `collect:"retry" doc:"Pauses between tries; a sink tries for ever."`
	DeadLetter Ref               `collect:"dead_letter,ref=channel" doc:"Channel for events that can never be delivered."`
	Workers    int               `collect:"workers" doc:"Calls of the sink at the same time. Every sink that exists has a window of its own, so only 1 is allowed."`
}

// DefaultSinkSettings gives the defaults.
func DefaultSinkSettings() SinkSettings {
	return SinkSettings{Retry: RetrySettings{Initial: 100 * time.Millisecond, Max: 30 * time.Second}, Workers: 1}
}

// BackoffSettings bound how a group returns to a member that failed.
type BackoffSettings struct {
	Initial time.Duration `collect:"initial" doc:"First pause before a failed member is tried again."`
	Max     time.Duration `collect:"max" doc:"Longest pause."`
}

// GroupSettings are the arguments of a sink_group.
type GroupSettings struct {
	Strategy string          `collect:"strategy,required,enum=failover|load_balance|replicate" doc:"How members share the channel."`
	Policy   string          `collect:"policy,enum=round_robin|random" doc:"How load_balance chooses."`
	Backoff  BackoffSettings `collect:"backoff" doc:"Pauses before a failed member is tried again."`
	Sticky   time.Duration   `collect:"sticky" doc:"How long a batch of unknown outcome waits for the same member."`
	OnLag    string          `collect:"on_lag,enum=block" doc:"What replicate does when the slowest member fills the channel."`
}

// DefaultGroupSettings gives the defaults.
func DefaultGroupSettings() GroupSettings {
	return GroupSettings{
		Policy:  "round_robin",
		Backoff: BackoffSettings{Initial: time.Second, Max: 30 * time.Second},
		Sticky:  10 * time.Second,
		OnLag:   "block",
	}
}
