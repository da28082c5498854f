package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"collect/providers/internal/gate"
	"collect/runtime/flow"
)

// client is a Kafka producer, which sends records in the order in which it gets them. There are two engines.
type client interface {
	// begin says that the records of a batch follow, end that they are all queued, or as many of them as could be.
	begin(in *inflight)
	// send queues a record, which must stay as it is until its report. errFull means: wait and try again. Where records go alone, it may
	// wait for the report.
	send(ctx context.Context, r *record, t *tag) error
	end(in *inflight)
	// check asks whether the brokers answer and have the topic.
	check(ctx context.Context, topic string) error
	// flush sends what waits for company.
	flush()
	// abandon gives up everything that is not reported yet. Nothing is sent afterwards. silent says that nothing will be reported
	// any more either, not even what is not reported yet; otherwise all of it is reported, now or later.
	abandon() (silent bool)
}

// errFull says that the client's queue is full.
var errFull = errors.New("queue is full")

// Sink produces records.
type Sink struct {
	cfg     Config
	env     flow.Env
	records *records
	connect func(s *Sink, brokers []string, how manner) (client, error)

	faulted chan struct{} // tells the mender that the client has failed
	down    atomic.Bool   // broken is set
	cancel  context.CancelFunc
	loop    sync.WaitGroup

	gate   gate.Gate // serialises all that follows, over calls of the client
	client client
	closed bool
	limits limits

	mu      sync.Mutex // guards all below
	held    int64      // memory of accepted batches
	bodies  int64      // bytes of their bodies
	open    int        // accepted batches that are not done
	broken  error      // why the client must be made anew
	faults  int        // how often that happened
	silent  bool       // Close was called: nothing is done any more
	search  search
	silence silence
	flying  map[*inflight]struct{}
	changed chan struct{} // closed and replaced when a batch is done or something is reported
	free    []*inflight
}

var _ flow.Sink = (*Sink)(nil)

// Open makes the client, and finds out whether the brokers answer and have the topic.
func (s *Sink) Open(ctx context.Context) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	if s.closed {
		return flow.ErrClosed
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	if s.cancel == nil {
		run, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives Open; Close ends it
		s.cancel = cancel
		s.loop.Go(func() { s.mender(run) })
		s.loop.Go(func() { s.listen(run) })
	}
	return nil
}

// mender gives up a client that has failed, so that its batches end and come again.
func (s *Sink) mender(ctx context.Context) {
	for {
		select {
		case <-s.faulted:
		case <-ctx.Done():
			return
		}
		if s.gate.Enter(ctx) != nil {
			return
		}
		s.retire()
		s.gate.Leave()
	}
}

// ready makes the client when there is none.
func (s *Sink) ready(ctx context.Context) error {
	s.retire()
	if err := s.change(ctx); err != nil {
		return err
	}
	if s.client != nil {
		return nil
	}
	brokers, err := s.cfg.Provider.Resolve(s.env.Resolve)
	if err != nil {
		return err
	}
	s.learn(ctx, brokers)
	how := s.begins()
	c, err := s.connect(s, brokers, how)
	if err != nil {
		return fmt.Errorf("kafka %s: %w", strings.Join(brokers, ","), err)
	}
	topic := ""
	if s.records.topic != nil {
		topic = *s.records.topic
	}
	if err := c.check(ctx, topic); err != nil {
		c.abandon()
		return err
	}
	s.client = c
	s.mu.Lock()
	s.silence.brokers = brokers
	s.mu.Unlock()
	return nil
}

// retire ends a client that has failed. All its batches end, and the pipeline sends them again, in order.
func (s *Sink) retire() {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil {
		return
	}
	if s.client != nil {
		s.drop()
	}
	s.mu.Lock()
	s.broken = nil
	s.down.Store(false)
	s.mu.Unlock()
}

// drop ends the client. Batches with records whose fate nobody will tell any more end as failed: they go again.
func (s *Sink) drop() {
	silent := s.client.abandon()
	s.client = nil
	if !silent {
		return
	}
	s.mu.Lock()
	left := make([]*inflight, 0, len(s.flying))
	for in := range s.flying {
		left = append(left, in)
	}
	s.mu.Unlock()
	for _, in := range left {
		in.lost(errGivenUp)
		in.report(in.left.Load())
	}
}

// errGivenUp is the fate of records that were under way when another one failed.
var errGivenUp = errors.New("given up after a failure of the client, and sent again")

// fault says that the client must be made anew. The first reason counts.
func (s *Sink) fault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return
	}
	s.broken = err
	s.down.Store(true)
	s.faults++
	if s.search.alone { // those that were not sent to the end go alone again
		s.search.left += s.open
	}
	select {
	case s.faulted <- struct{}{}:
	default: // the mender knows already
	}
}

// Flush returns when everything accepted before is done.
func (s *Sink) Flush(ctx context.Context) error {
	for {
		if err := s.gate.Enter(ctx); err != nil {
			return err
		}
		if s.client != nil {
			s.client.flush()
		}
		s.gate.Leave()
		s.mu.Lock()
		open, changed := s.open, s.changed
		s.mu.Unlock()
		if open == 0 {
			return nil
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// Close ends the client. What has no report yet is not done any more.
func (s *Sink) Close(ctx context.Context) error {
	if s.cancel != nil {
		s.cancel()
	}
	s.loop.Wait()
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	s.closed = true
	s.mu.Lock()
	s.silent = true
	s.mu.Unlock()
	if s.client != nil {
		s.drop()
	}
	return nil
}
