package disk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// recover finds out what the directory holds, and makes it as if every frame that counts had been synced.
func (c *Channel) recover() error {
	r, err := readDir(c.dir, false)
	if err != nil {
		return err
	}
	c.id = r.cursors.channel
	if c.id == [16]byte{} {
		c.env.Rand.Read(c.id[:])
	}
	c.epoch = c.env.Rand.Uint64()
	c.noted = r.cursors.note
	c.segs, c.decided, c.damaged = r.proven, r.decided, r.lost
	c.before, c.number = r.before, r.highestNumber()
	c.synced = r.durableLast()
	c.next = c.synced + 1
	c.restoreConsumers(r)
	for _, info := range r.infos {
		if strings.HasSuffix(info.Name, badSuffix) {
			c.bad[info.Name] = true
		}
		if number, _, ok := unreadPiece(info.Name); ok {
			c.keep[number] = true
		}
	}
	if err := c.copyTail(r); err != nil {
		return err
	}
	for _, name := range r.remove {
		if err := c.dir.Remove(name); err != nil {
			return fmt.Errorf("remove what does not count: %w", err)
		}
	}
	c.visible = c.synced
	used := int64(0)
	for _, s := range c.segs {
		used += s.end
	}
	c.room.Add(used)
	if err := c.openCursors(r); err != nil {
		return err
	}
	c.lookAhead()
	return nil
}

// restoreConsumers makes the consumers that the cursors file knows. Numbers that a consumer has committed are never given
// away again.
func (c *Channel) restoreConsumers(r *recovery) {
	highest := r.last
	for slot, s := range r.cursors.slots {
		c.stored = max(c.stored, s.generation)
		if s.kind == slotFree {
			continue
		}
		highest = max(highest, s.highest())
		k := c.newConsumer(slot)
		k.kind, k.name, k.which = s.kind, s.name, (s.which+1)%sides
		k.stored, k.synced = 1, 1
		k.storedFrontier, k.syncedFrontier = s.frontier, s.frontier
		k.p = s.progress
		c.consumers = append(c.consumers, k)
	}
	if highest > r.last {
		c.gap = [2]uint64{r.last, highest + 1}
		c.next = highest + 1
	}
}

// openCursors opens the cursors file, or writes a new one, and notes what is durable now.
func (c *Channel) openCursors(r *recovery) error {
	if c.next-1 > c.synced {
		c.synced, c.visible = c.next-1, c.next-1
	}
	c.noted = note{generation: c.noted.generation + 1, durable: max(r.last, r.durable), before: c.before, next: c.next}
	for _, k := range c.consumers {
		k.begin(k.p)
	}
	if !r.hasCursor {
		covered, err := c.renewCursors(slices.Clone(c.consumers))
		for _, s := range covered {
			s.k.synced, s.k.syncedFrontier = s.version, s.frontier
		}
		return err
	}
	f, err := c.dir.OpenWrite(cursorName, false, filePerm)
	if err != nil {
		return fmt.Errorf("open cursors: %w", err)
	}
	c.cursors = f
	if err := c.noted.store(f); err != nil {
		return fmt.Errorf("write cursors: %w", err)
	}
	c.stale, c.staleAt = true, time.Now()
	return nil
}

// lookAhead finds out how old the oldest events are. It is only for people, so a read error does not matter here.
func (c *Channel) lookAhead() {
	rd := reader{dir: c.dir}
	defer rd.close()
	for _, k := range c.consumers {
		if k.at.seg == nil || k.next > c.synced {
			continue
		}
		f, err := rd.open(k.at.seg)
		if err != nil {
			continue
		}
		if h, at, err := findFrame(f, k.at.seg.salt, k.at.off); err == nil && at >= 0 {
			k.seconds = h.seconds
		}
	}
}
