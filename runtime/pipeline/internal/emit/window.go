package emit

import (
	"context"
	"slices"
	"sync"
	"time"

	"collect/runtime/pipeline/internal/wait"
)

// Window bounds what a source has emitted and not got acknowledged. One caller at a time enters.
type Window struct {
	room wait.Signal

	mu         sync.Mutex // guards all below
	maxBatches int
	maxBytes   int64
	bytes      int64
	open       []*join
	abandoned  int64
}

func newWindow() *Window { return &Window{room: wait.NewSignal()} }

// limit sets the limits; 0 is none.
func (w *Window) limit(batches int, bytes int64) {
	w.mu.Lock()
	w.maxBatches, w.maxBytes = batches, bytes
	w.mu.Unlock()
	w.room.Set()
}

// pressAgain is how often those who hold batches back are asked to let them go while the window is full.
const pressAgain = time.Second

// enter waits until there is room. A batch larger than the whole window enters an empty one. press asks those who hold batches back to
// let them go; it may be nil.
func (w *Window) enter(ctx context.Context, j *join, press func()) error {
	pause := time.Duration(0)
	for !w.tryEnter(j) {
		if press != nil {
			press()
			pause = pressAgain
		}
		if !w.room.Wait(ctx, pause) {
			return ctx.Err()
		}
	}
	return nil
}

func (w *Window) tryEnter(j *join) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) > 0 {
		if w.maxBatches > 0 && len(w.open) >= w.maxBatches || w.maxBytes > 0 && w.bytes+j.bytes > w.maxBytes {
			return false
		}
	}
	w.open = append(w.open, j)
	w.bytes += j.bytes
	return true
}

func (w *Window) leave(j *join, abandoned bool) {
	w.mu.Lock()
	if i := slices.Index(w.open, j); i >= 0 {
		w.open = slices.Delete(w.open, i, i+1)
		w.bytes -= j.bytes
	}
	if abandoned {
		w.abandoned += int64(j.events)
	}
	w.mu.Unlock()
	w.room.Set()
}

// Load gives what is in flight, and how many events were abandoned.
func (w *Window) Load() (batches, events int, bytes, abandoned int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.open {
		events += j.events
	}
	return len(w.open), events, w.bytes, w.abandoned
}

// AbandonAll ends everything in flight as abandoned: nobody will settle it any more.
func (w *Window) AbandonAll() {
	w.mu.Lock()
	open := slices.Clone(w.open)
	w.mu.Unlock()
	for _, j := range open {
		j.abandon()
	}
}
