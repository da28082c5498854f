package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"collect/runtime/flow"
)

// backoff gives the pauses between tries: exponential with full jitter, so that many that failed together do not come back
// together.
type backoff struct {
	initial, max time.Duration
	rand         flow.Rand
	tries        int
}

// next gives the next pause.
func (b *backoff) next() time.Duration {
	top := b.initial
	for range min(b.tries, 32) {
		if top >= b.max {
			break
		}
		top *= 2
	}
	top = max(min(top, b.max), time.Millisecond)
	b.tries++
	return time.Duration(b.rand.Uint64()%uint64(top)) + 1
}

// slowest gives the longest pause, without jitter: for what only a change of configuration can mend.
func (b *backoff) slowest() time.Duration {
	b.tries++
	return max(b.max, time.Second)
}

func (b *backoff) reset() { b.tries = 0 }

// sleep waits, or gives ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gate is a lock for callers that may wait long or give up. Unlike a mutex it may be held across calls of components.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) lock(ctx context.Context) error {
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

func (g gate) unlock() { <-g }

// signal wakes one waiter; many signals before it looks are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// wait waits for a signal, at most d when d is positive. It reports whether ctx goes on.
func (s signal) wait(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		var cancel context.CancelFunc
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

// ends waits for goroutines that were told to end. It gives up some time after ctx has ended: a component that does not listen must
// not hold up the rest.
func ends(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	patience, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends later than ctx
	defer cancel()
	over := context.AfterFunc(ctx, func() {
		if sleep(patience, closeWait) == nil {
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

// panicError is a panic of a component, caught at its border.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guard calls a component and turns its panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}
