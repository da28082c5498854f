package providertest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"collect/runtime/flow"
)

// Sink is the conformance suite of sinks, for one destination that nothing else writes to.
type Sink struct {
	// New makes the sink. Two calls with one env are two runs of the same sink, one after the other.
	New func(t *testing.T, env flow.Env) flow.Sink
	// Received gives the bodies that have arrived, in order.
	Received func(t *testing.T) []string
	// Break makes the destination fail until the function it returns is called. nil: it cannot be broken.
	Break func(t *testing.T) (mend func())
	// Form gives how a body arrives; nil: as it is.
	Form func(body string) string
	// Window bounds the memory of accepted batches, 0: 64 MiB.
	Window int64
	// Env gives the environment; nil: Env.
	Env func(t *testing.T) flow.Env
}

// TestSink runs the suite; setup makes the destination of one test case.
func TestSink(t *testing.T, setup func(t *testing.T) Sink) {
	for name, run := range map[string]func(*testing.T, Sink){
		"delivers every event once, in order":           sinkDelivers,
		"ends a batch without events":                   sinkEmpty,
		"keeps all 256 byte values":                     sinkBytes,
		"carries headers without harm":                  sinkHeaders,
		"holds a bounded amount of memory":              sinkWindow,
		"delivers after a failure":                      sinkFailure,
		"closes with open batches and leaves nothing":   sinkCloses,
		"refuses batches after Close":                   sinkClosed,
		"takes batches from several writers":            sinkWriters,
		"goes on in a second run":                       sinkSecondRun,
		"lets a caller give up while it waits for room": sinkCancelled,
	} {
		t.Run(name, func(t *testing.T) { run(t, setup(t)) })
	}
}

// Delivery hands batches to a sink as the pipeline does, and follows what becomes of them.
type Delivery struct {
	t    *testing.T
	sink flow.Sink
	pool *flow.Pool

	mu       sync.Mutex // guards all below
	seq      uint64
	open     map[uint64]*flow.Batch
	accepted map[uint64]*flow.Batch // of open: those that Write has returned for
	bodies   map[uint64][]string
	failed   []uint64 // in order of their numbers
	results  map[uint64]flow.Result
	held     int64 // memory of batches that are accepted, not done and not unloaded
	most     int64
	after    bool // Close was called: nothing may be done any more
	over     bool // a batch has failed, and the next to go is the first that failed
	stop     context.CancelFunc
}

// NewDelivery starts.
func NewDelivery(t *testing.T, sink flow.Sink, env flow.Env) *Delivery {
	return &Delivery{
		t: t, sink: sink, pool: env.Pool, open: map[uint64]*flow.Batch{}, accepted: map[uint64]*flow.Batch{}, bodies: map[uint64][]string{}, results: map[uint64]flow.Result{},
	}
}

// Write makes a batch with the next number and hands it over.
func (d *Delivery) Write(ctx context.Context, bodies []string, headers ...flow.Header) error {
	d.mu.Lock()
	d.seq++
	seq := d.seq
	d.bodies[seq] = bodies
	d.mu.Unlock()
	return d.again(ctx, seq, headers...)
}

func (d *Delivery) again(ctx context.Context, seq uint64, headers ...flow.Header) error {
	d.mu.Lock()
	bodies := d.bodies[seq]
	d.mu.Unlock()
	b := SinkBatch(d.pool, seq, bodies, headers...)
	b.SetDone(func(b *flow.Batch, r flow.Result) { d.done(seq, b, r) })
	ctx, cancel := context.WithCancel(ctx) // which ends with the turn, as the pipeline's does
	defer cancel()
	d.mu.Lock()
	d.open[seq] = b
	d.stop = cancel
	if d.over {
		cancel()
	}
	d.mu.Unlock()
	err := d.sink.Write(ctx, b)
	d.mu.Lock()
	d.stop = nil
	d.mu.Unlock()
	if err != nil {
		d.mu.Lock()
		delete(d.open, seq)
		d.mu.Unlock()
		b.SetDone(nil)
		b.Release()
		return err
	}
	d.mu.Lock()
	if d.open[seq] == b {
		d.accepted[seq] = b
	}
	d.held = 0
	for _, o := range d.accepted { // those still in Write are the sink's to touch
		if !o.Unloaded() {
			d.held += o.Retained()
		}
	}
	d.most = max(d.most, d.held)
	d.mu.Unlock()
	return nil
}

// SinkBatch makes a batch as a channel hands it out.
func SinkBatch(pool *flow.Pool, seq uint64, bodies []string, headers ...flow.Header) *flow.Batch {
	b := pool.Get()
	b.Begin("key", 0, nil)
	b.SetBase(1_767_225_600_000_000_000) // 2026-01-01
	for i, body := range bodies {
		b.AddBody([]byte(body), uint64(i+1))
		if len(headers) > 0 {
			b.SetHeaders(i, headers...)
		}
	}
	b.SetID(flow.ID{Channel: [16]byte{0xc0, 0x11, 0xec, 0x70}, Epoch: 1, Seq: seq})
	return b
}

func (d *Delivery) done(seq uint64, b *flow.Batch, r flow.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[seq] != b {
		d.t.Errorf("batch %d was done twice", seq)
		return
	}
	if d.after {
		d.t.Errorf("batch %d was done after Close", seq)
	}
	delete(d.open, seq)
	delete(d.accepted, seq)
	d.results[seq] = r
	if r.Err != nil {
		d.failed = append(d.failed, seq)
		slices.Sort(d.failed)
		d.over = true
		if d.stop != nil {
			d.stop()
		}
	}
	b.Release()
}

// Must is Write that must succeed.
func (d *Delivery) Must(bodies []string, headers ...flow.Header) {
	d.t.Helper()
	if err := d.Write(d.t.Context(), bodies, headers...); err != nil {
		d.t.Fatalf("Write: %v", err)
	}
}

// Flush flushes and waits until nothing is open.
func (d *Delivery) Flush() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), wait)
	defer cancel()
	if err := d.sink.Flush(ctx); err != nil {
		d.t.Fatalf("Flush: %v", err)
	}
	Eventually(d.t, "everything accepted is done", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.open) == 0
	})
}

// Close closes the sink and releases what it held.
func (d *Delivery) Close() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), wait)
	defer cancel()
	if err := d.sink.Close(ctx); err != nil {
		d.t.Errorf("Close: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.after = true
	for _, b := range d.open {
		b.SetDone(nil)
		b.Release()
	}
	d.open, d.accepted = map[uint64]*flow.Batch{}, map[uint64]*flow.Batch{}
}

// Result gives what became of a batch.
func (d *Delivery) Result(seq uint64) (flow.Result, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.results[seq]
	return r, ok
}

// Requeue takes the last batch, which Write refused, for failed.
func (d *Delivery) Requeue() {
	d.mu.Lock()
	d.failed = append(d.failed, d.seq)
	d.mu.Unlock()
}

// Failed gives the numbers of the batches that failed and were not written again.
func (d *Delivery) Failed() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.failed)
}

// Retry writes failed batches again until all are delivered.
func (d *Delivery) Retry() {
	d.t.Helper()
	Eventually(d.t, "failed batches are delivered", func() bool {
		d.Flush() // one that is still to fail goes first
		d.mu.Lock()
		seqs := d.failed
		d.failed, d.over = nil, false
		d.mu.Unlock()
		for i, seq := range seqs {
			if err := d.again(d.t.Context(), seq); err != nil {
				d.mu.Lock()
				d.failed = append(d.failed, seqs[i:]...)
				d.mu.Unlock()
				return false
			}
		}
		ctx, cancel := context.WithTimeout(d.t.Context(), wait)
		defer cancel()
		_ = d.sink.Flush(ctx) // what fails shows below
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.failed) == 0 && len(d.open) == 0
	})
}

// Eventually waits for a condition.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (s Sink) env(t *testing.T) flow.Env {
	env := Env(t)
	if s.Env != nil {
		env = s.Env(t)
	}
	env.Component = "sink.test"
	return env
}

func (s Sink) open(t *testing.T, env flow.Env) *Delivery {
	t.Helper()
	return Open(t, s.New(t, env), env)
}
