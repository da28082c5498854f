package deliver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/counters"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// Member is one sink of a runner: the only one, or one of a group.
type Member struct {
	name  string
	make  func() (flow.Sink, error)
	stats *flow.Stats
	log   *slog.Logger
	edge  *counters.Edge
	dead  *counters.Edge
	wake  func() // tells the runner that the member may be usable now

	opening sync.WaitGroup

	mu     sync.Mutex // guards all below
	retry  *wait.Backoff
	sink   flow.Sink
	open   bool
	broken bool      // it panicked and must be made anew
	left   bool      // close gave up waiting: whoever opens it must close it
	until  time.Time // not before
	ill    bool      // it said so, and nothing worked since
}

// MemberConfig is what a member is made of.
type MemberConfig struct {
	Name  string // of the sink
	Make  func() (flow.Sink, error)
	Stats *flow.Stats
	Log   *slog.Logger
	Retry *wait.Backoff
	Edge  *counters.Edge // what it delivers
	Dead  *counters.Edge // what it sends to the dead-letter channel; nil: there is none
}

// NewMember makes a member, and its sink for the first time.
func NewMember(c MemberConfig) (*Member, error) {
	m := &Member{name: c.Name, make: c.Make, stats: c.Stats, log: c.Log, retry: c.Retry, edge: c.Edge, dead: c.Dead}
	var err error
	m.sink, err = m.make()
	return m, err
}

// Name gives the name of the sink.
func (m *Member) Name() string { return m.name }

// start opens the sink, again and again until it succeeds or ctx ends.
func (m *Member) start(ctx context.Context) {
	m.stats.SetHealth(flow.Waiting, "connecting") // until it succeeds, or says why it does not
	m.opening.Go(func() {
		for ctx.Err() == nil {
			err := m.tryOpen(ctx)
			if err == nil {
				m.wake()
				return
			}
			if ctx.Err() != nil {
				return
			}
			m.report(err, flow.Waiting)
			if wait.Sleep(ctx, m.pause(err)) != nil {
				return
			}
		}
	})
}

func (m *Member) tryOpen(ctx context.Context) error {
	m.mu.Lock()
	sink := m.sink
	m.mu.Unlock()
	if sink == nil {
		var err error
		if sink, err = m.make(); err != nil {
			return err
		}
	}
	err := guard.Call(func() error { return sink.Open(ctx) })
	if !m.opened(sink, err) {
		return errors.Join(err, guard.Call(func() error { return sink.Close(ctx) }))
	}
	return err
}

// opened notes how the opening of the sink ended; false: nobody waits for it any more.
func (m *Member) opened(sink flow.Sink, err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left {
		return false
	}
	m.sink = sink
	if guard.IsPanic(err) {
		m.sink = nil
	}
	if err == nil {
		m.open, m.ill = true, false
		m.retry.Reset()
		m.stats.SetHealth(flow.OK, "")
	}
	return true
}

// report notes an error of the sink.
func (m *Member) report(err error, h flow.Health) {
	m.mu.Lock()
	m.ill = true
	m.mu.Unlock()
	m.stats.Error(err)
	if stack := guard.Stack(err); stack != "" {
		h = flow.Failed
		m.log.Error("sink panicked", "sink", m.name, "err", err, "stack", stack)
	}
	m.stats.SetHealth(h, err.Error())
}

// pause gives the wait before the next try.
func (m *Member) pause(error) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.retry.Next()
}

// failed keeps the member out of use for a while.
func (m *Member) failed(slow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Now().Before(m.until) {
		return // several batches of one failure are one failure
	}
	d := m.retry.Next()
	if slow {
		d = m.retry.Slowest()
	}
	m.until = time.Now().Add(d)
}

// worked says that a batch was delivered, or refused for good.
func (m *Member) worked() {
	m.mu.Lock()
	again := m.ill || m.retry.Failing()
	m.ill = false
	m.retry.Reset()
	m.until = time.Time{}
	m.mu.Unlock()
	if again {
		m.stats.SetHealth(flow.OK, "")
	}
}

// ready says whether the member may be written to, and if it is only pausing, for how long.
func (m *Member) ready(now time.Time) (ok bool, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open || m.broken {
		return false, 0
	}
	if d := m.until.Sub(now); d > 0 {
		return false, d
	}
	return true, 0
}

// SetRetry sets the pauses between tries.
func (m *Member) SetRetry(initial, most time.Duration) {
	m.mu.Lock()
	m.retry.Initial, m.retry.Max = initial, most
	m.mu.Unlock()
}

func (m *Member) write(ctx context.Context, b *flow.Batch) error {
	err := guard.Call(func() error { return m.sink.Write(ctx, b) })
	if guard.IsPanic(err) {
		m.breaks()
	}
	return err
}

func (m *Member) flush(ctx context.Context) {
	if ok, wait := m.ready(time.Now()); !ok && wait == 0 {
		return
	}
	err := guard.Call(func() error { return m.sink.Flush(ctx) })
	if guard.IsPanic(err) {
		m.breaks()
	}
	if err != nil && ctx.Err() == nil {
		m.report(err, flow.Retrying)
	}
}

func (m *Member) breaks() {
	m.mu.Lock()
	m.broken = true
	m.mu.Unlock()
}

func (m *Member) isBroken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broken
}

// errStuck says that a sink does not come back from Close: it may still do something with what it accepted.
var errStuck = errors.New("it does not stop")

// close ends the sink. Afterwards it does nothing with what it accepted.
func (m *Member) close(ctx context.Context) error {
	ended := wait.ToEnd(ctx, &m.opening)
	m.mu.Lock()
	sink := m.sink
	m.left = !ended && !m.open
	left := m.left
	m.sink, m.open, m.broken = nil, false, false
	m.mu.Unlock()
	if left { // it has accepted nothing
		return errors.New("it does not come back from opening")
	}
	if sink == nil {
		return nil
	}
	var closing sync.WaitGroup
	var err error
	closing.Go(func() { err = guard.Call(func() error { return sink.Close(ctx) }) })
	if !wait.ToEnd(ctx, &closing) {
		return errStuck
	}
	return err
}
