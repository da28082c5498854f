// Package room shares a fixed number of bytes among reservations, first come first served. Channels count what they hold with it.
package room

import (
	"context"
	"sync"

	"collect/runtime/flow"
)

// Room is a number of bytes of which some are taken. The zero value has no room; see New.
type Room struct {
	// Violated is told when more was given back than was taken; nil: nobody is.
	Violated func(what string)

	capacity int64

	mu      sync.Mutex // guards all below
	used    int64
	waiting []*waiter // in the order in which they came
	closed  bool
}

type waiter struct {
	n     int64
	ready chan struct{} // closed when granted or refused
	err   error
}

// New makes a room of that many bytes.
func New(capacity int64) *Room { return &Room{capacity: capacity} }

// Capacity gives the whole size.
func (r *Room) Capacity() int64 { return r.capacity }

// Reserve takes n bytes and waits until they are free; later reservations never overtake earlier ones. With reject it does not
// wait. onWait is called, without a lock, when it has to.
func (r *Room) Reserve(ctx context.Context, n int64, reject bool, onWait func()) error {
	if n > r.capacity {
		return flow.ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	switch {
	case r.closed:
		r.mu.Unlock()
		return flow.ErrClosed
	case len(r.waiting) == 0 && r.used+n <= r.capacity:
		r.used += n
		r.mu.Unlock()
		return nil
	case reject:
		r.mu.Unlock()
		return flow.ErrFull
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	r.waiting = append(r.waiting, w)
	r.mu.Unlock()
	onWait()
	select {
	case <-w.ready:
		return w.err
	case <-ctx.Done():
		return r.cancel(w, ctx.Err())
	}
}

// cancel takes a waiter out of the line. One that was granted in the meantime keeps what it got.
func (r *Room) cancel(w *waiter, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, other := range r.waiting {
		if other == w {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			r.grant() // it may have held up smaller ones
			return err
		}
	}
	return w.err
}

// grant serves waiting reservations from the front. The caller holds the mutex.
func (r *Room) grant() {
	for len(r.waiting) > 0 && r.used+r.waiting[0].n <= r.capacity {
		w := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.used += w.n
		close(w.ready)
	}
}

// Add changes what is taken without waiting: a negative n frees room. A positive one may exceed the capacity.
func (r *Room) Add(n int64) {
	r.mu.Lock()
	r.used += n
	less := r.used < 0
	if less {
		r.used = 0
	}
	if n < 0 {
		r.grant()
	}
	r.mu.Unlock()
	if less && r.Violated != nil {
		r.Violated("more room of a channel was given back than was taken")
	}
}

// State tells what is taken, and whether a reservation waits.
func (r *Room) State() (used int64, waiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used, len(r.waiting) > 0
}

// Close refuses all reservations, also those that wait.
func (r *Room) Close() {
	r.mu.Lock()
	r.closed = true
	for _, w := range r.waiting {
		w.err = flow.ErrClosed
		close(w.ready)
	}
	r.waiting = nil
	r.mu.Unlock()
}

// Gate wakes everybody who waits for a change. Its owner's mutex guards it.
type Gate struct{ ch chan struct{} }

// Wait gives a channel that is closed at the next Open. It is called with the mutex held and waited on without.
func (g *Gate) Wait() <-chan struct{} {
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

// Open wakes all who wait.
func (g *Gate) Open() {
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}
