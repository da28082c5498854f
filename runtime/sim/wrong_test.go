package sim_test

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"collect/runtime/flow"
)

// rottenChannel hands out a batch in which a byte has changed on the medium, as one that checks nothing would.
type rottenChannel struct{ flow.Channel }

func (c rottenChannel) Consumer(name string) flow.Consumer {
	return rottenConsumer{c.Channel.Consumer(name)}
}

type rottenConsumer struct{ flow.Consumer }

func (c rottenConsumer) Take(ctx context.Context) (flow.Lease, error) {
	l, err := c.Consumer.Take(ctx)
	if err != nil {
		return nil, err
	}
	return rottenLease{l}, nil
}

type rottenLease struct{ flow.Lease }

func (l rottenLease) Batch() *flow.Batch {
	b := l.Lease.Batch()
	if b.Len() > 0 && b.ID().Seq%50 == 49 {
		body := b.Body(b.Len() / 2)
		body[len(body)-1] ^= 1
	}
	return b
}

// hastyChannel acknowledges before the batch is stored.
type hastyChannel struct{ flow.Channel }

func (c hastyChannel) Reserve(ctx context.Context, n flow.Size) (flow.Slot, error) {
	s, err := c.Channel.Reserve(ctx, n)
	return hastySlot{s}, err
}

type hastySlot struct{ flow.Slot }

func (s hastySlot) Put(b *flow.Batch) error {
	b.Ack(flow.Durable)
	return s.Slot.Put(b)
}

// hastySink is done with a batch when it has it.
type hastySink struct{ flow.Sink }

func (s hastySink) Write(ctx context.Context, b *flow.Batch) error {
	mine := b.Share()
	mine.SetDone(func(b *flow.Batch, _ flow.Result) { b.Release() })
	if err := s.Sink.Write(ctx, mine); err != nil {
		mine.Release()
		return err
	}
	b.Done(flow.Result{})
	return nil
}

// forgetful is a sink that answers for a batch as a whole, whatever became of single events.
type forgetful struct{ flow.Sink }

func (s forgetful) Write(ctx context.Context, b *flow.Batch) error {
	return s.answer(ctx, b, func(r flow.Result) flow.Result { return flow.Result{Err: r.Err, Unknown: r.Unknown} })
}

// answer changes what a sink answers.
func (s forgetful) answer(ctx context.Context, b *flow.Batch, change func(flow.Result) flow.Result) error {
	mine := b.Share()
	mine.SetDone(func(m *flow.Batch, r flow.Result) {
		m.Release()
		b.Done(change(r))
	})
	if err := s.Sink.Write(ctx, mine); err != nil {
		mine.Release()
		return err
	}
	return nil
}

// cheerful is a sink that takes every failure for a success.
type cheerful struct{ forgetful }

func (s cheerful) Write(ctx context.Context, b *flow.Batch) error {
	return s.answer(ctx, b, func(r flow.Result) flow.Result { return flow.Result{Events: r.Events} })
}

// doubtful is a sink that takes an unknown outcome for a success.
type doubtful struct{ forgetful }

func (s doubtful) Write(ctx context.Context, b *flow.Batch) error {
	return s.answer(ctx, b, func(r flow.Result) flow.Result {
		if r.Unknown {
			return flow.Result{}
		}
		return r
	})
}

// carelessChannel takes what a full disk refused for stored.
type carelessChannel struct{ flow.Channel }

func (c carelessChannel) Reserve(ctx context.Context, n flow.Size) (flow.Slot, error) {
	s, err := c.Channel.Reserve(ctx, n)
	return carelessSlot{s}, err
}

type carelessSlot struct{ flow.Slot }

func (s carelessSlot) Put(b *flow.Batch) error {
	err := s.Slot.Put(b)
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	b.Ack(flow.Durable)
	b.Release()
	s.Release()
	return nil
}

// glossingSink is done with all that it holds when it is to end that, even when it cannot.
type glossingSink struct {
	flow.Sink

	mu   sync.Mutex // guards held
	held map[*flow.Batch]func(flow.Result)
}

func (s *glossingSink) Write(ctx context.Context, b *flow.Batch) error {
	mine := b.Share()
	var once sync.Once
	done := func(r flow.Result) { once.Do(func() { b.Done(r) }) }
	s.mu.Lock()
	if s.held == nil {
		s.held = map[*flow.Batch]func(flow.Result){}
	}
	s.held[mine] = done
	s.mu.Unlock()
	forget := func() {
		s.mu.Lock()
		delete(s.held, mine)
		s.mu.Unlock()
	}
	mine.SetDone(func(m *flow.Batch, r flow.Result) {
		forget()
		m.Release()
		done(r)
	})
	if err := s.Sink.Write(ctx, mine); err != nil {
		forget()
		mine.Release()
		return err
	}
	return nil
}

func (s *glossingSink) Flush(ctx context.Context) error {
	err := s.Sink.Flush(ctx)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	for _, done := range held {
		done(flow.Result{})
	}
	return nil
}
