package kafka

import (
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/flow"
)

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
	since  time.Time    // when it was begun; Sink.mu guards it

	mu     sync.Mutex // guards all below
	failed []flow.EventResult
	err    error
}

// reported is called by the client for each record that it took, from any goroutine.
func (t *tag) reported(err error) {
	in := t.in
	switch {
	case err == nil:
	case flow.IsPermanent(err):
		in.fail(int(t.index), err)
	case in.s.refused(err): // it was alone, so it is about this event
		in.fail(int(t.index), flow.Permanent(err))
	default:
		err = together(err)
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
	if in.left.Add(-n) != 0 {
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
	s.silence.moved = time.Now()
	delete(s.flying, in)
	s.free = append(s.free, in)
	close(s.changed)
	s.changed = make(chan struct{})
	silent := s.silent
	s.mu.Unlock()
	if !silent {
		b.Done(r)
	}
}
