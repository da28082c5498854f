package memory

import (
	"context"
	"errors"
	"slices"

	"collect/runtime/channel/internal/room"
	"collect/runtime/flow"
)

type consumer struct {
	c    *Channel
	name string

	// guarded by the channel's mutex
	next     uint64   // number of the first batch that was never handed out
	returned []uint64 // handed out and given back, in order
	gate     room.Gate
	gone     bool
}

// Consumer gives the consumer of that name. A new one starts at the oldest batch that is still held.
func (c *Channel) Consumer(name string) flow.Consumer {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.consumers {
		if k.name == name {
			return k
		}
	}
	k := &consumer{c: c, name: name, next: c.first}
	c.consumers = append(c.consumers, k)
	return k
}

// Forgo ends a consumer; what it alone had not committed is over. The last consumer's batches stay for whoever comes next.
func (c *Channel) Forgo(name string) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.consumers, func(k *consumer) bool { return k.name == name })
	if i < 0 {
		c.mu.Unlock()
		return nil
	}
	k := c.consumers[i]
	k.gone = true
	k.gate.Open()
	c.consumers = slices.Delete(c.consumers, i, i+1)
	var done []*entry
	for _, e := range c.held {
		if e.b != nil && c.finished(e) {
			done = append(done, &entry{b: e.b, bytes: e.bytes, committed: e.committed})
			e.b = nil
		}
	}
	c.trim()
	c.mu.Unlock()
	for _, e := range done {
		c.finish(e)
	}
	return nil
}

// finished says whether all consumers have committed an entry. The caller holds the mutex.
func (c *Channel) finished(e *entry) bool {
	for _, k := range c.consumers {
		if !slices.Contains(e.committed, k) {
			return false
		}
	}
	return len(c.consumers) > 0
}

// trim drops finished entries from the front. The caller holds the mutex.
func (c *Channel) trim() {
	n := 0
	for n < len(c.held) && c.held[n].b == nil {
		c.held[n] = nil
		n++
	}
	c.held, c.first = c.held[n:], c.first+uint64(n)
}

func (c *Channel) finish(e *entry) {
	outcome := flow.Delivered
	if len(e.committed) == 0 {
		outcome = flow.Dropped
	}
	e.b.Ack(outcome)
	e.b.Release()
	c.room.Add(-e.bytes)
}

// Take waits for the next batch.
func (k *consumer) Take(ctx context.Context) (flow.Lease, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l, wait, err := k.try()
		if err != nil {
			return nil, err
		}
		if l != nil {
			k.c.press()
			return l, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
}

// Waiting gives the events that are not committed.
func (k *consumer) Waiting() int64 {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	var n int64
	for _, e := range k.c.held {
		if e.b != nil && !slices.Contains(e.committed, k) {
			n += int64(e.b.Len())
		}
	}
	return n
}

// try gives a lease, or what to wait for.
func (k *consumer) try() (*lease, <-chan struct{}, error) {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || k.gone {
		return nil, nil, flow.ErrClosed
	}
	k.next = max(k.next, c.first) // what was finished without us, while we were the only one missing
	for k.next < c.end() && c.held[k.next-c.first].b == nil {
		k.next++
	}
	var n uint64
	switch {
	case len(k.returned) > 0:
		n = k.returned[0]
		k.returned = slices.Delete(k.returned, 0, 1)
	case k.next < c.end():
		n = k.next
		k.next++
	default:
		return nil, k.gate.Wait(), nil
	}
	return &lease{k: k, n: n, b: c.held[n-c.first].b.Lend()}, nil, nil
}

type lease struct {
	k *consumer
	n uint64
	b *flow.Batch // until Batch hands it out
	// ended is guarded by the channel's mutex.
	ended bool
}

// Batch gives the batch.
func (l *lease) Batch() *flow.Batch {
	b := l.b
	l.b = nil
	return b
}

// end says whether this call is the first to end the lease. The caller holds the mutex.
func (l *lease) end() bool {
	first := !l.ended
	l.ended = true
	return first
}

func (l *lease) release() {
	if b := l.Batch(); b != nil {
		b.Release()
	}
}

// Commit ends the batch for this consumer.
func (l *lease) Commit() error {
	l.release()
	k, c := l.k, l.k.c
	c.mu.Lock()
	if !l.end() {
		c.mu.Unlock()
		return errors.New("commit of a lease that has ended")
	}
	if c.closed || k.gone {
		c.mu.Unlock()
		return flow.ErrClosed
	}
	e := c.held[l.n-c.first]
	e.committed = append(e.committed, k)
	var done *entry
	if c.finished(e) {
		done = &entry{b: e.b, bytes: e.bytes, committed: e.committed}
		e.b = nil
		c.trim()
	}
	c.mu.Unlock()
	if done != nil {
		c.finish(done)
	}
	return nil
}

// Return gives the batch back.
func (l *lease) Return() {
	l.release()
	k := l.k
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if !l.end() || k.c.closed || k.gone {
		return
	}
	i, _ := slices.BinarySearch(k.returned, l.n)
	k.returned = slices.Insert(k.returned, i, l.n)
	k.gate.Open()
}
