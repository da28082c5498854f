package disk

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"collect/runtime/flow"
)

// found is a frame that a scan met.
type found struct {
	frame
	at        place
	whole     bool  // its body is right
	gap       error // why something before it could not be read
	err       error // why its body could not be read
	end       bool  // it is no frame but the end of a segment, after something that could not be read
	durable   uint64
	positions []position
}

// recovery is what an opening finds out.
type recovery struct {
	dir       flow.Dir
	keep      bool // nothing may be changed
	infos     []flow.Info
	cursors   cursorState
	hasCursor bool
	segs      []*segment
	lost      int64 // events in what had to be set aside as a whole
	remove    []string
	scanned   []found
	durable   uint64 // frames up to here were durable
	before    uint64 // events up to last
	last      uint64 // the newest frame that counts
	proven    []*segment
	copy      []found // frames that are whole but perhaps not durable
	decided   map[string]uint64
	err       error          // why it cannot be known what counts
	damage    []DamageReport // segments as a whole
}

// recover finds out what the directory holds, and makes it as if every frame that counts had been synced.
func (c *Channel) recover() error {
	r := recovery{dir: c.dir, decided: map[string]uint64{}}
	if err := r.read(); err != nil {
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
	c.restoreConsumers(&r)
	for _, info := range r.infos {
		if strings.HasSuffix(info.Name, badSuffix) {
			c.bad[info.Name] = true
		}
		if number, ok := keepsSegment(info.Name); ok {
			c.keep[number] = true
		}
	}
	if err := c.copyTail(&r); err != nil {
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
	if err := c.openCursors(&r); err != nil {
		return err
	}
	c.lookAhead()
	return nil
}

func (r *recovery) highestNumber() uint64 {
	n := uint64(0)
	for _, info := range r.infos {
		if k, ok := segmentNumber(strings.TrimSuffix(strings.TrimSuffix(info.Name, newSuffix), badSuffix)); ok {
			n = max(n, k)
		}
	}
	return n
}

// durableLast gives the newest number that is taken for durable before the tail is copied.
func (r *recovery) durableLast() uint64 {
	if len(r.copy) > 0 {
		return r.copy[0].seq - 1
	}
	return r.last
}

// read reads all there is and decides what counts. It changes nothing but the name of a segment that has no readable head.
func (r *recovery) read() (err error) {
	if r.infos, err = r.dir.ReadDir(); err != nil {
		return fmt.Errorf("list channel: %w", err)
	}
	if r.cursors, r.hasCursor, err = readCursors(r.dir); err != nil {
		return err
	}
	r.durable = r.cursors.note.durable
	for _, info := range r.infos {
		if strings.HasSuffix(info.Name, newSuffix) {
			r.remove = append(r.remove, info.Name)
		}
		if _, ok := segmentNumber(info.Name); ok {
			if err := r.readSegment(info); err != nil {
				return err
			}
		}
	}
	r.dropReplaced()
	if err := r.scanTail(); err != nil {
		return err
	}
	r.judge()
	if r.err != nil && !r.keep {
		return outOfReach{r.err}
	}
	return nil
}

func (r *recovery) readSegment(info flow.Info) error {
	f, err := r.dir.Open(info.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	h, err := readHead(f)
	if errors.Is(err, errNoHead) {
		return r.headless(f, info)
	}
	_, sick := errors.AsType[unreadHead](err)
	if sick && r.keep {
		r.damage = append(r.damage, DamageReport{info.Name, 0, info.Size, err.Error()})
		return nil
	}
	if err != nil {
		if sick {
			err = outOfReach{err}
		}
		return fmt.Errorf("segment %s: %w", info.Name, err)
	}
	if r.cursors.channel == [16]byte{} {
		r.cursors.channel = h.channel
	}
	if h.channel != r.cursors.channel {
		return fmt.Errorf("segment %s belongs to another channel", info.Name)
	}
	r.segs = append(r.segs, &segment{head: h, name: info.Name, start: headBytes, last: h.base - 1, end: info.Size})
	return nil
}

// headless handles a segment without a head: one that was never finished goes, any other is set aside.
func (r *recovery) headless(f flow.File, info flow.Info) error {
	p, err := readFull(f, make([]byte, headBytes), 0)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	if len(bytes.Trim(p, "\x00")) == 0 || info.Size <= headBytes {
		r.remove = append(r.remove, info.Name)
		return nil
	}
	r.lost++
	if r.keep {
		r.damage = append(r.damage, DamageReport{info.Name, 0, info.Size, errNoHead.Error()})
		return nil
	}
	if err := r.dir.Rename(info.Name, r.dir, info.Name+badSuffix); err != nil {
		return fmt.Errorf("set segment aside: %w", err)
	}
	return nil
}

// dropReplaced removes segments whose frames stand in a later one, and sets where the others end.
func (r *recovery) dropReplaced() {
	var keep []*segment
	limit := ^uint64(0)
	for _, s := range slices.Backward(r.segs) {
		if s.base >= limit {
			r.remove = append(r.remove, s.name)
			continue
		}
		limit = s.base
		keep = append(keep, s)
	}
	slices.Reverse(keep)
	for i, s := range keep {
		if i+1 < len(keep) {
			s.last = max(keep[i+1].prev, s.base-1)
		}
	}
	r.segs = keep
}

// scanTail reads the segments that hold frames which may not be durable, and back to one with readable positions.
func (r *recovery) scanTail() error {
	if len(r.segs) == 0 {
		return nil
	}
	first := len(r.segs) - 1
	for first > 0 && r.segs[first].prev > r.durable {
		first--
	}
	for ; ; first-- {
		r.scanned = nil
		for i, s := range r.segs[first:] {
			if err := r.scan(s, i+first == len(r.segs)-1); err != nil {
				return err
			}
		}
		n := len(r.scanned)
		if first == 0 || n > 0 && r.scanned[0].events == 0 && r.scanned[0].whole && r.scanned[0].at.off == headBytes {
			break
		}
	}
	for _, f := range r.scanned {
		r.durable = max(r.durable, f.durable)
	}
	return nil
}

func (r *recovery) scan(s *segment, newest bool) error {
	f, err := r.dir.Open(s.name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	for off := int64(headBytes); ; {
		h, at, err := findFrame(f, s.salt, off)
		if err != nil { // what is not needed may be read later
			err = fmt.Errorf("read segment %s: %w", s.name, err)
			if h, at, _ = findFrame(tolerant{f}, s.salt, off); at < 0 || !newest && h.seq > s.last {
				r.scanned = append(r.scanned, found{at: place{seg: s}, gap: err, end: true})
			}
		}
		if at < 0 || !newest && h.seq > s.last {
			return nil
		}
		fr := found{frame: h, at: place{s, at, h.size()}, gap: err}
		body, err := readBody(f, &h, at, make([]byte, h.body()))
		if err != nil {
			fr.err = fmt.Errorf("read segment %s: %w", s.name, err)
		}
		if body != nil {
			if t, err := decodeTables(&h, body[h.stored:]); err == nil {
				fr.whole, fr.durable, fr.positions = true, t.durable, t.positions()
			}
		}
		r.scanned = append(r.scanned, fr)
		off = at + h.size()
		if at == headBytes && h.events == 0 {
			s.start = off
		}
	}
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
	c.noted = note{c.noted.generation + 1, max(r.last, r.durable), c.before, c.next}
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
	if _, err := f.WriteAt(c.noted.encode(), noteAt+512*int64(c.noted.generation%2)); err != nil {
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
