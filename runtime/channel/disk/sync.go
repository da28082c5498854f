package disk

import (
	"fmt"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

const (
	firstPause = 10 * time.Millisecond // after a disk error
	longPause  = 5 * time.Second
	smallEnd   = 64 << 10 // an emptied segment below this size stays
)

// syncer makes written frames durable and does all that need not be done at once. It is the only one to sync, to remove
// segments and to replace files.
func (c *Channel) syncer() {
	defer close(c.ended)
	for range c.kick {
		c.mu.Lock()
		closing := c.closing
		c.mu.Unlock()
		c.round(closing)
		if closing {
			c.end()
			return
		}
	}
}

func (c *Channel) round(closing bool) {
	c.syncData(closing)
	c.savePositions(closing)
	if !closing && c.giveBack() || closing {
		c.syncData(closing)
	}
	c.syncCursors(closing)
	c.retire()
	c.mu.Lock()
	c.syncGate.Open()
	c.schedule()
	c.mu.Unlock()
}

// end leaves nothing behind: what could not be made durable is abandoned.
func (c *Channel) end() {
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.opened = false
	tail := c.tail
	c.tail = nil
	c.mu.Unlock()
	for _, e := range tail {
		for _, ack := range e.acks {
			ack(flow.Abandoned)
		}
		if e.b != nil {
			e.b.Release()
		}
	}
	c.release()
}

// schedule sets the timer for the next thing that is due by time alone. The caller holds the mutex.
func (c *Channel) schedule() {
	if c.closed {
		return
	}
	var due time.Time
	at := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if since, ok := c.positions.Dirty(); ok {
		at(since.Add(cursorWait))
	}
	if c.stale {
		at(c.staleAt.Add(cursorWait))
	}
	if c.failed != nil {
		at(c.retryAt)
	} else if c.synced+1 < c.next && c.cfg.Sync == syncInterval {
		at(c.lastSync.Add(c.cfg.SyncInterval))
	}
	if c.emptied() {
		at(c.lastPut.Add(idleWait))
	}
	if due.IsZero() {
		return
	}
	wait := max(time.Until(due), time.Millisecond)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.wake)
		return
	}
	c.timer.Reset(wait)
}

// syncData makes all frames durable that are written.
func (c *Channel) syncData(closing bool) {
	c.mu.Lock()
	now := time.Now()
	upTo := c.next - 1
	files := make([]target, 0, len(c.writing))
	need := upTo > c.synced
	for _, w := range c.writing {
		files = append(files, target{w, w.Sealed || closing})
		need = need || w.Sealed || !w.Named
	}
	waits := c.failed != nil && now.Before(c.retryAt) ||
		c.cfg.Sync == syncInterval && c.failed == nil && c.unsynced < cacheBytes && now.Before(c.lastSync.Add(c.cfg.SyncInterval))
	if closing {
		need, waits = need || len(files) > 0, false
	}
	failed := c.failed
	c.mu.Unlock()
	if !need || waits {
		return
	}
	err := failed
	if err == nil {
		err = c.syncFiles(files)
	}
	if err != nil {
		if files, upTo, err = c.rewrite(err, closing); err != nil {
			return
		}
	}
	c.durable(files, upTo)
}

// target is a segment to sync, and whether nothing was written to it any more when that was decided.
type target struct {
	*segment.File
	ends bool
}

func (c *Channel) syncFiles(files []target) error {
	c.begin()
	defer c.finish()
	for _, w := range files {
		if w.ends {
			// The space ahead goes back. That it stays a little longer when this fails does no harm.
			_ = w.Truncate(w.Seg.End)
		}
		if err := w.Sync(); err != nil {
			return fmt.Errorf("sync segment %s: %w", w.Seg.Name, err)
		}
		if !w.Named {
			if err := c.dir.Sync(); err != nil {
				return fmt.Errorf("sync directory: %w", err)
			}
			w.Named = true
		}
	}
	return nil
}

// durable records that frames are durable, shows them to consumers and acknowledges them.
func (c *Channel) durable(files []target, upTo uint64) {
	c.mu.Lock()
	var acks []func(flow.Outcome)
	var gone []*flow.Batch
	claimed := c.claimed()
	before := c.before
	for _, e := range c.tail {
		if e.seq > upTo {
			before -= uint64(e.events)
			continue
		}
		acks = append(acks, e.acks...)
		e.acks, e.extra = nil, nil
		if e.seq <= c.synced {
			continue
		}
		c.unsynced -= e.Size
		if e.takers >= claimed && claimed > 0 || c.cached+e.pins > cacheBytes {
			gone = append(gone, e.b)
			e.b = nil
		} else {
			c.cached += e.pins
		}
	}
	c.synced = max(c.synced, upTo)
	c.lastSync = time.Now()
	gone = append(gone, c.trimTail()...)
	c.writing = slices.DeleteFunc(c.writing, func(w *segment.File) bool { return slices.Contains(files, target{w, true}) })
	c.noted = cursor.Note{Generation: c.noted.Generation + 1, Durable: c.synced, Before: before, Next: c.next}
	n, f := c.noted, c.cursors
	if c.renew {
		f = nil // the new file will have it
	}
	c.show(c.synced)
	c.mu.Unlock()
	for _, w := range files {
		if w.ends {
			_ = w.Close() // all of it is durable
		}
	}
	if f != nil {
		c.touchCursors(n.Store(f))
	}
	for _, ack := range acks {
		ack(flow.Durable)
	}
	for _, b := range gone {
		b.Release()
	}
}

// claimed gives the number of consumers that this process has. The caller holds the mutex.
func (c *Channel) claimed() int {
	n := 0
	for _, k := range c.consumers {
		if k.claimed {
			n++
		}
	}
	return n
}

// trimTail forgets frames at the front that nobody needs in memory, and gives what is to release. The caller holds the mutex.
func (c *Channel) trimTail() (gone []*flow.Batch) {
	n := 0
	for n < len(c.tail) && c.tail[n].seq <= c.synced && (c.tail[n].b == nil || len(c.tail)-n > cacheCount) {
		if e := c.tail[n]; e.b != nil {
			gone = append(gone, e.b)
			c.cached -= e.pins
		}
		c.tail[n] = nil
		n++
	}
	c.tail = c.tail[n:]
	return gone
}

// savePositions writes the positions that no frame carries, at most once a second.
func (c *Channel) savePositions(closing bool) {
	c.mu.Lock()
	since, dirty := c.positions.Dirty()
	due := dirty && c.failed == nil && (closing || time.Since(since) >= cursorWait)
	c.mu.Unlock()
	if !due {
		return
	}
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.mu.Lock()
	extra, durable := c.positions.Unwritten(), c.synced
	seq, before := c.next-1, c.before
	c.mu.Unlock()
	var h frame.Header
	h, c.tables = frame.Positions(c.tables[:0], durable, extra)
	h.Seq, h.Before, h.Epoch, h.Seconds = seq, before, c.epoch, uint32(time.Now().Unix())
	at, err := c.put(&h, nil)
	if err == nil {
		c.room.Add(at.Size)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.positions.Tried()
	if err != nil {
		c.lastErr = err
		return
	}
	at.Seg.End = at.Off + at.Size
	c.positions.Written(extra)
}

// emptied says whether all that the active segment holds is delivered. The caller holds the mutex.
func (c *Channel) emptied() bool {
	if len(c.segs) == 0 || len(c.consumers) == 0 {
		return false
	}
	s := c.segs[len(c.segs)-1]
	if c.synced+1 < c.next || s.End-s.Start < smallEnd {
		return false
	}
	for _, k := range c.consumers {
		if k.p.Frontier < s.Last {
			return false
		}
	}
	return true
}

// giveBack begins a new segment when the active one is delivered, so that it can go: at once when a reservation waits, else when
// the channel is idle.
func (c *Channel) giveBack() bool {
	_, waiting := c.room.State()
	due := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.failed == nil && c.emptied() && (waiting || time.Since(c.lastPut) >= idleWait)
	}
	if !due() {
		return false
	}
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if !due() {
		return false
	}
	if _, err := c.rotate(); err != nil {
		c.mu.Lock()
		c.lastErr, c.lastPut = err, time.Now() // tried again after the next idle time
		c.mu.Unlock()
		return false
	}
	return true
}

// retire removes segments that all consumers are past, once that is durable.
func (c *Channel) retire() {
	c.mu.Lock()
	var gone []*segment.Segment
	for len(c.segs) > 1 && c.passed(c.segs[0]) {
		gone = append(gone, c.segs[0])
		c.segs = c.segs[1:]
	}
	c.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	c.begin()
	var failed error
	for _, s := range gone {
		if err := c.discard(s); err != nil {
			failed = err // the next opening finds it delivered
		}
	}
	c.finish()
	for _, s := range gone {
		c.room.Add(-s.End)
	}
	if failed != nil {
		c.mu.Lock()
		c.lastErr = failed
		c.mu.Unlock()
	}
	c.press()
}

// passed says whether a segment can go: the next one repeats its positions and is durable. The caller holds the mutex.
func (c *Channel) passed(s *segment.Segment) bool {
	for _, w := range c.writing {
		if w.Seg == s || w.Seg == c.segs[1] && !w.Named {
			return false
		}
	}
	for _, k := range c.consumers {
		if k.syncedFrontier < s.Last {
			return false
		}
	}
	return len(c.consumers) > 0
}
