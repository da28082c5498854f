package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/datadir"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// channelNode is one running channel.
type channelNode struct {
	name      string
	typ       string
	sig       string // what it was made of; a node whose signature is wanted again stays
	durable   bool
	ch        flow.Channel
	stats     *flow.Stats
	dir       flow.Dir                 // its own directory
	consumers map[string]flow.Consumer // by reader, the name of a runner
	seats     seats
	joined    bool // a consumer was made since the last leave

	mu      sync.Mutex // guards runners
	runners []*runner
}

// open opens the channel and learns who read it before.
func (n *channelNode) open(ctx context.Context) error {
	if err := guard.Call(func() error { return n.ch.Open(ctx) }); err != nil {
		return fmt.Errorf("channel %s: %w", n.name, err)
	}
	if n.durable {
		raw, _, err := datadir.Read(n.dir, consumersName)
		if err != nil {
			return errors.Join(fmt.Errorf("channel %s: %w", n.name, err), n.ch.Close(ctx))
		}
		n.seats = decodeSeats(raw)
	}
	n.ch.OnPressure(n.pressure)
	return nil
}

func (n *channelNode) attach(r *runner) {
	n.mu.Lock()
	n.runners = append(n.runners, r)
	n.mu.Unlock()
}

func (n *channelNode) detach(r *runner) {
	n.mu.Lock()
	n.runners = slices.DeleteFunc(n.runners, func(o *runner) bool { return o == r })
	n.mu.Unlock()
}

// shared says whether several runners read the channel.
func (n *channelNode) shared() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.runners) > 1
}

// pressure is called when the channel is full of what its runners have leased.
func (n *channelNode) pressure() {
	n.mu.Lock()
	all := slices.Clone(n.runners)
	n.mu.Unlock()
	for _, r := range all {
		r.pressure()
	}
}

// empty waits until everything is delivered, or ctx ends. It reports whether nothing is left.
func (n *channelNode) empty(ctx context.Context) bool {
	pause, pressed := time.Millisecond, time.Time{}
	for {
		if n.ch.Stats().Events == 0 {
			return true
		}
		if time.Since(pressed) > time.Second { // what a sink holds back must come out, also what it takes from now on
			n.pressure()
			pressed = time.Now()
		}
		if wait.Sleep(ctx, pause) != nil {
			return n.ch.Stats().Events == 0
		}
		pause = min(pause*2, 100*time.Millisecond)
	}
}

func (n *channelNode) close(ctx context.Context) error {
	closing, cancel := wait.ToClose(ctx) // closing must end even after the deadline
	defer cancel()
	err := guard.Call(func() error { return n.ch.Close(closing) })
	if n.dir != nil {
		err = errors.Join(err, n.dir.Close())
	}
	if err != nil {
		return fmt.Errorf("channel %s: close: %w", n.name, err)
	}
	return nil
}
