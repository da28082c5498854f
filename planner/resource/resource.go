// Package resource is the contract between the planner and the kinds of things it manages: agents, topics, the development
// broker. A kind reads what exists, compares it with what is wanted, and carries out one step. The planner orders,
// locks, records and prints; it knows nothing of processes or brokers.
package resource

import (
	"context"

	"collect/hclspec/schema"
)

// Object is one thing that the configuration wants.
type Object struct {
	Address        string         `json:"address"` // topic.driver_info, agent.a["5"]
	Kind           string         `json:"kind"`    // name of the Kind
	Want           map[string]any `json:"want"`    // canonical JSON, without secrets
	DependsOn      []string       `json:"depends_on,omitempty"`
	PreventDestroy bool           `json:"prevent_destroy,omitempty"`
	IgnoreChanges  []string       `json:"ignore_changes,omitempty"`
	Secrets        schema.Secrets `json:"-"` // values; never written to a plan or to state
	// Places gives file:line by path inside the object, and by "" for the object itself.
	Places map[string]string `json:"places,omitempty"`
}

// Known is what state remembers about an object: little, and nothing that reality can tell.
type Known struct {
	Address  string            `json:"address"`
	Kind     string            `json:"kind"`
	Origin   Origin            `json:"origin"`             // who made it
	Identity map[string]string `json:"identity,omitempty"` // what it is called outside: cluster id, topic id, agent id
	Applied  map[string]any    `json:"applied,omitempty"`  // what the kind must remember of its last apply, such as config keys once set
	Revision int               `json:"revision,omitempty"` // that changed it last
	Protect  bool              `json:"prevent_destroy,omitempty"`
	// Intent is set when an apply began this action and did not record its end: it was killed, or the step failed. An object
	// whose creation was begun has Origin Created and no Identity yet.
	Intent Action `json:"intent,omitempty"`
}

// Origin says who made an object.
type Origin string

// The origins. Only what was created is ever deleted.
const (
	Created Origin = "created"
	Adopted Origin = "adopted"
)

// Live is what exists.
type Live struct {
	Address  string            `json:"address"`
	Have     map[string]any    `json:"have,omitempty"`     // canonical JSON in the shape of Object.Want
	Identity map[string]string `json:"identity,omitempty"` // as in Known
	Basis    string            `json:"basis"`              // changes whenever a plan made from it must not be applied any more; no live figures
	Figures  map[string]any    `json:"figures,omitempty"`  // live figures: pid, since, backlog, rates; not part of the basis
	Unread   string            `json:"unread,omitempty"`   // why it could not be read although it may exist
	Part     string            `json:"part,omitempty"`     // the object that it is a part of: a plan about that is about it, too
}

// Action is what happens to an object.
type Action string

// The actions.
const (
	NoOp    Action = "no-op"
	Create  Action = "create"
	Update  Action = "update"
	Delete  Action = "delete"
	Replace Action = "replace" // of an agent: drained and started again on the same data
	Adopt   Action = "adopt"   // exists already and equals what is wanted: only remembered from now on
	Forget  Action = "forget"  // adopted and not wanted any more: stays, and is forgotten
	Start   Action = "start"   // as wanted, but not running
)

// Change is the difference of one object.
type Change struct {
	Address string         `json:"address"`
	Kind    string         `json:"kind"`
	Action  Action         `json:"action"`
	Reason  string         `json:"reason,omitempty"` // one clause: why, where that is not plain
	Note    string         `json:"note,omitempty"`   // stands behind the address: "running 3 h 12 m, 1,004 events/s; stays up, same process"; of a no-op: what people should know of it
	Items   []Item         `json:"items,omitempty"`  // in the order to be shown
	Loss    []Loss         `json:"loss,omitempty"`
	Before  map[string]any `json:"before,omitempty"`
	After   map[string]any `json:"after,omitempty"`
	Basis   string         `json:"basis,omitempty"` // Live.Basis, "" where nothing existed
	Known   *Known         `json:"known,omitempty"` // state at planning
	Detail  map[string]any `json:"detail,omitempty"`
	// Pulled says that a target pulled the object in.
	Pulled string `json:"pulled,omitempty"`
}

// Item is one difference inside an object, or, for a new object, one line about it.
type Item struct {
	Path      string        `json:"path"`             // "partitions", "sink.stream.compression", "source.log.route[0]"
	Action    Action        `json:"action,omitempty"` // create, update, delete; "" for a plain line
	Before    any           `json:"before,omitempty"`
	After     any           `json:"after,omitempty"`
	Sensitive bool          `json:"sensitive,omitempty"`
	Effect    schema.Effect `json:"effect,omitempty"`
	Note      string        `json:"note,omitempty"`  // what it does to running parts and to data in flight
	Place     string        `json:"place,omitempty"` // file:line
}

// Loss is something that applying would lose. It needs -confirm-loss=Address, and never covers more than the figure shown.
type Loss struct {
	Address string `json:"address"` // what to confirm: agent.x.channel.c, topic.t
	Events  int64  `json:"events"`
	Bytes   int64  `json:"bytes,omitempty"`
	What    string `json:"what"` // "events waiting", "records"
	// Writers are objects of the same plan that add to it until the plan stops them. What they add by then is covered too.
	Writers []string `json:"writers,omitempty"`
	// More may be added by the object's own parts until the apply has stopped them; it is shown and covered too.
	More int64 `json:"more,omitempty"`
}

// Unknown is the figure of a loss that nobody could count.
const Unknown = 1 << 53

// Kind manages one kind of object.
type Kind interface {
	// Name is the first part of the addresses.
	Name() string
	// Read describes the wanted objects that exist, and the known ones, and, where reality can be asked for it, those that nobody
	// wants any more. An object that does not exist is left out. A failed read is an error or Live.Unread, never an absence.
	Read(ctx context.Context, want []*Object, known []*Known) ([]*Live, error)
	// Diff compares. want is nil for what the configuration does not have; live is nil for what does not exist.
	Diff(ctx context.Context, want *Object, live *Live, known *Known, opt DiffOptions) (*Change, error)
	// Apply carries out a change and tells progress in short lines ("altering partitions 4 -> 8", "ready"). It must be
	// repeatable: killed at any moment, the next plan and apply converge. It returns what state shall remember, nil to forget.
	// With Delete want is the declared object where the whole configuration is being destroyed, and nil otherwise.
	Apply(ctx context.Context, c *Change, want *Object, opt ApplyOptions) (*Known, error)
}

// Problem is an error of Read, Diff or Apply that the user can fix in the configuration. A plain error is shown with a
// general summary and the object's place.
type Problem struct {
	Summary string // "Partitions cannot be taken away"
	Detail  string // what to do
	Path    string // the argument, as in Object.Places; "" for the object itself
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Summary
	}
	return p.Summary + ": " + p.Detail
}

// Finisher is a Kind that has something to do after all steps of an apply, such as ending a supervisor that has nothing left
// to watch over.
type Finisher interface {
	// Finish is called once after the last step. Emptied says that the apply destroyed the whole configuration and that
	// every step was done.
	Finish(ctx context.Context, emptied bool, opt ApplyOptions) error
}

// Counter is a Kind that can tell how much an object holds. It is asked by status, not by plan.
type Counter interface {
	// Count gives the records of an object that was read. want are the declared objects of the kind.
	Count(ctx context.Context, live *Live, known *Known, want []*Object) (int64, error)
}

// DiffOptions carry the user's flags.
type DiffOptions struct {
	Replace         bool // asked for with -replace
	Destroy         bool // the whole configuration is being destroyed
	ForgetPositions bool
	Confirmed       []string // addresses of losses that the user confirmed
}

// ApplyOptions carry the user's flags and the way to report.
type ApplyOptions struct {
	Report          func(line string)
	Confirmed       map[string]int64 // losses that the user confirmed: address -> most events
	Warn            func(line string)
	ForgetPositions bool
}
