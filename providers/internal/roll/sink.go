package roll

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"collect/hclspec/expr"
	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/providers/internal/roll/internal/journal"
	"collect/runtime/flow"
)

// Limits say when a file ends. Zero is no limit.
type Limits struct {
	Size     int64
	Events   int
	Interval time.Duration // since the file was begun
	Idle     time.Duration // since its last event
}

// Name is what final names are made of.
type Name struct {
	Base   string // last segment of the event's path, for sinks whose path names a file
	Unique string // agent, channel, opening and sequence of the first batch: no two files have it in common
	Part   int    // above 0 when the name without it was taken
	Ext    string // of the compression
}

// Options configure a Sink.
type Options struct {
	Path      *Path
	FileNamed bool // the path ends in a file name, not in a directory
	Codec     codec.Codec
	Files     codec.Options
	Limits    Limits
	CloseWhen *expr.Program // nil: never
	MaxOpen   int
	InUse     string // suffix of temporary files
	Final     func(n Name) string
	Backend   func(url string) (Backend, error) // for the root, or for one that an earlier run wrote to
	// Published is called after files were published in a directory; base is as in Name. It may be nil.
	Published func(ctx context.Context, dir, base string)
}

// maxHeld bounds the batches that wait for their files: each costs a few hundred bytes.
const maxHeld = 65536

// maxPinned bounds the batches that are kept in memory because some of their events cannot be delivered.
const maxPinned = 64

// maxQueued is how many groups may wait to be published before writers wait.
const maxQueued = 2

// Sink writes events into rolled files. It implements flow.Sink.
type Sink struct {
	o      Options
	env    flow.Env
	id     string // of this sink, in names of temporary files
	dir    flow.Dir
	cancel context.CancelFunc
	loops  sync.WaitGroup
	wake   chan struct{} // tells the clock that a file is open
	kick   chan struct{} // tells the publisher that a group is queued

	gate               gate.Gate // serialises all that follows, over I/O
	backend            Backend
	temps              *journal.Temps
	open               map[string]*file // that take events, by path
	list               []*file          // the same in the order in which they were begun
	held               int              // batches in groups not yet queued
	pinned             int              // of these, kept in memory
	plan               plan
	opened             bool
	before             *journal.Delivered // as found at Open: what an earlier run delivered
	runID              string
	counter, temporary int64

	handles atomic.Int64       // files with an open handle
	done    *journal.Delivered // as in the newest intent; the publisher's

	mu          sync.Mutex // guards all below, never over I/O
	queue       []*group
	current     *group         // being published
	queued      int64          // groups ever queued
	finished    int64          // groups ever finished
	finishedOne chan struct{}  // closed and replaced whenever a group is finished
	leftover    []journal.Temp // temporary files that could not be removed
	closed      bool
}

var _ flow.Sink = (*Sink)(nil)

// New makes a sink; it touches nothing.
func New(o Options, env flow.Env) *Sink {
	if o.InUse == "" {
		o.InUse = ".tmp"
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = 500
	}
	return &Sink{
		o: o, env: env, id: shortID(env),
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1), gate: gate.New(),
		open: map[string]*file{}, finishedOne: make(chan struct{}), before: &journal.Delivered{}, done: &journal.Delivered{},
	}
}

// shortID gives eight letters that stay the same for this sink.
func shortID(env flow.Env) string {
	id := strings.ReplaceAll(env.ID, "-", "")
	if len(id) < 8 {
		id = fmt.Sprintf("%08x", sum(env.Agent+"/"+env.Component))
	}
	return id[:8]
}

func sum(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// Open completes the roll that an earlier run began, removes what it left, and starts.
func (s *Sink) Open(ctx context.Context) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	if s.opened {
		return nil
	}
	if err := s.prepare(ctx); err != nil {
		if s.backend != nil {
			_ = s.backend.Close() // the error that counts is the one above
			s.backend = nil
		}
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives Open; Close ends it
	s.cancel = cancel
	s.loops.Go(func() { s.clock(run) })
	s.loops.Go(func() { s.publisher(run) })
	s.opened = true
	return nil
}

func (s *Sink) prepare(ctx context.Context) error {
	if s.dir == nil {
		d, err := s.env.FS.OpenDir(s.env.Dir)
		if err != nil {
			return fmt.Errorf("open the sink's directory: %w", err)
		}
		s.dir = d
	}
	b, err := s.o.Backend(s.o.Path.URL())
	if err != nil {
		return err
	}
	s.backend = b
	if err := b.Open(ctx); err != nil {
		return err
	}
	found, err := s.recover(ctx)
	if err != nil {
		return err
	}
	s.done, s.before = found, found
	s.temps, err = journal.OpenTemps(s.dir, s.leftover)
	return err
}

// Write writes the events of a batch into their files. The batch is done when all of these are published.
func (s *Sink) Write(ctx context.Context, b *flow.Batch) error {
	if s.before.Has(b.ID()) {
		b.Done(flow.Result{Events: s.before.Failures(b.ID())})
		return nil
	}
	if err := s.room(ctx); err != nil {
		return err
	}
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	if !s.opened {
		s.gate.Leave()
		return flow.ErrClosed
	}
	err := s.write(ctx, b)
	var failed *group
	if err != nil {
		failed = s.abandonPlan(ctx)
	}
	s.gate.Leave()
	if failed != nil {
		failed.fail(err)
	}
	return err
}

// room waits while too many groups are queued.
func (s *Sink) room(ctx context.Context) error {
	for {
		s.mu.Lock()
		full, idle := len(s.queue) >= maxQueued, s.finishedOne
		s.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Flush closes and publishes all files, and returns when everything accepted before is done.
func (s *Sink) Flush(ctx context.Context) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	if s.opened {
		s.sealAll()
	}
	s.gate.Leave()
	s.mu.Lock()
	upTo := s.queued
	s.mu.Unlock()
	for {
		s.mu.Lock()
		quiet, idle := s.finished >= upTo || s.closed, s.finishedOne
		s.mu.Unlock()
		if quiet {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close gives up what is not published: the temporary files are removed, their batches come again.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	s.loops.Wait()
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	return s.shutdown(ctx)
}
