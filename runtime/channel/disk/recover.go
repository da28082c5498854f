package disk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/position"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/channel/disk/internal/segment"
)

// recover finds out what the directory holds, and makes it as if every frame that counts had been synced.
func (c *Channel) recover() error {
	r, err := recovery.Read(c.dir, false)
	if err != nil {
		return err
	}
	c.id = r.Cursors.Channel
	if c.id == [16]byte{} {
		c.env.Rand.Read(c.id[:])
	}
	c.epoch = c.env.Rand.Uint64()
	c.noted = r.Cursors.Note
	c.segs, c.positions, c.damaged = r.Proven, position.NewTable(r.Decided), r.Lost
	c.before, c.number = r.Before, r.HighestNumber()
	c.synced = r.DurableLast()
	c.next = c.synced + 1
	c.restoreConsumers(r)
	for _, info := range r.Infos {
		if strings.HasSuffix(info.Name, segment.BadSuffix) {
			c.bad[info.Name] = true
		}
		if number, _, ok := segment.UnreadPiece(info.Name); ok {
			c.keep[number] = true
		}
	}
	if err := c.copyTail(r); err != nil {
		return err
	}
	for _, name := range r.Remove {
		if err := c.dir.Remove(name); err != nil {
			return fmt.Errorf("remove what does not count: %w", err)
		}
	}
	c.visible = c.synced
	used := int64(0)
	for _, s := range c.segs {
		used += s.End
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
func (c *Channel) restoreConsumers(r *recovery.State) {
	highest := r.Last
	for slot, s := range r.Cursors.Slots {
		c.stored = max(c.stored, s.Generation)
		if s.Kind == cursor.Free {
			continue
		}
		highest = max(highest, s.Highest())
		k := c.newConsumer(slot)
		k.kind, k.name, k.which = s.Kind, s.Name, (s.Which+1)%cursor.Sides
		k.stored, k.synced = 1, 1
		k.storedFrontier, k.syncedFrontier = s.Frontier, s.Frontier
		k.p = s.Progress
		c.consumers = append(c.consumers, k)
	}
	if highest > r.Last {
		c.gap = [2]uint64{r.Last, highest + 1}
		c.next = highest + 1
	}
}

// openCursors opens the cursors file, or writes a new one, and notes what is durable now.
func (c *Channel) openCursors(r *recovery.State) error {
	if c.next-1 > c.synced {
		c.synced, c.visible = c.next-1, c.next-1
	}
	c.noted = cursor.Note{Generation: c.noted.Generation + 1, Durable: max(r.Last, r.Durable), Before: c.before, Next: c.next}
	for _, k := range c.consumers {
		k.begin(k.p)
	}
	if !r.HasCursor {
		covered, err := c.renewCursors(slices.Clone(c.consumers))
		for _, s := range covered {
			s.k.synced, s.k.syncedFrontier = s.version, s.frontier
		}
		return err
	}
	f, err := c.dir.OpenWrite(cursor.FileName, false, segment.Perm)
	if err != nil {
		return fmt.Errorf("open cursors: %w", err)
	}
	c.cursors = f
	if err := c.noted.Store(f); err != nil {
		return fmt.Errorf("write cursors: %w", err)
	}
	c.stale, c.staleAt = true, time.Now()
	return nil
}

// lookAhead finds out how old the oldest events are. It is only for people, so a read error does not matter here.
func (c *Channel) lookAhead() {
	rd := segment.Reader{Dir: c.dir}
	defer rd.Close()
	for _, k := range c.consumers {
		if k.at.Seg == nil || k.next > c.synced {
			continue
		}
		f, err := rd.Open(k.at.Seg)
		if err != nil {
			continue
		}
		if h, at, err := segment.Find(f, k.at.Seg.Salt, k.at.Off); err == nil && at >= 0 {
			k.seconds = h.Seconds
		}
	}
}
