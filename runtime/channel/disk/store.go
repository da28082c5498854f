package disk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/flow"
)

// store writes a consumer's progress to the cursors file, where a kill of the process does not touch it. Several calls at once
// share a write. A disk error is not lost: the syncer writes a new file.
func (k *consumer) store() {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for want := k.version; k.stored < want && c.cursors != nil; {
		if k.storing {
			g := k.storeGate.Wait()
			c.mu.Unlock()
			<-g
			c.mu.Lock()
			continue
		}
		if c.renew || !k.storeOnce() {
			c.touched(nil) // the new file will have it
			return
		}
	}
}

// storeOnce writes the present progress. The caller holds the channel's mutex, which is released during the write.
func (k *consumer) storeOnce() bool {
	c := k.c
	k.storing = true
	v, frontier := k.version, k.p.Frontier
	c.stored++
	s := cursor.Side{Generation: c.stored, Kind: k.kind, Name: k.name, Progress: k.p}
	p, slot, which, f := s.Encode(), k.slot, k.which, c.cursors
	c.mu.Unlock()
	err := cursor.StoreSide(f, slot, which, p)
	c.mu.Lock()
	k.storing = false
	k.storeGate.Open()
	if f != c.cursors {
		return true // the file was replaced meanwhile; once more
	}
	c.touched(err)
	if err != nil {
		return false
	}
	k.stored, k.storedFrontier = v, frontier
	return true
}

// touched records that the cursors file was written, or could not be. The caller holds the mutex.
func (c *Channel) touched(err error) {
	if !c.stale {
		c.stale, c.staleAt = true, time.Now()
		c.wake()
	}
	if err != nil {
		c.renew, c.lastErr = true, err
	}
}

func (c *Channel) touchCursors(err error) {
	c.mu.Lock()
	c.touched(err)
	c.mu.Unlock()
}

// cursorsDue says whether the cursors file must be synced now. The caller holds the mutex.
func (c *Channel) cursorsDue(closing bool) bool {
	if !c.stale {
		return false
	}
	if c.paused && time.Since(c.staleAt) < cursorWait && !closing {
		return false
	}
	if closing || c.urgent || time.Since(c.staleAt) >= cursorWait {
		return true
	}
	return len(c.segs) > 1 && len(c.consumers) > 0 && !slices.ContainsFunc(c.consumers, func(k *consumer) bool {
		return k.p.Frontier < c.segs[0].Last
	})
}

// syncWait is how long somebody waits for the cursors file to be durable.
const syncWait = 5 * time.Second

// syncNow makes durable what consumers have stored, and waits for it.
func (c *Channel) syncNow() error {
	due := time.Now().Add(syncWait)
	c.mu.Lock()
	defer c.mu.Unlock()
	for want := c.syncsBegun + 1; c.syncsDone < want; {
		switch {
		case c.closed:
			return flow.ErrClosed
		case !time.Now().Before(due):
			return fmt.Errorf("the cursors file cannot be made durable: %w", cmp.Or(c.lastErr, errSilent))
		}
		if !c.urgent {
			c.urgent, c.stale = true, true
			c.wake()
		}
		g := c.syncGate.Wait()
		c.mu.Unlock()
		timer := time.NewTimer(time.Until(due))
		select {
		case <-g:
		case <-timer.C:
		}
		timer.Stop()
		c.mu.Lock()
	}
	return nil
}

var errSilent = errors.New("the disk does not answer")

// snapshotOf is what of a consumer a sync makes durable.
type snapshotOf struct {
	k        *consumer
	version  uint64
	frontier uint64
}

// syncCursors makes the cursors file durable, at most once a second unless somebody waits for it.
func (c *Channel) syncCursors(closing bool) {
	c.mu.Lock()
	if !c.cursorsDue(closing) {
		c.mu.Unlock()
		return
	}
	urgent := c.urgent
	c.stale, c.urgent = false, false
	c.syncsBegun++
	round := c.syncsBegun
	consumers, renew, f := slices.Clone(c.consumers), c.renew, c.cursors
	c.mu.Unlock()
	var err error
	var covered []snapshotOf
	if renew {
		covered, err = c.renewCursors(consumers)
	} else {
		for _, k := range consumers {
			k.store()
			covered = append(covered, k.freeze())
		}
		c.begin()
		err = f.Sync()
		c.finish()
		if err != nil { // nothing is written to this file any more
			c.env.Stats.Error(fmt.Errorf("sync cursors: %w", err))
			c.mu.Lock()
			c.renew = true
			c.mu.Unlock()
			covered, err = c.renewCursors(consumers)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lastErr, c.renew = fmt.Errorf("write cursors: %w", err), true
		c.stale, c.staleAt, c.urgent, c.paused = true, time.Now(), urgent, true
		return
	}
	c.paused, c.syncsDone = false, round
	for _, s := range covered {
		s.k.synced, s.k.syncedFrontier = max(s.k.synced, s.version), max(s.k.syncedFrontier, s.frontier)
	}
}

// freeze ends writing to a side of the slot, so that it can be made durable, and says what is in it.
func (k *consumer) freeze() snapshotOf {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for k.storing {
		g := k.storeGate.Wait()
		c.mu.Unlock()
		<-g
		c.mu.Lock()
	}
	if k.stored > k.synced {
		k.which = (k.which + 1) % cursor.Sides
	}
	return snapshotOf{k, k.stored, k.storedFrontier}
}

// renewCursors writes a new cursors file, since nobody knows what the disk has of the old one.
func (c *Channel) renewCursors(consumers []*consumer) ([]snapshotOf, error) {
	c.mu.Lock()
	c.noted.Generation++
	n := c.noted
	covered := make([]snapshotOf, 0, len(consumers))
	encoded := make([]cursor.Encoded, 0, len(consumers))
	for _, k := range consumers {
		c.stored++
		s := cursor.Side{Generation: c.stored, Kind: k.kind, Name: k.name, Progress: k.p}
		encoded = append(encoded, cursor.Encoded{Slot: k.slot, Data: s.Encode()})
		covered = append(covered, snapshotOf{k, k.version, k.p.Frontier})
	}
	c.mu.Unlock()
	f, err := cursor.Write(c.dir, c.id, n, encoded)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	old := c.cursors
	c.cursors, c.renew = f, false
	for _, s := range covered { // what was stored since went into the old file
		s.k.stored, s.k.storedFrontier, s.k.which = s.version, s.frontier, 1
	}
	c.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	for _, s := range covered {
		s.k.store()
	}
	return covered, nil
}
