package pipeline

import (
	"context"
	"slices"
	"sync"

	"collect/runtime/flow"
)

type journal struct {
	mu      sync.Mutex
	decided map[string]uint64
	batches [][]string // stored lines; nil when committed
	headers []map[string]string
	next    int
	back    []int
	wait    chan struct{}
	forgot  []string
	w       *world
	name    string
	closed  bool
	putErr  func() error
	openErr func() error
	late    bool          // it acknowledges nothing
	unacked []*flow.Batch // what it did not acknowledge
}

// holdAcks begins or ends to acknowledge nothing.
func (j *journal) holdAcks(late bool) {
	j.mu.Lock()
	j.late = late
	due := j.unacked
	j.unacked = nil
	j.mu.Unlock()
	for _, b := range due {
		b.Ack(flow.Durable)
		b.Release()
	}
}

func (w *world) journal(_ fakeConfig, env flow.Env) (flow.Channel, error) {
	w.note(w.made, env.Component)
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.journals[env.Component]
	if j == nil {
		j = &journal{decided: map[string]uint64{}, wait: make(chan struct{}), w: w, name: env.Component}
		w.journals[env.Component] = j
	}
	return j, nil
}

func (j *journal) Open(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.openErr != nil {
		if err := j.openErr(); err != nil {
			return err
		}
	}
	j.closed, j.next, j.back = false, 0, nil
	j.wait = make(chan struct{})
	return nil
}

func (j *journal) Reserve(context.Context, flow.Size) (flow.Slot, error) { return journalSlot{j}, nil }
func (j *journal) Consumer(string) flow.Consumer                         { return j }
func (j *journal) Forgo(string) error                                    { return nil }
func (j *journal) Decided(k string) (uint64, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok := j.decided[k]
	return p, ok
}

func (j *journal) Forget(k string) {
	j.mu.Lock()
	delete(j.decided, k)
	j.forgot = append(j.forgot, k)
	j.mu.Unlock()
}
func (j *journal) OnPressure(func()) {}
func (j *journal) Stats() flow.ChannelStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, b := range j.batches {
		n += int64(len(b))
	}
	return flow.ChannelStats{Events: n}
}

func (j *journal) Close(context.Context) error {
	j.w.note(j.w.closed, j.name)
	j.mu.Lock()
	j.closed = true
	close(j.wait)
	j.mu.Unlock()
	return nil
}

type journalSlot struct{ j *journal }

func (s journalSlot) Release() {}

func (s journalSlot) Put(b *flow.Batch) error {
	j := s.j
	if j.putErr != nil {
		if err := j.putErr(); err != nil {
			return err
		}
	}
	j.mu.Lock()
	if b.SkipDecided(func(k string) (uint64, bool) { p, ok := j.decided[k]; return p, ok }) {
		for _, r := range b.Runs() {
			j.decided[r.Key] = max(j.decided[r.Key], r.To)
		}
		if b.Len() > 0 {
			h := map[string]string{}
			b.Headers(0, func(n, v []byte) bool { h[string(n)] = string(v); return true })
			j.batches = append(j.batches, bodies(b))
			j.headers = append(j.headers, h)
			close(j.wait)
			j.wait = make(chan struct{})
		}
	}
	if j.late {
		j.unacked = append(j.unacked, b)
		j.mu.Unlock()
		return nil
	}
	j.mu.Unlock()
	b.Ack(flow.Durable)
	b.Release()
	return nil
}

func (j *journal) Waiting() int64 { return j.Stats().Events }

func (j *journal) Take(ctx context.Context) (flow.Lease, error) {
	for {
		j.mu.Lock()
		wait := j.wait
		n := -1
		if j.closed {
			j.mu.Unlock()
			return nil, flow.ErrClosed
		}
		if len(j.back) > 0 {
			slices.Sort(j.back)
			n = j.back[0]
			j.back = j.back[1:]
		} else {
			for j.next < len(j.batches) && j.batches[j.next] == nil {
				j.next++
			}
			if j.next < len(j.batches) {
				n = j.next
				j.next++
			}
		}
		j.mu.Unlock()
		if n >= 0 {
			return journalLease{j, n}, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type journalLease struct {
	j *journal
	n int
}

func (l journalLease) Batch() *flow.Batch {
	b := l.j.w.pool.Get()
	b.Begin("stored", 0, nil)
	l.j.mu.Lock()
	for i, line := range l.j.batches[l.n] {
		b.AddBody([]byte(line), uint64(i+1))
	}
	l.j.mu.Unlock()
	b.SetID(flow.ID{Channel: [16]byte{1}, Epoch: 1, Seq: uint64(l.n + 1)})
	return b
}

func (l journalLease) Commit() error {
	l.j.mu.Lock()
	l.j.batches[l.n] = nil
	l.j.mu.Unlock()
	return nil
}

func (l journalLease) Return() {
	l.j.mu.Lock()
	l.j.back = append(l.j.back, l.n)
	if !l.j.closed {
		close(l.j.wait)
		l.j.wait = make(chan struct{})
	}
	l.j.mu.Unlock()
}
