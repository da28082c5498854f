package pipeline

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

// deadEvent is what is added to an event that goes to a dead-letter channel.
type deadEvent struct {
	key         string // position key; unique for the origin, so that a crash does not double the event
	from, after uint64
	reason      string
	component   string
	at          time.Time
}

// deadBatch gathers copies of events for a dead-letter channel. Copies, because the batch they come from may be changed or
// given back before the dead-letter channel is done with them.
type deadBatch struct {
	batch *flow.Batch
	times []int64
}

func newDeadBatch(pool *flow.Pool, size int) *deadBatch {
	return &deadBatch{batch: pool.GetSized(size)}
}

// add copies event i of b, with its headers and what happened to it.
func (d *deadBatch) add(b *flow.Batch, i int, e deadEvent) {
	last := len(d.batch.Runs()) - 1
	if last < 0 || d.batch.Runs()[last].Key != e.key {
		d.batch.Begin(e.key, e.from, nil)
	}
	d.batch.AddBody(b.Body(i), e.after)
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
		flow.Header{Name: headerError, Value: []byte(cut(e.reason, 512))},
		flow.Header{Name: headerComponent, Value: []byte(e.component)},
		flow.Header{Name: headerTime, Value: []byte(e.at.UTC().Format(time.RFC3339Nano))},
	)
	d.batch.SetHeaders(d.batch.Len()-1, headers...)
	d.times = append(d.times, b.Time(i))
}

// done gives the batch.
func (d *deadBatch) done() *flow.Batch {
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

// deadKey names one event of a stored batch for ever.
func deadKey(id flow.ID, index int) string {
	return fmt.Sprintf("dl/%s/%x/%x/%d", hex.EncodeToString(id.Channel[:]), id.Epoch, id.Seq, index)
}
