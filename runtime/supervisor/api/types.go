package api

import (
	"encoding/json"
	"time"

	"collect/hclspec/schema"
)

// Version of the control protocol.
const Version = 1

// Installation is the snapshot of everything: what status prints and every other view reads.
type Installation struct {
	Version     int         `json:"version"`
	Name        string      `json:"installation"`
	DataDir     string      `json:"data_dir"`
	Revision    int         `json:"revision,omitempty"`
	Commit      string      `json:"commit,omitempty"`
	At          time.Time   `json:"at"`
	Supervisor  *Supervisor `json:"supervisor"` // nil: not running
	Broker      *Broker     `json:"development_broker,omitempty"`
	Agents      []Agent     `json:"agents"` // sorted by address
	Topics      []Topic     `json:"topics"`
	Unreachable []string    `json:"unreachable,omitempty"` // what could not be asked, and why
}

// Supervisor is the process that watches over the agents.
type Supervisor struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	Build string    `json:"build"`
}

// Broker is the development broker.
type Broker struct {
	Address string `json:"address"`
	PID     int    `json:"pid"`
	State   State  `json:"state"`
}

// Topic is a topic as status shows it.
type Topic struct {
	Address    string `json:"address"`
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
	Error      string `json:"error,omitempty"`
}

// State is the state of a process.
type State string

// The states.
const (
	Running     State = "running"
	Starting    State = "starting"
	Draining    State = "draining"
	Blocked     State = "blocked"
	Stopped     State = "stopped"
	Crashed     State = "crashed"
	Unreachable State = "unreachable" // its lock is held and it does not answer
)

// Agent is one agent process.
type Agent struct {
	// Violations is how often the process found something that can only be a bug of it; its sources are blocked since the first.
	Violations int64 `json:"violations,omitempty"`

	Address    string      `json:"address"`
	ID         string      `json:"id"`
	PID        int         `json:"pid"`
	Start      string      `json:"start,omitempty"` // names this run of the process: counters begin at 0 with it
	State      State       `json:"state"`
	Ready      bool        `json:"ready"`
	NotReady   string      `json:"not_ready,omitempty"` // what it waits for
	Since      time.Time   `json:"since"`
	Restarts   int         `json:"restarts"`
	ConfigHash string      `json:"config_hash"`
	Build      string      `json:"build,omitempty"`
	RunPID     int         `json:"run_pid,omitempty"` // the process of collect run whose child it is, as long as that lives
	RSS        int64       `json:"rss_bytes"`
	CPUSeconds float64     `json:"cpu_seconds"`
	LastExit   string      `json:"last_exit,omitempty"`
	CannotRun  bool        `json:"cannot_run,omitempty"` // it ended soon after its last starts
	Components []Component `json:"components"`
	Edges      []Edge      `json:"edges,omitempty"`
	Orphans    []Orphan    `json:"orphans,omitempty"`
}

// Component is one source, interceptor, channel, sink or sink_group.
type Component struct {
	Kind          schema.Kind      `json:"kind"`
	Type          string           `json:"type"`
	Name          string           `json:"name"`
	Place         string           `json:"place,omitempty"` // file:line
	Health        string           `json:"health"`          // ok, idle, waiting, retrying, blocked, failed
	HealthSince   time.Time        `json:"health_since,omitzero"`
	Why           string           `json:"why,omitempty"`
	EventsIn      int64            `json:"events_in"`
	EventsOut     int64            `json:"events_out"` // a sink: delivered; a source: emitted
	BytesIn       int64            `json:"bytes_in"`
	BytesOut      int64            `json:"bytes_out"`
	EventsPerSec  float64          `json:"events_per_second"`
	BytesPerSec   float64          `json:"bytes_per_second"`
	BacklogEvents int64            `json:"backlog_events"`
	BacklogBytes  int64            `json:"backlog_bytes"`
	Capacity      int64            `json:"capacity_bytes,omitempty"`
	InFlight      int64            `json:"in_flight_events,omitempty"`
	InFlightBytes int64            `json:"in_flight_bytes,omitempty"`
	Oldest        float64          `json:"oldest_event_seconds"`
	Errors        int64            `json:"errors"`
	Retries       int64            `json:"retries"`
	Dropped       int64            `json:"dropped"`
	DroppedBy     map[string]int64 `json:"dropped_by,omitempty"`
	DeadLettered  int64            `json:"dead_lettered"`
	Duplicates    int64            `json:"possible_duplicates,omitempty"`
	LastError     string           `json:"last_error"`
	LastErrorAt   time.Time        `json:"last_error_at,omitzero"`
	FirstErrorAt  time.Time        `json:"first_error_at,omitzero"`
	Facts         []Fact           `json:"facts,omitempty"`
}

// Fact is something a component tells of itself.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// Edge is one arrow inside an agent, or out of it.
type Edge struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Kind   string `json:"kind"` // emit, take, wire, topic
	Events int64  `json:"events"`
	Bytes  int64  `json:"bytes"`
}

// UnknownEvents is the figure of something that nobody could count.
const UnknownEvents = 1 << 53

// Orphan is stored data that no declared channel owns.
type Orphan struct {
	Channel string `json:"channel"`
	Events  int64  `json:"events"`
	Bytes   int64  `json:"bytes"`
	Why     string `json:"why"`
}

// AgentMeta is agents/ID/meta.json.
type AgentMeta struct {
	Address string    `json:"address"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

// Desired is agents/ID/desired: what the supervisor shall keep true.
type Desired struct {
	State string `json:"state"` // running or stopped
}

// BrokerMeta is broker/meta.json.
type BrokerMeta struct {
	Port int `json:"port"`
}

// SpecReply is what an agent answers about its configuration.
type SpecReply struct {
	Hash string           `json:"hash"`
	Spec schema.AgentSpec `json:"spec"` // without secrets
}

// StartRequest asks the supervisor to run an agent, or to reload a running one.
type StartRequest struct {
	Meta    AgentMeta        `json:"meta"`
	Spec    schema.AgentSpec `json:"spec"`
	Secrets schema.Secrets   `json:"secrets,omitempty"`
	// Restart starts the process again, drained, also when it could reload.
	Restart bool `json:"restart,omitempty"`
	// Lose confirms the loss of what channels hold that leave: by name, the most events.
	Lose map[string]int64 `json:"lose,omitempty"`
}

// ReloadRequest asks an agent to become another spec. It answers when the new configuration is ready, or an error and
// the old one goes on.
type ReloadRequest struct {
	Spec    schema.AgentSpec `json:"spec"`
	Secrets schema.Secrets   `json:"secrets,omitempty"`
	// Lose confirms the loss of what channels hold that leave: by name, the most events.
	Lose map[string]int64 `json:"lose,omitempty"`
}

// StopRequest asks the supervisor to stop an agent.
type StopRequest struct {
	Drain   Duration `json:"drain,omitempty"` // longest wait; 0: the agent's own drain
	Empty   bool     `json:"empty,omitempty"` // sources stop, and durable channels are delivered too, within the drain
	Remove  bool     `json:"remove,omitempty"`
	Keep    bool     `json:"keep_positions,omitempty"` // with Remove: move positions to kept/
	Restart bool     `json:"restart,omitempty"`        // start it again
	// Lose is, with Remove, how many undelivered events may go with it at most, by channel.
	Lose map[string]int64 `json:"lose,omitempty"`
}

// DiscardRequest asks to remove an orphan.
type DiscardRequest struct {
	Channel string `json:"channel"`
	Events  int64  `json:"events"` // the most that it may hold
}

// StopReply says how the stop went.
type StopReply struct {
	Abandoned int64    `json:"abandoned"` // events that sources will read again
	Left      []Orphan `json:"left,omitempty"`
	Removed   bool     `json:"removed"`
	Killed    bool     `json:"killed,omitempty"` // it did not end by itself in time
}

// BrokerRequest asks the supervisor to run the development broker.
type BrokerRequest struct {
	Port int `json:"port,omitempty"` // 0: choose one, once
}

// SupervisorReply is what the supervisor answers about itself and what it watches.
type SupervisorReply struct {
	Supervisor Supervisor   `json:"supervisor"`
	Agents     []Supervised `json:"agents"` // sorted by ID
	Broker     *Supervised  `json:"development_broker,omitempty"`
}

// Supervised is one process as its supervisor sees it.
type Supervised struct {
	ID       string    `json:"id,omitempty"`
	Address  string    `json:"address"`
	State    State     `json:"state"` // starting, running, stopped, crashed
	PID      int       `json:"pid,omitempty"`
	Adopted  bool      `json:"adopted,omitempty"` // not a child of this supervisor: its exit status will not be known
	Since    time.Time `json:"since,omitzero"`
	Restarts int       `json:"restarts"`
	LastExit string    `json:"last_exit,omitempty"`
	NextTry  time.Time `json:"next_try,omitzero"` // of a crashed process
	// Quick counts its ends soon after a start, in a row: from two on it does not seem able to run.
	Quick int `json:"quick_ends,omitempty"`
}

// BrokerReply is what a start of the development broker answers, when it takes connections.
type BrokerReply struct {
	Address string `json:"address"`
	PID     int    `json:"pid"`
}

// ShutdownMode says what the end of the supervisor means for what it watches.
type ShutdownMode string

// The modes.
const (
	Leave  ShutdownMode = "leave"  // everything goes on; another supervisor will adopt it
	Drain  ShutdownMode = "drain"  // agents and broker stop, and start again with the next supervisor
	Retire ShutdownMode = "retire" // only if nothing is left to watch; nothing of the supervisor stays behind
)

// ShutdownRequest asks the supervisor to end.
type ShutdownRequest struct {
	Mode ShutdownMode `json:"mode"`
}

// ErrorReply is the body of every answer that is not 200.
type ErrorReply struct {
	Error string `json:"error"`
}

// Duration is a time.Duration that is written "20s".
type Duration time.Duration

// MarshalJSON writes "20s".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(schema.FormatDuration(time.Duration(d)))
}

// UnmarshalJSON reads "20s".
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	v, err := schema.ParseDuration(s)
	*d = Duration(v)
	return err
}
