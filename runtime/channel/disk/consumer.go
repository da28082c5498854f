package disk

import (
	"context"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/channel/internal/room"
	"collect/runtime/flow"
)

// openSpans is how many gaps there may be between committed frames before Take waits. The cursors file has room for more.
const openSpans = cursor.MaxRanges / 2

type consumer struct {
	c    *Channel
	turn chan struct{} // one Take at a time holds it

	// guarded by turn
	r      segment.Reader
	at     segment.Place // where reading goes on when the frame is not in memory; only seg and off count
	before uint64        // events before the frame that comes there, when known
	known  bool
	// relieved is when the sinks were last asked to end what they hold.
	relieved time.Time
	trouble  trouble

	// guarded by the channel's mutex
	name           string
	kind           byte
	slot           int
	claimed        bool // this process has asked for it
	p              cursor.Progress
	next           uint64            // number of the frame that is taken next
	returned       []*lease          // in order of number
	open           map[uint64]*lease // handed out
	seconds        uint32            // when the frame taken last was put
	gate           room.Gate
	gone           bool
	version        uint64 // counts changes of p
	stored         uint64 // version in the cursors file
	synced         uint64 // version there that is durable
	storedFrontier uint64
	syncedFrontier uint64
	storing        bool
	which          int // side of the slot that is written
	storeGate      room.Gate
}

// Consumer gives the consumer of that name. A new one begins at the oldest frame that is not delivered to all others.
func (c *Channel) Consumer(name string) flow.Consumer {
	c.mu.Lock()
	defer c.mu.Unlock()
	name = name[:min(len(name), cursor.MaxName)]
	i := slices.IndexFunc(c.consumers, func(k *consumer) bool { return k.kind == cursor.Consumer && k.name == name })
	if i < 0 {
		i = slices.IndexFunc(c.consumers, func(k *consumer) bool { return k.kind == cursor.Floor })
	}
	if i < 0 {
		i = len(c.consumers)
		c.consumers = append(c.consumers, c.newConsumer(c.freeSlot()))
		c.consumers[i].begin(c.lowest(i))
	}
	k := c.consumers[i]
	if k.kind != cursor.Consumer {
		k.kind, k.name = cursor.Consumer, name
		k.version++
	}
	k.claimed = true
	return k
}

func (c *Channel) newConsumer(slot int) *consumer {
	return &consumer{c: c, turn: make(chan struct{}, 1), r: segment.Reader{Dir: c.dir}, slot: slot, open: map[uint64]*lease{}, version: 1}
}

// begin sets where a consumer is.
func (k *consumer) begin(p cursor.Progress) {
	k.p, k.next = p, p.Frontier+1
	k.at = k.c.find(p.At)
	if k.at.Seg != nil && k.p.Frontier+1 < k.c.next {
		k.seconds = uint32(k.at.Seg.Created / int64(time.Second))
	}
}

// lowest gives what all consumers but number skip have committed. The caller holds the mutex.
func (c *Channel) lowest(skip int) cursor.Progress {
	var p cursor.Progress
	found := false
	for i, k := range c.consumers {
		if i != skip && (!found || k.p.Frontier < p.Frontier) {
			p, found = k.p, true
		}
	}
	if !found && len(c.segs) > 0 {
		p = cursor.Progress{Frontier: c.segs[0].Base - 1, Events: c.segs[0].Before}
	}
	p.Spans = slices.DeleteFunc(slices.Clone(p.Spans), func(s cursor.Span) bool {
		for i, k := range c.consumers {
			if i != skip && !k.p.Covers(s) {
				return true
			}
		}
		return false
	})
	return p
}

// find gives the place that a stored position means, or the begin of the oldest segment. The caller holds the mutex.
func (c *Channel) find(at cursor.Pos) segment.Place {
	for _, s := range c.segs {
		if s.Number == at.Segment && at.Off >= segment.HeadBytes {
			return segment.Place{Seg: s, Off: at.Off}
		}
	}
	if len(c.segs) > 0 {
		return segment.Place{Seg: c.segs[0], Off: segment.HeadBytes}
	}
	return segment.Place{}
}

func (c *Channel) freeSlot() int {
	for i := 0; ; i++ {
		if !c.busy[i] && !slices.ContainsFunc(c.consumers, func(k *consumer) bool { return k.slot == i }) {
			return i
		}
	}
}

// Forgo ends a consumer of an earlier run. When it was the last one, what it had not committed stays for the next new one.
func (c *Channel) Forgo(name string) error {
	c.mu.Lock()
	fresh := slices.ContainsFunc(c.consumers, func(k *consumer) bool { return k.synced == 0 })
	c.mu.Unlock()
	if fresh { // one that came to begin where this one ends must be there after a power cut too
		if err := c.syncNow(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	i := slices.IndexFunc(c.consumers, func(k *consumer) bool { return k.kind == cursor.Consumer && k.name == name })
	if i < 0 {
		c.mu.Unlock()
		return nil
	}
	k := c.consumers[i]
	last := len(c.consumers) == 1
	n := c.newConsumer(k.slot)
	n.version, n.stored, n.synced, n.which = k.version+1, k.stored, k.synced, k.which
	n.storing, n.syncedFrontier, n.storedFrontier = k.storing, k.syncedFrontier, k.storedFrontier
	c.busy[k.slot] = true
	if last {
		n.kind = cursor.Floor
		n.begin(k.p)
		c.consumers[i] = n
	} else {
		c.consumers = slices.Delete(c.consumers, i, i+1)
	}
	for k.storing { // nothing may be written to the slot after what is written now
		g := k.storeGate.Wait()
		c.mu.Unlock()
		<-g
		c.mu.Lock()
	}
	n.storing = false
	n.storeGate.Open()
	k.gone = true
	k.gate.Open()
	c.mu.Unlock()
	n.store()
	c.mu.Lock()
	delete(c.busy, k.slot)
	c.mu.Unlock()
	k.turn <- struct{}{} // a Take that waits has ended
	k.r.Close()
	<-k.turn
	return c.syncNow() // whoever asked need not remember the name any more
}

// Take waits for the next batch.
func (k *consumer) Take(ctx context.Context) (flow.Lease, error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.turn }()
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
		if wait == nil {
			continue
		}
		pause, cancel := k.relieve(ctx)
		select {
		case <-wait:
		case <-pause.Done():
		}
		cancel()
	}
}

// Waiting gives the events that are not committed.
func (k *consumer) Waiting() int64 {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	return int64(k.c.before - min(k.p.Committed(), k.c.before))
}

// relieveEvery is how often the sinks are asked to end what they hold while there are too many gaps.
const relieveEvery = time.Second

// relieve asks the sinks to end the leases between committed frames when there are so many gaps that no more is taken: they may hold these
// until more comes. It gives the context for the next wait. The caller has the turn.
func (k *consumer) relieve(ctx context.Context) (context.Context, context.CancelFunc) {
	c := k.c
	c.mu.Lock()
	crowded, press := len(k.p.Spans) >= openSpans, c.pressure
	c.mu.Unlock()
	if !crowded || press == nil {
		return ctx, func() {}
	}
	if now := time.Now(); now.Sub(k.relieved) >= relieveEvery {
		k.relieved = now
		press()
	}
	return context.WithTimeout(ctx, relieveEvery)
}

// try gives a lease, or what to wait for; without either the caller tries again.
func (k *consumer) try() (*lease, <-chan struct{}, error) {
	c := k.c
	c.mu.Lock()
	if c.closed || k.gone {
		c.mu.Unlock()
		return nil, nil, flow.ErrClosed
	}
	if k.synced == 0 { // others must not commit, and segments not go, before it is known that this one exists
		if !c.urgent {
			c.urgent, c.stale = true, true
			c.wake()
		}
		g := c.syncGate.Wait()
		c.mu.Unlock()
		return nil, g, nil
	}
	if len(k.returned) > 0 {
		l := k.returned[0]
		k.returned = slices.Delete(k.returned, 0, 1)
		k.open[l.seq] = l
		c.mu.Unlock()
		return k.again(l)
	}
	if len(k.p.Spans) >= openSpans || k.next > c.visible {
		g := k.gate.Wait()
		c.mu.Unlock()
		return nil, g, nil
	}
	if l, dropped, ok := k.fromMemory(); ok {
		c.mu.Unlock()
		if dropped != nil {
			dropped.Release()
		}
		return l, nil, nil
	}
	c.mu.Unlock()
	return k.fromDisk()
}

// fromMemory takes the next frame when it is still in memory. The caller holds the channel's mutex and the turn.
func (k *consumer) fromMemory() (l *lease, dropped *flow.Batch, ok bool) {
	c := k.c
	if len(c.tail) == 0 || k.next < c.tail[0].seq {
		return nil, nil, false
	}
	e := c.tail[k.next-c.tail[0].seq]
	if e.b == nil || k.p.Done(e.seq) {
		k.at, k.before, k.known = segment.Place{Seg: e.Seg, Off: e.Off}, e.before, true
		return nil, nil, false
	}
	after := e.before + uint64(e.events)
	l = &lease{k: k, Place: e.Place, seq: e.seq, events: e.events, after: after, seconds: e.seconds, b: e.b.Lend()}
	k.take(l)
	k.at, k.before, k.known = segment.Place{Seg: e.Seg, Off: e.Off + e.Size}, after, true
	if e.takers++; e.takers >= c.claimed() && e.seq <= c.synced {
		dropped, e.b = e.b, nil
		c.cached -= e.pins
		c.trimTail()
	}
	return l, dropped, true
}

// take records that a frame is handed out for the first time. The caller holds the channel's mutex.
func (k *consumer) take(l *lease) {
	k.open[l.seq] = l
	k.next = l.seq + 1
	k.seconds = l.seconds
}

// commit records progress. The caller holds the channel's mutex.
func (k *consumer) commit(s cursor.Span) {
	k.p.Add(s)
	k.version++
	k.gate.Open()
}

// move follows frames that were written again to another place. The caller holds the channel's mutex.
func (k *consumer) move(moved map[uint64]segment.Place) {
	for _, l := range k.returned {
		l.follow(moved)
	}
	for _, l := range k.open {
		l.follow(moved)
	}
}
