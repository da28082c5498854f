package planner

import (
	"time"

	"collect/planner/resource"
)

// EventKind says what an [Event] tells.
type EventKind string

// The kinds of events.
const (
	Started  EventKind = "started"
	Progress EventKind = "progress" // a line of a running step
	Warned   EventKind = "warned"
	Done     EventKind = "done"
	Failed   EventKind = "failed"
	Skipped  EventKind = "skipped"
)

// Event tells how an apply goes on. Events come from several goroutines, one at a time.
type Event struct {
	Kind    EventKind
	Address string
	Action  resource.Action
	Line    string // of Progress and Warned
	Err     error  // of Failed
	Because string // of Skipped: the address that failed, or why nothing more is begun
	Elapsed time.Duration
}

// Result is what became of one step. Kind is Done, Failed or Skipped.
type Result struct {
	Address string          `json:"address"`
	Action  resource.Action `json:"action"`
	Outcome EventKind       `json:"outcome"`
	Err     string          `json:"error,omitempty"`
	Because string          `json:"because,omitempty"`
	Elapsed time.Duration   `json:"elapsed"`
}

// Applied is what an apply did.
type Applied struct {
	Results     []Result      `json:"results"` // in the order of the plan's steps
	Revision    int           `json:"revision"`
	Commit      string        `json:"commit,omitempty"`
	Warnings    []string      `json:"warnings,omitempty"`
	Elapsed     time.Duration `json:"elapsed"`
	Interrupted bool          `json:"interrupted,omitempty"`
}

// Count counts what was done.
func (a *Applied) Count() Counts {
	var c Counts
	for _, r := range a.Results {
		if r.Outcome == Done {
			c.count(r.Action)
		}
	}
	return c
}

// OK says that every step was done.
func (a *Applied) OK() bool {
	for _, r := range a.Results {
		if r.Outcome != Done {
			return false
		}
	}
	return true
}
