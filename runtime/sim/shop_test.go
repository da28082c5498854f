package sim_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"collect/runtime/flow"
)

// shop is a server that takes events. It is on another machine, so it lives through all crashes, and it has its moods.
type shop struct {
	curses bool // it never takes cursed events

	mu     sync.Mutex // guards all below
	rand   *rand.Rand
	got    []string
	closed bool // nothing works
	calm   bool // everything works, but for what is cursed
}

func (s *shop) set(closed, calm bool) {
	s.mu.Lock()
	s.closed, s.calm = closed, calm
	s.mu.Unlock()
}

func (s *shop) bought() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

var (
	errClosedShop = errors.New("the shop is closed")
	errMoody      = errors.New("the shop does not feel like it")
	errCursed     = errors.New("the shop will never take this")
)

// open says whether the shop answers at all.
func (s *shop) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.calm && s.rand.IntN(20) == 0 {
		return errClosedShop
	}
	return nil
}

// sell takes a batch's lines as it likes.
func (s *shop) sell(lines []string) (r flow.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mood := s.rand.IntN(40)
	switch {
	case s.closed:
		return flow.Result{Err: errClosedShop}
	case s.calm:
	case mood == 0:
		return flow.Result{Err: errMoody}
	case mood == 1:
		r = flow.Result{Err: errMoody, Unknown: true} // and it may have taken them
		if s.rand.IntN(2) == 0 {
			return r
		}
	}
	for i, text := range lines {
		_, n, _ := parse(text)
		switch {
		case r.Err != nil && s.curses && cursed(n):
		case s.curses && cursed(n):
			r.Events = append(r.Events, flow.EventResult{Index: i, Err: flow.Permanent(errCursed)})
		case r.Err == nil && mood == 2 && s.rand.IntN(4) == 0:
			r.Events = append(r.Events, flow.EventResult{Index: i, Err: errMoody})
		default:
			s.got = append(s.got, text)
		}
	}
	return r
}

// pause is how long an answer takes.
func (s *shop) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rand.IntN(4000)) * time.Microsecond
}

// buyer is the sink that sells to a shop: a window of batches, answered in order. After a batch that failed as a whole those
// accepted behind it fail too, as when a connection breaks.
type buyer struct {
	shop *shop
	loop sync.WaitGroup
	end  context.CancelFunc
	room chan struct{}
	work chan *flow.Batch

	mu      sync.Mutex // guards all below
	waiting int
	idle    chan struct{} // closed when nothing waits
}

const buyerWindow = 6

func newBuyer(s *shop) *buyer {
	return &buyer{shop: s, room: make(chan struct{}, buyerWindow), work: make(chan *flow.Batch, buyerWindow)}
}

func (b *buyer) Open(ctx context.Context) error {
	if err := b.shop.open(); err != nil {
		return err
	}
	if b.end != nil {
		return nil
	}
	run, end := context.WithCancel(context.WithoutCancel(ctx))
	b.end = end
	b.loop.Go(func() { b.serve(run) })
	return nil
}

func (b *buyer) Write(ctx context.Context, batch *flow.Batch) error {
	if err := b.shop.open(); err != nil {
		return err
	}
	select {
	case b.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	if b.waiting == 0 {
		b.idle = make(chan struct{})
	}
	b.waiting++
	b.mu.Unlock()
	b.work <- batch
	return nil
}

func (b *buyer) serve(ctx context.Context) {
	for {
		var batch *flow.Batch
		select {
		case batch = <-b.work:
		case <-ctx.Done():
			return
		}
		if pause(ctx, b.shop.pause()) != nil {
			return
		}
		lines := make([]string, batch.Len())
		for i := range lines {
			lines[i] = string(batch.Body(i))
		}
		r := b.shop.sell(lines)
		b.done(batch, r)
		if r.Err != nil {
			b.failRest(r.Err)
		}
	}
}

func (b *buyer) failRest(err error) {
	for {
		select {
		case batch := <-b.work:
			b.done(batch, flow.Result{Err: err})
		default:
			return
		}
	}
}

func (b *buyer) done(batch *flow.Batch, r flow.Result) {
	batch.Done(r)
	<-b.room
	b.mu.Lock()
	if b.waiting--; b.waiting == 0 {
		close(b.idle)
	}
	b.mu.Unlock()
}

func (b *buyer) Flush(ctx context.Context) error {
	b.mu.Lock()
	waiting, idle := b.waiting, b.idle
	b.mu.Unlock()
	if waiting == 0 {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *buyer) Close(context.Context) error {
	if b.end != nil {
		b.end()
	}
	b.loop.Wait()
	return nil
}
