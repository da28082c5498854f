package disk

import (
	"errors"
	"slices"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

type lease struct {
	k             *consumer
	seq           uint64
	events        int
	after         uint64 // events of the channel up to and with these
	seconds       uint32
	b             *flow.Batch // until Batch hands it out
	segment.Place             // guarded by the channel's mutex
}

func (l *lease) follow(moved map[uint64]segment.Place) {
	if at, ok := moved[l.seq]; ok {
		l.Place = at
	}
}

// Batch gives the batch.
func (l *lease) Batch() *flow.Batch {
	b := l.b
	l.b = nil
	return b
}

func (l *lease) release() {
	if b := l.Batch(); b != nil {
		b.Release()
	}
}

var errLeaseEnded = errors.New("commit of a lease that has ended")

// Commit ends the batch for this consumer. When it returns, a kill of the process does not bring the batch back.
func (l *lease) Commit() error {
	l.release()
	k, c := l.k, l.k.c
	c.mu.Lock()
	if k.open[l.seq] != l {
		c.mu.Unlock()
		return errLeaseEnded
	}
	if c.closed && !c.opened || k.gone {
		c.mu.Unlock()
		return flow.ErrClosed
	}
	delete(k.open, l.seq)
	s := cursor.Span{Lo: l.seq, Hi: l.seq, Events: uint64(l.events), After: l.after, End: cursor.Pos{Segment: l.Seg.Number, Off: l.Off + l.Size}}
	k.commit(s)
	full := len(c.segs) > 1 && k.p.Frontier >= c.segs[0].Last
	c.mu.Unlock()
	k.store()
	if _, waiting := c.room.State(); full || waiting {
		c.wake()
	}
	return nil
}

// Return gives the batch back. Its memory goes; it is read again.
func (l *lease) Return() {
	l.release()
	k := l.k
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if k.open[l.seq] != l {
		return
	}
	delete(k.open, l.seq)
	again := &lease{k: k, seq: l.seq, events: l.events, after: l.after, seconds: l.seconds, Place: l.Place}
	i, _ := slices.BinarySearchFunc(k.returned, l.seq, func(r *lease, seq uint64) int {
		if r.seq < seq {
			return -1
		}
		return 1
	})
	k.returned = slices.Insert(k.returned, i, again)
	k.gate.Open()
}
