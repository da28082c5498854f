package wait

import (
	"context"
	"sync"
	"time"
)

// Sleep waits, or gives ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Gate is a lock for callers that may wait long or give up. Unlike a mutex it may be held across calls of components.
type Gate chan struct{}

// NewGate makes an open gate.
func NewGate() Gate { return make(Gate, 1) }

// Lock passes the gate, or gives ctx's error.
func (g Gate) Lock(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	default:
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unlock lets the next one pass.
func (g Gate) Unlock() { <-g }

// Signal wakes one waiter; many signals before it looks are one.
type Signal chan struct{}

// NewSignal makes a signal that is not set.
func NewSignal() Signal { return make(Signal, 1) }

// Set wakes the waiter, or the next one.
func (s Signal) Set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Wait waits for a signal, at most d when d is positive. It reports whether ctx goes on.
func (s Signal) Wait(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		timed, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		select {
		case <-s:
		case <-timed.Done():
		}
		return ctx.Err() == nil
	}
	select {
	case <-s:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// closing is how long a component may take to close after the deadline of a drain.
const closing = 5 * time.Second

// ToClose gives the context in which something is closed or saved for the last time: that must end even when ctx has ended.
func ToClose(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closing)
}

// ToEnd waits for goroutines that were told to end. It gives up some time after ctx has ended: a component that does not listen must
// not hold up the rest.
func ToEnd(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	patience, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends later than ctx
	defer cancel()
	over := context.AfterFunc(ctx, func() {
		if Sleep(patience, closing) == nil {
			cancel()
		}
	})
	defer over()
	select {
	case <-done:
		return true
	case <-patience.Done():
		return false
	}
}
