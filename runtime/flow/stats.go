package flow

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Stats counts what passes a component. The pipeline counts events and bytes, retries, drops and dead letters; the component
// reports its errors, its health and its own facts.
type Stats struct {
	EventsIn, EventsOut atomic.Int64
	BytesIn, BytesOut   atomic.Int64
	Retries             atomic.Int64
	DeadLettered        atomic.Int64
	Duplicates          atomic.Int64 // events that may have been delivered twice

	mu      sync.Mutex // guards all below
	dropped map[string]int64
	errors  int64
	last    string
	lastAt  time.Time
	firstAt time.Time
	health  Health
	since   time.Time
	why     string
	facts   []Fact
}

// Health is the state of a component, in one word.
type Health string

// The states, from good to bad.
const (
	OK       Health = "ok"
	Waiting  Health = "waiting"  // for its destination, or for room
	Retrying Health = "retrying" // after an error
	Blocked  Health = "blocked"  // cannot go on without a change of configuration
	Failed   Health = "failed"   // cannot run
)

// Fact is something a component tells about itself: "files", "3", "".
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// Drop counts n events dropped for a reason.
func (s *Stats) Drop(reason string, n int) {
	s.mu.Lock()
	if s.dropped == nil {
		s.dropped = map[string]int64{}
	}
	s.dropped[reason] += int64(n)
	s.mu.Unlock()
}

// Error counts an error and keeps its text, cut at 512 bytes. The texts must hold neither a body nor a secret.
func (s *Stats) Error(err error) {
	text := err.Error()
	if len(text) > 512 {
		text = text[:512] + "…"
	}
	s.mu.Lock()
	s.errors++
	now := time.Now()
	if s.last != text {
		s.firstAt = now
	}
	s.last, s.lastAt = text, now
	s.mu.Unlock()
}

// SetHealth says how the component is, and why in a few words.
func (s *Stats) SetHealth(h Health, why string) {
	s.mu.Lock()
	if s.health != h {
		s.since = time.Now()
	}
	s.health, s.why = h, why
	s.mu.Unlock()
}

// SetFacts replaces the component's own facts.
func (s *Stats) SetFacts(f ...Fact) {
	s.mu.Lock()
	s.facts = f
	s.mu.Unlock()
}

// StatsSnapshot is a copy of the counters at one moment.
type StatsSnapshot struct {
	EventsIn, EventsOut, BytesIn, BytesOut int64
	Retries, DeadLettered, Duplicates      int64
	Dropped                                map[string]int64
	Errors                                 int64
	LastError                              string
	LastErrorAt, FirstErrorAt              time.Time
	Health                                 Health
	Since                                  time.Time
	Why                                    string
	Facts                                  []Fact
}

// Snapshot copies the counters.
func (s *Stats) Snapshot() StatsSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.health
	if h == "" {
		h = OK
	}
	return StatsSnapshot{
		EventsIn: s.EventsIn.Load(), EventsOut: s.EventsOut.Load(), BytesIn: s.BytesIn.Load(), BytesOut: s.BytesOut.Load(),
		Retries: s.Retries.Load(), DeadLettered: s.DeadLettered.Load(), Duplicates: s.Duplicates.Load(),
		Dropped: maps.Clone(s.dropped), Errors: s.errors, LastError: s.last, LastErrorAt: s.lastAt, FirstErrorAt: s.firstAt,
		Health: h, Since: s.since, Why: s.why, Facts: s.facts,
	}
}
