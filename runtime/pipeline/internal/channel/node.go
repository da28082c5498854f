// Package channel holds a running channel: what reads it, by which consumer, and what outlives them.
package channel

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

// Node is one running channel.
type Node struct {
	Name      string
	Type      string
	Signature string // what it was made of; a node whose signature is wanted again stays
	Durable   bool
	Channel   flow.Channel
	Stats     *flow.Stats
	Dir       flow.Dir // its own directory; closed with it

	consumers map[string]flow.Consumer // by reader
	seats     seats
	joined    bool // a consumer was made since the last Leave

	mu      sync.Mutex // guards readers
	readers []Reader
}

// Reader delivers what the channel holds.
type Reader interface {
	// Pressure asks for what is held back to be delivered soon.
	Pressure()
}

// Open opens the channel and learns who read it before.
func (n *Node) Open(ctx context.Context) error {
	if err := guard.Call(func() error { return n.Channel.Open(ctx) }); err != nil {
		return fmt.Errorf("channel %s: %w", n.Name, err)
	}
	if n.Durable {
		raw, _, err := datadir.Read(n.Dir, consumersName)
		if err != nil {
			return errors.Join(fmt.Errorf("channel %s: %w", n.Name, err), n.Channel.Close(ctx))
		}
		n.seats = decodeSeats(raw)
	}
	n.Channel.OnPressure(n.Pressure)
	return nil
}

// Attach adds a reader that delivers now.
func (n *Node) Attach(r Reader) {
	n.mu.Lock()
	n.readers = append(n.readers, r)
	n.mu.Unlock()
}

// Detach removes a reader.
func (n *Node) Detach(r Reader) {
	n.mu.Lock()
	n.readers = slices.DeleteFunc(n.readers, func(o Reader) bool { return o == r })
	n.mu.Unlock()
}

// Shared says whether several readers read the channel.
func (n *Node) Shared() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.readers) > 1
}

// Pressure is called when the channel is full of what its readers have leased.
func (n *Node) Pressure() {
	n.mu.Lock()
	all := slices.Clone(n.readers)
	n.mu.Unlock()
	for _, r := range all {
		r.Pressure()
	}
}

// Empty waits until everything is delivered, or ctx ends. It reports whether nothing is left.
func (n *Node) Empty(ctx context.Context) bool {
	pause, pressed := time.Millisecond, time.Time{}
	for {
		if n.Channel.Stats().Events == 0 {
			return true
		}
		if time.Since(pressed) > time.Second { // what a sink holds back must come out, also what it takes from now on
			n.Pressure()
			pressed = time.Now()
		}
		if wait.Sleep(ctx, pause) != nil {
			return n.Channel.Stats().Events == 0
		}
		pause = min(pause*2, 100*time.Millisecond)
	}
}

// Close closes the channel and its directory.
func (n *Node) Close(ctx context.Context) error {
	closing, cancel := wait.ToClose(ctx) // closing must end even after the deadline
	defer cancel()
	err := guard.Call(func() error { return n.Channel.Close(closing) })
	if n.Dir != nil {
		err = errors.Join(err, n.Dir.Close())
	}
	if err != nil {
		return fmt.Errorf("channel %s: close: %w", n.Name, err)
	}
	return nil
}

// Reserve takes room for a batch, and waits for it as long as the channel wants.
func (n *Node) Reserve(ctx context.Context, size flow.Size) (slot flow.Slot, err error) {
	err = guard.Call(func() (err error) {
		slot, err = n.Channel.Reserve(ctx, size)
		return err
	})
	return slot, err
}
