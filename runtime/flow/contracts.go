package flow

import (
	"context"
	"errors"
	"time"
)

// Source reads events from somewhere.
type Source interface {
	// Run emits batches until ctx ends; then it emits what it holds and returns nil. Emit for one position key is serial. An error
	// means the source cannot go on; the pipeline starts it again after a pause.
	Run(ctx context.Context, out Emitter) error
}

// Emitter takes batches from a source.
type Emitter interface {
	// Emit takes over the batch, and blocks while channels are full or too much is in flight. An error means it was not taken; it
	// is then acknowledged as Abandoned and the source must stop.
	Emit(ctx context.Context, b *Batch) error
}

// Interceptor changes, drops or dead-letters events before they reach a channel.
type Interceptor interface {
	// Intercept handles events lo to hi-1 of a batch, which belong to one run. An error is about the component, not about an
	// event: the pipeline undoes what was done to them and tries again.
	Intercept(b *Batch, lo, hi int, k *Keep) error
}

// Size is how much room a batch takes.
type Size struct {
	Events int
	Bytes  int64
}

// Channel holds batches between source and sink.
type Channel interface {
	// Open recovers what the channel holds. Nothing else is called before.
	Open(ctx context.Context) error
	// Reserve waits until there is room, first come first served. A size larger than the whole channel is an error.
	Reserve(ctx context.Context, n Size) (Slot, error)
	// Consumer gives the consumer of that name; each has a progress of its own. A new one begins with what is not committed by all
	// others. A durable channel keeps everything for the consumers it knew last time until Forgo.
	Consumer(name string) Consumer
	// Forgo says that a consumer does not exist any more. All its leases have ended.
	Forgo(consumer string) error
	// Decided gives the position up to which the channel has decided a key.
	Decided(key string) (uint64, bool)
	// Forget says that no batch of this key will come again.
	Forget(key string)
	// OnPressure sets what is called, without blocking, when a reservation must wait although all that the channel holds is
	// leased: only the sinks can make room.
	OnPressure(f func())
	// Stats tells how full it is.
	Stats() ChannelStats
	// Close stops; a durable channel keeps what it holds. All leases have ended before.
	Close(ctx context.Context) error
}

// Slot is reserved room.
type Slot interface {
	// Put stores a batch and ends the slot. The channel takes over the caller's hold and calls Ack once: Durable when a crash cannot lose
	// it any more, or, when the channel is volatile, Delivered when its last consumer committed it. Events that the channel has
	// decided are skipped. On error nothing was taken, the room stays reserved, and the caller tries again or releases.
	Put(b *Batch) error
	// Release gives the room back.
	Release()
}

// Consumer reads a channel in order.
type Consumer interface {
	// Take waits for the next batch. Returned leases come again before newer ones.
	Take(ctx context.Context) (Lease, error)
	// Waiting gives the events that are not committed.
	Waiting() int64
}

// Lease is a batch that was handed out and is not finished. Many may be open, and end in any order.
type Lease interface {
	// Batch gives the batch, with one hold for the caller, who releases it. It is called at most once. A durable channel pins no
	// memory for the lease.
	Batch() *Batch
	// Commit ends the batch for this consumer, for good.
	Commit() error
	// Return gives it back, to be taken again.
	Return()
}

// ChannelStats is how full a channel is.
type ChannelStats struct {
	Events   int64         // waiting or leased, for the slowest consumer
	Bytes    int64         // held, as counted against the capacity
	Capacity int64         // bytes
	Oldest   time.Time     // when the oldest event waiting came in; zero: none
	Damaged  int64         // events set aside because their stored form was damaged
	Full     bool          // a reservation waits
	Stalled  time.Duration // how long the disk has not answered
	LastErr  string        // why it refuses at present, such as a full disk
}

// Result is what became of a batch at a sink.
type Result struct {
	// Err is why the whole batch was not delivered; Permanent errors are not tried again. nil: delivered, except Events.
	Err error
	// Events lists single events that were not delivered, by index.
	Events []EventResult
	// Unknown says that a batch which failed may have been delivered all the same.
	Unknown bool
}

// EventResult is what became of one event.
type EventResult struct {
	Index int
	Err   error // Permanent: dead-lettered; otherwise tried again
}

// Sink delivers batches.
type Sink interface {
	// Open completes what an earlier run left unfinished. The pipeline tries again until it succeeds.
	Open(ctx context.Context) error
	// Write accepts a batch and blocks while the sink's window is full. The sink then calls b.Done once, from any goroutine and
	// in any order. An error means that the batch was not accepted; Done is not called.
	Write(ctx context.Context, b *Batch) error
	// Flush makes everything accepted become done soon: files close, clients send.
	Flush(ctx context.Context) error
	// Close ends the sink; what is accepted and not done is not done any more: it is tried again by the next run.
	Close(ctx context.Context) error
}

// SetDone is called by the pipeline before Write.
func (b *Batch) SetDone(f func(*Batch, Result)) { b.done = f }

// Done ends a batch at a sink. The sink must not touch the batch any more.
func (b *Batch) Done(r Result) {
	f := b.done
	b.done = nil
	if f == nil {
		b.pool.Violated("a batch was done twice")
		return
	}
	f(b, r)
}

// Keep collects what an interceptor decides about events.
type Keep struct {
	verdicts []verdict
	onPut    []func()
	any      bool
}

type verdict struct {
	kind   verdictKind
	reason string
}

type verdictKind uint8

const (
	kept verdictKind = iota
	dropped
	deadLettered
)

// Reset prepares for a batch of n events.
func (k *Keep) Reset(n int) {
	k.verdicts = append(k.verdicts[:0], make([]verdict, n)...)
	k.onPut, k.any = k.onPut[:0], false
}

// Drop removes event i; it is counted by reason.
func (k *Keep) Drop(i int, reason string) {
	k.verdicts[i], k.any = verdict{dropped, reason}, true
}

// DeadLetter sends event i, as it was read, to the dead-letter channel.
func (k *Keep) DeadLetter(i int, reason string) {
	k.verdicts[i], k.any = verdict{deadLettered, reason}, true
}

// OnPut asks for a call when the batch is stored: state that an interceptor keeps may change only then, since a batch that is
// not stored comes again.
func (k *Keep) OnPut(f func()) { k.onPut = append(k.onPut, f) }

// Puts gives the calls that OnPut asked for.
func (k *Keep) Puts() []func() { return k.onPut }

// Gone says whether event i was dropped or dead-lettered.
func (k *Keep) Gone(i int) bool { return k.verdicts[i].kind != kept }

// Any says whether any event was dropped or dead-lettered.
func (k *Keep) Any() bool { return k.any }

// IsDeadLetter says whether event i is for the dead-letter channel, and why.
func (k *Keep) IsDeadLetter(i int) (reason string, ok bool) {
	v := k.verdicts[i]
	return v.reason, v.kind == deadLettered
}

// Apply removes the events that are gone from the batch, which nobody else holds, and counts drops by reason.
func (k *Keep) Apply(b *Batch, count func(reason string, n int)) {
	if !k.any {
		return
	}
	out := 0
	for r := range b.runs {
		run := &b.runs[r]
		first, end := run.First, run.First+run.N
		run.First = out
		for i := first; i < end; i++ {
			if v := k.verdicts[i]; v.kind != kept {
				if v.kind == dropped {
					count(v.reason, 1)
				}
				continue
			}
			b.recs[out] = b.recs[i]
			if b.times != nil {
				b.times[out] = b.times[i]
			}
			out++
		}
		run.N = out - run.First
	}
	b.recs = b.recs[:out]
	if b.times != nil {
		b.times = b.times[:out]
	}
	k.Reset(out)
}

// ErrClosed is returned by calls on something that was closed.
var ErrClosed = errors.New("closed")

// ErrTooLarge is returned by Reserve for what can never fit.
var ErrTooLarge = errors.New("larger than the channel")

// ErrFull is returned by Reserve of a channel that rejects instead of blocking.
var ErrFull = errors.New("the channel is full")

type permanentError struct{ err error }

func (e permanentError) Error() string { return e.err.Error() }
func (e permanentError) Unwrap() error { return e.err }

// Permanent marks an error that trying again cannot mend.
func Permanent(err error) error { return permanentError{err} }

// IsPermanent says whether trying again is useless.
func IsPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}
