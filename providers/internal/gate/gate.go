// Package gate has the lock of components that do I/O under it: one that a caller can stop waiting for.
package gate

import "context"

// Gate lets one in at a time. A mutex would not do: whoever waits behind a slow disk or server must be able to give up.
type Gate chan struct{}

// New makes a gate.
func New() Gate { return make(Gate, 1) }

// Enter waits until nobody is inside, or until ctx ends.
func (g Gate) Enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave lets the next one in.
func (g Gate) Leave() { <-g }
