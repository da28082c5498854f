// Package memory is the channel that holds batches in memory. What it holds is gone with the process, so it acknowledges a batch
// only when its last consumer has committed it: behind a source that can replay, nothing is lost either.
//
// It counts the memory that batches pin, not the bytes of their events; a batch that uses less than half of what it pins is
// copied when it is put. Batches are handed out without a copy.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/channel/internal/room"
	"collect/runtime/flow"
)

// Config holds the arguments.
type Config struct {
	MaxSize  schema.Bytes `collect:"max_size" doc:"Memory that waiting and unfinished batches may pin."`
	WhenFull string       `collect:"when_full,enum=block|reject" doc:"What a full channel does to its sources: block makes them wait, reject refuses the batch, only where all sources can answer."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{MaxSize: 32 << 20, WhenFull: "block"} }

// About describes the channel.
var About = schema.About{
	Doc:          "Holds events in memory until they are delivered. They are lost when the process ends, unless the source sends them again.",
	CapacityAttr: "max_size",
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if c.MaxSize < 1<<20 {
		return errors.New("max_size must be at least 1MiB")
	}
	return nil
}

// Channel is the channel.
type Channel struct {
	cfg  Config
	env  flow.Env
	room *room.Room

	mu        sync.Mutex // guards all below
	id        flow.ID    // of the newest batch
	first     uint64     // number of held[0]
	held      []*entry   // in order of number; finished ones leave from the front
	consumers []*consumer
	pressure  func()
	closed    bool
}

// entry is a batch and what is left to do for it. Its batch is nil when it is finished.
type entry struct {
	b         *flow.Batch
	bytes     int64
	at        time.Time
	committed []*consumer // who is done with it
}

var (
	_ flow.Channel  = (*Channel)(nil)
	_ flow.Consumer = (*consumer)(nil)
	_ flow.Lease    = (*lease)(nil)
)

// New makes the channel.
func New(cfg Config, env flow.Env) (flow.Channel, error) {
	c := &Channel{cfg: cfg, env: env, room: room.New(int64(cfg.MaxSize)), first: 1}
	c.room.Violated = env.Pool.Violated
	env.Rand.Read(c.id.Channel[:])
	c.id.Epoch = env.Rand.Uint64()
	return c, nil
}

// Open does nothing: there is nothing to recover.
func (c *Channel) Open(context.Context) error { return nil }

// Decided knows nothing: what was held by an earlier process is gone.
func (c *Channel) Decided(string) (uint64, bool) { return 0, false }

// Forget does nothing.
func (c *Channel) Forget(string) {}

// OnPressure sets what is called when only the sinks can make room.
func (c *Channel) OnPressure(f func()) {
	c.mu.Lock()
	c.pressure = f
	c.mu.Unlock()
}

// press calls the pressure function when a reservation waits and no consumer has anything left to take.
func (c *Channel) press() {
	if _, waiting := c.room.State(); !waiting {
		return
	}
	c.mu.Lock()
	f := c.pressure
	for _, k := range c.consumers {
		if k.next < c.end() || len(k.returned) > 0 {
			f = nil
		}
	}
	if len(c.held) == 0 {
		f = nil
	}
	c.mu.Unlock()
	if f != nil {
		f()
	}
}

// end gives the number that the next batch gets.
func (c *Channel) end() uint64 { return c.first + uint64(len(c.held)) }

// Reserve waits for room.
func (c *Channel) Reserve(ctx context.Context, n flow.Size) (flow.Slot, error) {
	if err := c.room.Reserve(ctx, n.Bytes, c.cfg.WhenFull == "reject", c.press); err != nil {
		return nil, err
	}
	return &slot{c: c, bytes: n.Bytes}, nil
}

type slot struct {
	c     *Channel
	bytes int64
}

func (s *slot) Release() {
	if s.c != nil {
		s.c.room.Add(-s.bytes)
		s.c = nil
	}
}

// Put stores a batch. One without events is delivered as it is.
func (s *slot) Put(b *flow.Batch) error {
	c := s.c
	if c == nil {
		return errors.New("put into a slot that has ended")
	}
	if b.Len() == 0 {
		s.Release()
		b.Ack(flow.Delivered)
		b.Release()
		return nil
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return flow.ErrClosed
	}
	b, _ = b.Compact()
	e := &entry{b: b, bytes: b.Retained(), at: time.Now()}
	if !c.append(e) {
		b.Ack(flow.Abandoned)
		b.Release()
		s.Release()
		return nil
	}
	s.c = nil
	if e.bytes != s.bytes {
		c.room.Add(e.bytes - s.bytes)
	}
	return nil
}

// append says false when the channel was closed in the meantime.
func (c *Channel) append(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.id.Seq = c.end()
	e.b.SetID(c.id)
	c.held = append(c.held, e)
	for _, k := range c.consumers {
		k.gate.Open()
	}
	return true
}

// Stats tells how full the channel is.
func (c *Channel) Stats() flow.ChannelStats {
	used, waiting := c.room.State()
	s := flow.ChannelStats{Bytes: used, Capacity: c.room.Capacity(), Full: waiting}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.held {
		if e.b == nil {
			continue
		}
		if s.Oldest.IsZero() {
			s.Oldest = e.at
		}
		s.Events += int64(e.b.Len())
	}
	return s
}

// Close abandons what is held.
func (c *Channel) Close(context.Context) error {
	c.mu.Lock()
	c.closed = true
	held := c.held
	c.held, c.first = nil, c.end()
	for _, k := range c.consumers {
		k.gate.Open()
	}
	c.mu.Unlock()
	c.room.Close()
	for _, e := range held {
		if e.b != nil {
			e.b.Ack(flow.Abandoned)
			e.b.Release()
		}
	}
	return nil
}
