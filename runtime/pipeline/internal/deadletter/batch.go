// Package deadletter makes the batches that go to a dead-letter channel: copies of events that can never be handled or delivered, with
// what happened to them in their headers.
package deadletter

import (
	"encoding/hex"
	"fmt"
	"time"

	"collect/runtime/flow"
)

// Headers that a dead-lettered event carries besides its own.
const (
	headerError     = "collect.error"
	headerComponent = "collect.component"
	headerTime      = "collect.time"
)

// Event is what is added to an event that goes to a dead-letter channel.
type Event struct {
	Key         string // position key; unique for the origin, so that a crash does not double the event
	From, After uint64
	Reason      string
	Component   string // that gave it up
	At          time.Time
}

// Batch gathers copies of events for a dead-letter channel. Copies, because the batch they come from may be changed or
// given back before the dead-letter channel is done with them.
type Batch struct {
	batch *flow.Batch
	times []int64
}

// NewBatch begins one with room for size bytes.
func NewBatch(pool *flow.Pool, size int) *Batch {
	return &Batch{batch: pool.GetSized(size)}
}

// Add copies event i of b, with its headers and what happened to it.
func (d *Batch) Add(b *flow.Batch, i int, e Event) {
	last := len(d.batch.Runs()) - 1
	if last < 0 || d.batch.Runs()[last].Key != e.Key {
		d.batch.Begin(e.Key, e.From, nil)
	}
	d.batch.AddBody(b.Body(i), e.After)
	headers := make([]flow.Header, 0, 8)
	b.Headers(i, func(name, value []byte) bool {
		switch string(name) {
		case headerError, headerComponent, headerTime:
		default:
			headers = append(headers, flow.Header{Name: string(name), Value: value})
		}
		return true
	})
	headers = append(
		headers,
		flow.Header{Name: headerError, Value: []byte(cut(e.Reason, 512))},
		flow.Header{Name: headerComponent, Value: []byte(e.Component)},
		flow.Header{Name: headerTime, Value: []byte(e.At.UTC().Format(time.RFC3339Nano))},
	)
	d.batch.SetHeaders(d.batch.Len()-1, headers...)
	d.times = append(d.times, b.Time(i))
}

// Done gives the batch for the channel.
func (d *Batch) Done() *flow.Batch {
	for i, t := range d.times {
		d.batch.SetTime(i, t)
	}
	return d.batch
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// Key names one event of a stored batch for ever.
func Key(id flow.ID, index int) string {
	return fmt.Sprintf("dl/%s/%x/%x/%d", hex.EncodeToString(id.Channel[:]), id.Epoch, id.Seq, index)
}
