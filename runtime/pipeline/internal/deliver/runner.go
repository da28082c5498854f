// Package deliver takes batches from a channel to its sinks, and settles their fate: what failed is tried again for ever unless its error
// is permanent, what can never be delivered is in the dead-letter channel before its origin is committed, and a batch is committed when
// all of it is delivered or dead.
//
//	channel ── take ─▶ Runner ─▶ member ─▶ sink
//	   ◀── commit ──── settle ◀── done ──────┤
//	   ◀── return ──── recover ◀── failed ───┘ ─▶ dead letters
package deliver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/channel"
	"collect/runtime/pipeline/internal/wait"
)

// Runner takes batches from a channel and delivers them through one sink, or through the members of a group. Many may be in
// flight, as many as the sinks accept. After a failure it waits for the others, tries what failed again in order, and only then
// goes on, so that nothing newer of a key is sent before it.
type Runner struct {
	name     string
	node     *channel.Node
	consumer flow.Consumer
	members  []*Member
	group    *flow.Stats
	balance  balance
	dead     *channel.Node
	pool     *flow.Pool
	rand     flow.Rand
	limits   Limits
	counts   atomic.Bool  // this reader's progress is what the channel counts as out
	out      atomic.Int64 // events of leases that are committed

	wake    wait.Signal // something changed that the loop may wait for
	done    func(*flow.Batch, flow.Result)
	loops   sync.WaitGroup
	context context.Context
	cancel  context.CancelFunc

	mu          sync.Mutex // guards all below
	turn        context.Context
	endTurn     context.CancelFunc
	inWrite     writing
	stopping    bool
	flushNow    bool
	seq         uint64
	works       map[*work]struct{}
	outstanding map[*flow.Batch]*part
	failed      []*part
	memos       map[flow.ID]*memo
	forget      []buried
	dying       int   // leases with events in the dead-letter channel
	inFlight    int64 // events taken and not settled
	inBytes     int64
}

// Config is what a runner is made of.
type Config struct {
	Name    string // "sink.NAME", "sink_group.NAME": the reader of the channel, which it has joined
	Channel *channel.Node
	Members []*Member
	Group   *flow.Stats   // counters of the group; nil for a single sink
	Dead    *channel.Node // for what can never be delivered; nil: none
	Balance Balance
	Limits  Limits
	Pool    *flow.Pool
	Rand    flow.Rand
}

// New makes a runner, which does nothing until Start. ctx is its life.
func New(ctx context.Context, c Config) *Runner {
	r := &Runner{
		name: c.Name, node: c.Channel, consumer: c.Channel.Consumer(c.Name), members: c.Members, group: c.Group,
		balance: balance{Balance: c.Balance}, dead: c.Dead, pool: c.Pool, rand: c.Rand, limits: c.Limits, wake: wait.NewSignal(),
		works: map[*work]struct{}{}, outstanding: map[*flow.Batch]*part{}, memos: map[flow.ID]*memo{},
	}
	r.done = r.onDone
	r.context, r.cancel = context.WithCancel(ctx)
	for _, m := range r.members {
		m.wake = r.wake.Set
	}
	return r
}

// Name gives the reader's name.
func (r *Runner) Name() string { return r.name }

// Channel gives the channel that it reads.
func (r *Runner) Channel() *channel.Node { return r.node }

// Members gives its sinks.
func (r *Runner) Members() []*Member { return r.members }

// Dead gives its dead-letter channel; nil: it has none.
func (r *Runner) Dead() *channel.Node { return r.dead }

// Counts says whether this reader's progress is what the channel counts as out.
func (r *Runner) Counts(yes bool) { r.counts.Store(yes) }

// InFlight gives what is taken and not settled.
func (r *Runner) InFlight() (events, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inFlight, r.inBytes
}

// Waiting gives the number of events that are not delivered yet.
func (r *Runner) Waiting() int64 { return r.consumer.Waiting() }

// Start begins to open the members and to deliver.
func (r *Runner) Start() {
	for _, m := range r.members {
		m.start(r.context)
	}
	r.loops.Go(r.loop)
}

// loop is the runner's only goroutine besides those of the sinks.
func (r *Runner) loop() {
	retry := &wait.Backoff{Initial: 50 * time.Millisecond, Max: 5 * time.Second, Rand: r.rand}
	for r.context.Err() == nil {
		turn := r.newTurn()
		r.forgetDead(mourning)
		switch r.next() {
		case doStop:
			return
		case doFlush:
			r.flush(r.context)
		case doRecover:
			r.recover(r.context)
		case doWait:
			r.wake.Wait(turn, r.patience())
		case doTake:
			lease, err := r.take(turn)
			switch {
			case err == nil:
				retry.Reset()
				r.deliver(turn, r.begin(lease))
			case turn.Err() != nil || errors.Is(err, context.DeadlineExceeded):
			case errors.Is(err, flow.ErrClosed):
				return
			default:
				r.node.Stats.Error(err)
				r.node.Stats.SetHealth(flow.Retrying, err.Error())
				_ = wait.Sleep(turn, retry.Next()) // the loop looks why it ended
				r.node.Stats.SetHealth(flow.OK, "")
			}
		}
	}
}

type step uint8

const (
	doTake step = iota
	doFlush
	doRecover
	doWait
	doStop
)

// next says what the loop must do.
func (r *Runner) next() step {
	usable := r.anyOpen()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.flushNow:
		r.flushNow = false
		return doFlush
	case r.stopping && r.node.Durable && len(r.failed) > 0 && len(r.outstanding) == 0:
		return doStop // the channel keeps what failed
	case len(r.failed) > 0:
		return doRecover
	case r.stopping && len(r.outstanding) == 0 && len(r.works) == 0:
		return doStop
	case r.stopping || !usable:
		return doWait
	}
	return doTake
}

func (r *Runner) anyOpen() bool {
	for _, m := range r.members {
		m.mu.Lock()
		open := m.open && !m.broken
		m.mu.Unlock()
		if open {
			return true
		}
	}
	return false
}

// newTurn gives the context of the next wait, but not of a write. Whoever has something for the loop ends it.
func (r *Runner) newTurn() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn == nil || r.turn.Err() != nil {
		r.turn, r.endTurn = context.WithCancel(r.context)
	}
	return r.turn
}

// interrupt makes the loop look what there is to do. change runs under the lock.
func (r *Runner) interrupt(change func()) {
	r.mu.Lock()
	change()
	r.lookUp()
	r.mu.Unlock()
	r.wake.Set()
}

// lookUp ends what the loop waits for. The caller holds the lock.
func (r *Runner) lookUp() {
	if r.endTurn != nil {
		r.endTurn()
	}
	r.hurry()
}

// Pressure asks for what is held back to be delivered soon: the channel is full of what this runner has leased.
func (r *Runner) Pressure() { r.interrupt(func() { r.flushNow = true }) }

// quiesce lets the runner end once what it has taken is settled.
func (r *Runner) quiesce() { r.interrupt(func() { r.stopping, r.flushNow = true, true }) }

// begin notes a lease.
func (r *Runner) begin(lease flow.Lease) *work {
	b := lease.Batch()
	w := &work{lease: lease, batch: b, id: b.ID(), events: b.Len(), bytes: b.Bytes()}
	r.mu.Lock()
	r.seq++
	w.seq = r.seq
	r.works[w] = struct{}{}
	r.inFlight += int64(w.events)
	r.inBytes += w.bytes
	r.mu.Unlock()
	return w
}

// deliver writes a lease, in parts when it is larger than the sink wants.
func (r *Runner) deliver(turn context.Context, w *work) {
	parts := r.split(w)
	w.left = len(parts)
	if w.left == 0 {
		w.left = 1
		r.settle(w, 0)
		return
	}
	r.writeAll(turn, parts)
}

// onDone is called by sinks, from any goroutine. A part that failed is to be tried again from the moment in which it is not at the sink
// any more: otherwise what failed after it could be tried again before it.
func (r *Runner) onDone(b *flow.Batch, res flow.Result) {
	failed := res.Err != nil || len(res.Events) > 0
	r.mu.Lock()
	p := r.outstanding[b]
	delete(r.outstanding, b)
	if p != nil && failed {
		failure := res // res itself need not live on the heap
		p.result = &failure
		r.failed = append(r.failed, p)
		r.lookUp()
	}
	r.mu.Unlock()
	if p == nil {
		return // of a sink that was given up
	}
	if !failed {
		r.delivered(p, p.n, p.bytes)
		p.member.worked()
		r.settle(p.work, p.n)
	}
	r.wake.Set()
}

func (r *Runner) delivered(p *part, n int, bytes int64) {
	m := p.member
	m.stats.EventsIn.Add(int64(n))
	m.stats.BytesIn.Add(bytes)
	m.stats.EventsOut.Add(int64(n))
	m.stats.BytesOut.Add(bytes)
	if r.group != nil {
		r.group.EventsIn.Add(int64(n))
		r.group.EventsOut.Add(int64(n))
		r.group.BytesIn.Add(bytes)
		r.group.BytesOut.Add(bytes)
	}
	m.edge.Events.Add(int64(n))
	m.edge.Bytes.Add(bytes)
}
