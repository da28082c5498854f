package kafka

import (
	"context"
	"errors"
	"time"

	"collect/runtime/flow"
)

// Write queues the events of a batch. It is done when each has its report.
func (s *Sink) Write(ctx context.Context, b *flow.Batch) error {
	s.mu.Lock()
	faults := s.faults
	s.mu.Unlock()
	if err := s.room(ctx, b); err != nil {
		return err
	}
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
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
	if s.open == 0 {
		s.silence.moved = time.Now()
	}
	s.open++
	in.failed, in.err, in.since = nil, nil, time.Now()
	s.flying[in] = struct{}{}
	s.search.sends()
	s.mu.Unlock()
	if cap(in.tags) < b.Len() {
		in.tags = make([]tag, b.Len())
	}
	in.tags = in.tags[:b.Len()]
	in.buf = in.buf[:0]
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
		err := s.client.send(ctx, r, t)
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
