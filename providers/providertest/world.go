// Package providertest holds the conformance suites: what every source, interceptor and sink must do, whatever it is. A component
// runs its suite in a few lines of its own tests.
package providertest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

// Env gives an environment on the real machine, with memory that is overwritten when it is freed.
func Env(t testing.TB) flow.Env {
	t.Helper()
	return flow.Env{
		Agent: "agent.test", Component: "source.test", ID: "0f0e0d0c-0b0a-4908-8706-050403020100", Dir: t.TempDir(), Host: "testhost",
		Log: slog.New(slog.DiscardHandler), FS: host.FS(), Net: host.Net(), Rand: host.Rand(),
		Pool: flow.NewPoisonPool(8 << 20), Stats: &flow.Stats{},
		Batch:     flow.BatchLimits{MaxEvents: 4096, MaxBytes: 1 << 20, MaxWait: 20 * time.Millisecond},
		Positions: NewPositions(), Ready: func() {},
		Resolve: func(token string) (string, error) { return "", fmt.Errorf("no token %s", token) },
	}
}

// Event is a copy of an emitted event.
type Event struct {
	Key         string
	From, After uint64
	Body        string
	Headers     map[string]string
	File        string
	Flags       uint32
	Time        int64
}

// Positions follows what is emitted and acknowledged, as the pipeline's tracker does.
type Positions struct {
	mu    sync.Mutex // guards all below
	keys  map[string]*keyState
	saved map[string]keyState
	saves int
}

type keyState struct {
	base, emitted, acked uint64
	known                bool
	note                 []byte
	done                 map[uint64]uint64 // acknowledged ranges beyond acked
}

// NewPositions makes an empty tracker.
func NewPositions() *Positions {
	return &Positions{keys: map[string]*keyState{}, saved: map[string]keyState{}}
}

var _ flow.Positions = (*Positions)(nil)

// Frontier gives the acknowledged position.
func (p *Positions) Frontier(key string) (uint64, []byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	if k == nil {
		return 0, nil, false
	}
	return k.acked, slices.Clone(k.note), k.known
}

// Settled says whether all that was emitted of a key is acknowledged.
func (p *Positions) Settled(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	return k == nil || k.acked == k.emitted
}

// Keys gives all keys.
func (p *Positions) Keys() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []string
	for k := range p.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (p *Positions) key(name string) *keyState {
	if p.keys[name] == nil {
		p.keys[name] = &keyState{done: map[uint64]uint64{}}
	}
	return p.keys[name]
}

// Note stores a note.
func (p *Positions) Note(key string, note []byte) {
	p.mu.Lock()
	p.key(key).note = slices.Clone(note)
	p.mu.Unlock()
}

// Forget removes a key.
func (p *Positions) Forget(key string) {
	p.mu.Lock()
	delete(p.keys, key)
	p.mu.Unlock()
}

// Save makes what is known survive a crash.
func (p *Positions) Save(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saves++
	p.saved = map[string]keyState{}
	for name, k := range p.keys {
		p.saved[name] = keyState{acked: k.acked, known: k.known, note: slices.Clone(k.note)}
	}
	return nil
}

// Stopped gives what the next process knows after a clean stop.
func (p *Positions) Stopped() *Positions {
	_ = p.Save(context.Background()) // cannot fail
	return p.Killed()
}

// Killed gives what the next process knows after a crash: what was saved last.
func (p *Positions) Killed() *Positions {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := NewPositions()
	for name, k := range p.saved {
		n.keys[name] = &keyState{base: k.acked, emitted: k.acked, acked: k.acked, known: k.known, note: k.note, done: map[uint64]uint64{}}
	}
	return n
}

func (p *Positions) emit(t testing.TB, run flow.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.key(run.Key)
	if !k.known {
		k.known, k.base, k.acked, k.emitted = true, run.From, run.From, run.From
	}
	if run.From != k.emitted {
		t.Errorf("key %s: a run begins at %d, the last one ended at %d", run.Key, run.From, k.emitted)
	}
	k.emitted = run.To
}

func (p *Positions) ack(run flow.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[run.Key]
	if k == nil {
		return
	}
	k.done[run.From] = run.To
	for {
		to, ok := k.done[k.acked]
		if !ok || to == k.acked {
			return
		}
		delete(k.done, k.acked)
		k.acked = to
	}
}

// Out is the emitter of a test. It copies every event.
type Out struct {
	t    testing.TB
	pos  *Positions
	hold bool
	room int

	mu      sync.Mutex // guards all below
	events  []Event
	acked   []Event
	pending []*flow.Batch
	most    int
	changed chan struct{}
}

var _ flow.Emitter = (*Out)(nil)

// NewOut makes an emitter that acknowledges at once.
func NewOut(t testing.TB, pos *Positions) *Out {
	return &Out{t: t, pos: pos, changed: make(chan struct{})}
}

// Hold makes it keep batches until Ack; at most room of them.
func (o *Out) Hold(room int) *Out {
	o.hold, o.room = true, room
	return o
}

// Emit takes a batch.
func (o *Out) Emit(ctx context.Context, b *flow.Batch) error {
	for {
		o.mu.Lock()
		changed := o.changed
		if !o.hold || len(o.pending) < o.room {
			break
		}
		o.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			b.Ack(flow.Abandoned)
			b.Release()
			return ctx.Err()
		}
	}
	if b.Len() == 0 && len(b.Runs()) == 0 {
		o.t.Error("an empty batch was emitted")
	}
	for _, run := range b.Runs() {
		o.pos.emit(o.t, run)
	}
	o.events = append(o.events, Copy(b)...)
	o.pending = append(o.pending, b)
	o.most = max(o.most, len(o.pending))
	o.signal()
	o.mu.Unlock()
	if !o.hold {
		o.Ack(1, flow.Delivered)
	}
	return nil
}

func (o *Out) signal() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Copy copies the events of a batch.
func Copy(b *flow.Batch) []Event {
	var out []Event
	for i := range b.Len() {
		run, rec := b.RunOf(i), b.Recs()[i]
		e := Event{
			Key: run.Key, From: b.SourceOffset(i), After: run.From + uint64(rec.After), Body: string(b.Body(i)),
			Headers: map[string]string{}, Flags: rec.Flags(), Time: b.Time(i),
		}
		if run.Meta != nil {
			e.File = run.Meta.File
		}
		b.Headers(i, func(n, v []byte) bool {
			e.Headers[string(n)] = string(v)
			return true
		})
		out = append(out, e)
	}
	return out
}

// Ack ends the n oldest batches that are held; all when n is negative.
func (o *Out) Ack(n int, outcome flow.Outcome) {
	o.mu.Lock()
	if n < 0 || n > len(o.pending) {
		n = len(o.pending)
	}
	batches := slices.Clone(o.pending[:n])
	if outcome != flow.Abandoned {
		for _, b := range batches {
			o.acked = append(o.acked, Copy(b)...)
		}
	}
	o.pending = slices.Delete(o.pending, 0, n)
	o.signal()
	o.mu.Unlock()
	for _, b := range batches {
		if outcome != flow.Abandoned {
			for _, run := range b.Runs() {
				o.pos.ack(run)
			}
		}
		b.Ack(outcome)
		b.Release()
	}
}

// Pending gives the number of batches that are held.
func (o *Out) Pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending)
}

// Events gives all events emitted so far.
func (o *Out) Events() []Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events)
}

// Acked gives the events that were acknowledged for good.
func (o *Out) Acked() []Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.acked)
}

// Bodies gives the bodies of all events emitted so far.
func (o *Out) Bodies() []string {
	bodies := []string{}
	for _, e := range o.Events() {
		bodies = append(bodies, e.Body)
	}
	return bodies
}

// Wait waits until at least n events were emitted.
func (o *Out) Wait(n int) {
	o.t.Helper()
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		o.mu.Lock()
		have, changed := len(o.events), o.changed
		o.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			o.t.Fatalf("%d events were emitted, want %d", have, n)
		}
	}
}

// Until waits for a condition.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not come about: %s", what)
		}
	}
}

// Running is a source that runs.
type Running struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
}

// Start runs a source until Stop, or the end of the test.
func Start(t testing.TB, src flow.Source, out flow.Emitter) *Running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- src.Run(ctx, out) }()
	t.Cleanup(r.Stop)
	return r
}

// Stop ends the source and waits for it.
func (r *Running) Stop() {
	r.t.Helper()
	if r.done == nil {
		return
	}
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("Run: %v", err)
		}
	case <-time.After(wait):
		r.t.Error("Run does not return after it was told to stop")
	}
	r.done = nil
}

// Replaced gives what a source knows that replaces another one in the same process: it goes on behind what that one emitted,
// acknowledged or not.
func (p *Positions) Replaced() flow.Positions { return replaced{p} }

type replaced struct{ *Positions }

func (r replaced) Frontier(key string) (uint64, []byte, bool) {
	_, note, ok := r.Positions.Frontier(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.keys[key]; k != nil {
		return k.emitted, note, ok
	}
	return 0, note, ok
}
