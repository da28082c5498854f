package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/flow"
)

// client is a Kafka producer, which sends records in the order in which it gets them. There are two engines.
type client interface {
	// begin says that the records of a batch follow, end that they are all queued, or as many of them as could be.
	begin(in *inflight)
	// send queues a record, which must stay as it is until its report. errFull means: wait and try again.
	send(r *record, t *tag) error
	end(in *inflight)
	// check asks whether the brokers answer and have the topic.
	check(ctx context.Context, topic string) error
	// flush sends what waits for company.
	flush()
	// abandon gives up everything that is not reported yet; each of it is reported with an error. Nothing is sent afterwards.
	abandon()
}

// errFull says that the client's queue is full.
var errFull = errors.New("queue is full")

// tag finds the event of a report.
type tag struct {
	in    *inflight
	index int32
}

// inflight is a batch that is being sent.
type inflight struct {
	s      *Sink
	b      *flow.Batch
	size   int64 // of the memory it pins
	bodies int64
	buf    []byte // texts made for its records
	tags   []tag
	left   atomic.Int32 // events whose fate is not known, and one while they are being queued

	mu     sync.Mutex // guards all below
	failed []flow.EventResult
	err    error
}

// Sink produces records.
type Sink struct {
	cfg     Config
	env     flow.Env
	records *records
	connect func(s *Sink, brokers []string) (client, error)

	faulted chan struct{} // tells the mender that the client has failed
	down    atomic.Bool   // broken is set
	careful atomic.Int64  // until when, in ns since 1970, each record's report must say which record it is about
	cancel  context.CancelFunc
	loop    sync.WaitGroup

	gate   chan struct{} // serialises all that follows, over calls of the client
	client client
	closed bool

	mu      sync.Mutex    // guards all below
	held    int64         // memory of accepted batches
	bodies  int64         // bytes of their bodies
	open    int           // accepted batches that are not done
	broken  error         // why the client must be made anew
	faults  int           // how often that happened
	silent  bool          // Close was called: nothing is done any more
	changed chan struct{} // closed and replaced when a batch is done or something is reported
	free    []*inflight
}

var _ flow.Sink = (*Sink)(nil)

func (s *Sink) enter(ctx context.Context) error {
	select {
	case s.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (s *Sink) leave() { <-s.gate }

// Open makes the client, and finds out whether the brokers answer and have the topic.
func (s *Sink) Open(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
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
		if s.enter(ctx) != nil {
			return
		}
		s.retire()
		s.leave()
	}
}

// ready makes the client when there is none.
func (s *Sink) ready(ctx context.Context) error {
	if s.retire(); s.client != nil {
		return nil
	}
	brokers, err := s.cfg.Provider.Resolve(s.env.Resolve)
	if err != nil {
		return err
	}
	c, err := s.connect(s, brokers)
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
		s.client.abandon()
		s.client = nil
	}
	s.mu.Lock()
	s.broken = nil
	s.down.Store(false)
	s.mu.Unlock()
}

// Write queues the events of a batch. It is done when each has its report.
func (s *Sink) Write(ctx context.Context, b *flow.Batch) error {
	s.mu.Lock()
	faults := s.faults
	s.mu.Unlock()
	if err := s.room(ctx, b); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.closed {
		return flow.ErrClosed
	}
	if err := s.overtakes(ctx, faults); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	in := s.begin(b)
	s.client.begin(in)
	if rest, err := s.queue(ctx, in); err != nil { // what is queued already cannot be called back, so the batch is accepted and fails as a whole
		s.fault(err)
		in.lost(err)
		in.report(rest)
	}
	s.client.end(in)
	in.report(1)
	return nil
}

// overtakes says why a batch must not be sent now: batches before it have failed, or are about to, and go first. While a failed client
// is not given up, their reports are still to come; once it is, the pipeline has been told, and has ended ctx.
func (s *Sink) overtakes(ctx context.Context, faults int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken != nil:
		return s.broken
	case s.faults != faults:
		return errOvertakes
	}
	return ctx.Err()
}

// errOvertakes refuses a batch that was on its way when the batches before it failed.
var errOvertakes = errors.New("batches before this one have failed and go first")

// room waits until the batches under way leave room for one more.
func (s *Sink) room(ctx context.Context, b *flow.Batch) error {
	size, bodies := b.Retained(), b.Bytes()
	for {
		s.mu.Lock()
		ok, changed := s.open == 0 || s.held+size <= window && s.bodies+bodies <= copied, s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin takes a batch on.
func (s *Sink) begin(b *flow.Batch) *inflight {
	s.mu.Lock()
	var in *inflight
	if n := len(s.free); n > 0 {
		in, s.free = s.free[n-1], s.free[:n-1]
	} else {
		in = &inflight{s: s}
	}
	in.b, in.size, in.bodies = b, b.Retained(), b.Bytes()
	s.held += in.size
	s.bodies += in.bodies
	s.open++
	s.mu.Unlock()
	if cap(in.tags) < b.Len() {
		in.tags = make([]tag, b.Len())
	}
	in.tags = in.tags[:b.Len()]
	in.buf, in.failed, in.err = in.buf[:0], nil, nil
	in.left.Store(int32(b.Len()) + 1)
	return in
}

// queue hands all events to the client. Those that can never be delivered are noted. With an error it tells how many events the
// client did not get.
func (s *Sink) queue(ctx context.Context, in *inflight) (rest int32, err error) {
	var r record
	var own error
	for i := range in.tags {
		in.buf, own = s.records.record(in.b, i, in.buf, &r)
		if own != nil {
			in.fail(i, flow.Permanent(own))
			in.report(1)
			continue
		}
		in.tags[i] = tag{in: in, index: int32(i)}
		err := s.send(ctx, &r, &in.tags[i])
		if err == nil {
			continue
		}
		if flow.IsPermanent(err) {
			in.fail(i, err)
			in.report(1)
			continue
		}
		return int32(len(in.tags) - i), err
	}
	return 0, nil
}

// send queues one record, and waits while the client's queue is full.
func (s *Sink) send(ctx context.Context, r *record, t *tag) error {
	for {
		if s.down.Load() {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.broken
		}
		err := s.client.send(r, t)
		if !errors.Is(err, errFull) {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits until batches have ended, or a little: reports of single events make room too.
func (s *Sink) pause(ctx context.Context) error {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// reported is called by the client for each record that it took, from any goroutine.
func (t *tag) reported(err error) {
	in := t.in
	switch {
	case err == nil:
	case flow.IsPermanent(err):
		in.fail(int(t.index), err)
	default:
		in.lost(err)
		in.s.fault(err)
	}
	in.report(1)
}

// lost says that the batch must be sent again. The first reason counts.
func (in *inflight) lost(err error) {
	in.mu.Lock()
	if in.err == nil {
		in.err = err
	}
	in.mu.Unlock()
}

func (in *inflight) fail(i int, err error) {
	in.mu.Lock()
	in.failed = append(in.failed, flow.EventResult{Index: i, Err: err})
	in.mu.Unlock()
}

// report counts events whose fate is known, and ends the batch after the last.
func (in *inflight) report(n int32) {
	if in.left.Add(-n) > 0 {
		return
	}
	s, b := in.s, in.b
	in.mu.Lock()
	r := flow.Result{Events: in.failed}
	if in.err != nil { // the whole batch comes again, and some of it may have arrived
		r = flow.Result{Err: in.err, Unknown: true}
	}
	in.mu.Unlock()
	in.b = nil
	if cap(in.buf) > 4<<20 {
		in.buf = nil
	}
	s.mu.Lock()
	s.held -= in.size
	s.bodies -= in.bodies
	s.open--
	s.free = append(s.free, in)
	close(s.changed)
	s.changed = make(chan struct{})
	silent := s.silent
	s.mu.Unlock()
	if !silent {
		b.Done(r)
	}
}

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
	select {
	case s.faulted <- struct{}{}:
	default: // the mender knows already
	}
}

// Flush returns when everything accepted before is done.
func (s *Sink) Flush(ctx context.Context) error {
	for {
		if err := s.enter(ctx); err != nil {
			return err
		}
		if s.client != nil {
			s.client.flush()
		}
		s.leave()
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
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.closed = true
	s.mu.Lock()
	s.silent = true
	s.mu.Unlock()
	if s.client != nil {
		s.client.abandon()
		s.client = nil
	}
	return nil
}
