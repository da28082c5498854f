package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/position"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/channel/internal/room"
	"collect/runtime/flow"
)

const (
	cacheBytes = 8 << 20 // of batches kept in memory for consumers that keep up
	cacheCount = 4096    // of frames whose places are kept in memory behind a cached one
	cursorWait = time.Second
	idleWait   = 10 * time.Second // after which an emptied segment is given back
)

// Channel is the channel.
type Channel struct {
	cfg   Config
	env   flow.Env
	room  *room.Room
	codec *frame.Codec

	// set by Open
	dir   flow.Dir
	lock  flow.File
	id    [16]byte
	epoch uint64

	turn   chan struct{} // one writer at a time holds it
	tables []byte        // room for those of the frame that is written; guarded by turn

	kick  chan struct{} // wakes the syncer
	ended chan struct{} // closed when the syncer is gone
	made  time.Time     // with the clock that never jumps
	since atomic.Int64  // when the present disk operation began, in ns after made; 0: none

	mu        sync.Mutex         // guards all below; never held during a file operation
	segs      []*segment.Segment // oldest first
	number    uint64             // of the newest segment that was ever begun
	writing   []*segment.File    // open files with frames that are not synced, oldest first; the last one is the active segment
	tail      []*entry           // the newest frames, in order of number without gaps
	next      uint64             // number of the next frame
	before    uint64             // events before it
	synced    uint64             // frames up to here are durable
	visible   uint64             // and up to here consumers see them
	unsynced  int64              // bytes that are not durable
	cached    int64              // bytes that tail keeps only for consumers
	positions position.Table
	consumers []*consumer
	cursors   flow.File
	busy      map[int]bool // slots that are being freed
	stored    uint64       // generation of what was written to the cursors file last
	gap       [2]uint64    // numbers from here on, up to there, were skipped when the channel was opened
	stale     bool         // the cursors file has changes that are not durable
	urgent    bool         // and somebody waits for them
	renew     bool         // the cursors file must be written anew
	// syncs of the cursors file: how many were begun, and the last one that succeeded
	syncsBegun, syncsDone uint64
	paused                bool // that failed; it is tried again after a while
	staleAt               time.Time
	noted                 cursor.Note
	bad                   map[string]bool // pieces that were set aside
	keep                  map[uint64]bool // numbers of segments with something that could not be read
	damaged               int64
	lastPut               time.Time
	lastSync              time.Time
	failed                error // why nothing can be made durable at present
	pause                 time.Duration
	lastErr               error
	retryAt               time.Time
	pressure              func()
	syncGate              room.Gate // opens after each round of the syncer
	opened                bool
	closed                bool
	closing               bool // all writers are gone; the syncer finishes
	timer                 *time.Timer
}

// entry is a frame in memory: one that is not durable, or one that a consumer will take soon.
type entry struct {
	segment.Place
	seq     uint64
	events  int
	before  uint64 // events of the channel before these
	seconds uint32
	b       *flow.Batch // nil: no longer in memory
	pins    int64
	extra   []frame.Position
	acks    []func(flow.Outcome) // what to call when it is durable
	takers  int                  // how many consumers took it
}

var (
	_ flow.Channel  = (*Channel)(nil)
	_ flow.Consumer = (*consumer)(nil)
	_ flow.Lease    = (*lease)(nil)
)

// New makes the channel.
func New(cfg Config, env flow.Env) (flow.Channel, error) {
	c := &Channel{
		cfg: cfg, env: env, room: room.New(int64(cfg.MaxSize)), made: time.Now(),
		turn: make(chan struct{}, 1), kick: make(chan struct{}, 1),
		positions: position.NewTable(map[string]uint64{}), bad: map[string]bool{}, keep: map[uint64]bool{},
		busy: map[int]bool{},
	}
	c.room.Violated = env.Pool.Violated
	return c, nil
}

// Open recovers what the directory holds.
func (c *Channel) Open(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	return nil
}

func (c *Channel) open(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.codec, err = frame.NewCodec(c.cfg.Compression); err != nil {
		return err
	}
	if c.dir, err = c.env.FS.OpenDir(c.env.Dir); err != nil {
		return err
	}
	if c.lock, err = recovery.Lock(c.dir); err == nil {
		err = c.recover()
	}
	if err != nil {
		c.release()
		return err
	}
	c.mu.Lock()
	c.opened = true
	c.mu.Unlock()
	c.ended = make(chan struct{})
	go c.syncer()
	c.wake()
	return nil
}

// release closes all files. What had to be durable is.
func (c *Channel) release() {
	for _, w := range c.writing {
		_ = w.Close()
	}
	for _, k := range c.consumers {
		k.turn <- struct{}{} // a Take that is under way sees that the channel is closed
		k.r.Close()
		<-k.turn
	}
	for _, f := range []flow.File{c.cursors, c.lock} {
		if f != nil {
			_ = f.Close()
		}
	}
	if c.dir != nil {
		_ = c.dir.Close()
	}
	c.codec.Close()
	c.writing, c.consumers, c.cursors, c.lock, c.dir = nil, nil, nil, nil, nil
}

// wake makes the syncer look at what there is to do.
func (c *Channel) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Decided gives the position up to which a key is decided.
func (c *Channel) Decided(key string) (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.positions.Get(key)
}

// Forget removes a key.
func (c *Channel) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.positions.Forget(key) {
		c.wake() // it is written after a while
	}
}

// OnPressure sets what is called when only the sinks can make room.
func (c *Channel) OnPressure(f func()) {
	c.mu.Lock()
	c.pressure = f
	c.mu.Unlock()
}

// press calls the pressure function when a reservation waits and consumers have nothing left to take.
func (c *Channel) press() {
	if _, waiting := c.room.State(); !waiting {
		return
	}
	c.wake() // perhaps a segment can go
	c.mu.Lock()
	f := c.pressure
	held := false
	for _, k := range c.consumers {
		if k.next < c.next || len(k.returned) > 0 {
			f = nil
		}
		held = held || k.p.Frontier+1 < c.next
	}
	c.mu.Unlock()
	if f != nil && held {
		f()
	}
}

// Stats tells how full the channel is.
func (c *Channel) Stats() flow.ChannelStats {
	used, waiting := c.room.State()
	s := flow.ChannelStats{Bytes: used, Capacity: c.room.Capacity(), Full: waiting}
	if began := c.since.Load(); began != 0 {
		s.Stalled = time.Since(c.made) - time.Duration(began)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Damaged = c.damaged
	if c.failed != nil {
		s.LastErr = c.failed.Error()
	} else if c.lastErr != nil {
		s.LastErr = c.lastErr.Error()
	}
	for _, k := range c.consumers {
		left := int64(c.before - min(k.p.Committed(), c.before))
		s.Events = max(s.Events, left)
		if left == 0 {
			continue
		}
		if at := k.oldest(); !at.IsZero() && (s.Oldest.IsZero() || at.Before(s.Oldest)) {
			s.Oldest = at
		}
	}
	return s
}

// oldest gives about when the oldest frame that is not committed was put. The caller holds the channel's mutex.
func (k *consumer) oldest() time.Time {
	seconds := k.seconds // of the frame taken last: not younger than what comes next
	if i := slices.IndexFunc(k.c.tail, func(e *entry) bool { return !k.p.Done(e.seq) }); i >= 0 && (i > 0 || k.p.Done(k.c.tail[0].seq-1)) {
		seconds = k.c.tail[i].seconds
	}
	for _, l := range k.open {
		seconds = min(seconds, l.seconds)
	}
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// Close makes everything durable and stops.
func (c *Channel) Close(ctx context.Context) error {
	c.mu.Lock()
	if !c.opened || c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	for _, k := range c.consumers {
		k.gate.Open()
	}
	c.syncGate.Open()
	c.mu.Unlock()
	c.room.Close()
	c.turn <- struct{}{} // the last writer has finished, and none comes after
	<-c.turn
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.wake()
	select {
	case <-c.ended:
	case <-ctx.Done():
		return fmt.Errorf("close channel: the disk does not answer: %w", ctx.Err())
	}
	c.mu.Lock()
	err := c.failed
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("close channel: %w", err)
	}
	return nil
}

var errEnded = errors.New("put into a slot that has ended")
