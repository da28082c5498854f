package providertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

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
	d.mu.Lock()
	d.open[seq] = b
	d.mu.Unlock()
	err := d.sink.Write(ctx, b)
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
		d.mu.Lock()
		seqs := d.failed
		d.failed = nil
		d.mu.Unlock()
		for i, seq := range seqs {
			if err := d.again(d.t.Context(), seq); err != nil {
				d.mu.Lock()
				d.failed = append(d.failed, seqs[i:]...)
				d.mu.Unlock()
				return false
			}
		}
		ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
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
	sink := s.New(t, env)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if err := sink.Open(ctx); err != nil {
		t.Fatalf("Open: %v", err)
	}
	return NewDelivery(t, sink, env)
}

// want compares what has arrived.
func (s Sink) want(t *testing.T, bodies []string) {
	t.Helper()
	form := make([]string, len(bodies))
	for i, b := range bodies {
		form[i] = b
		if s.Form != nil {
			form[i] = s.Form(b)
		}
	}
	var got []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) { // some arrive after they are sent
		if got = s.Received(t); len(got) >= len(form) || time.Now().After(end) {
			break
		}
	}
	if len(got) == 0 && len(form) == 0 {
		return
	}
	if diff := cmp.Diff(form, got); diff != "" {
		t.Errorf("arrived (-want +got, %d and %d):\n%.1500s", len(form), len(got), diff)
	}
}

func numbered(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("event %06d of the test", from+i)
	}
	return out
}

func sinkDelivers(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var all []string
	for i := range 60 {
		bodies := numbered(len(all), 1+i*7%200)
		all = append(all, bodies...)
		d.Must(bodies)
		if i%20 == 19 {
			d.Flush()
		}
	}
	d.Flush()
	for seq := uint64(1); seq <= 60; seq++ {
		if r, ok := d.Result(seq); !ok || r.Err != nil || len(r.Events) > 0 {
			t.Errorf("batch %d: %+v, done %v", seq, r, ok)
		}
	}
	s.want(t, all)
	d.Close()
}

func sinkEmpty(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	d.Must(nil)
	d.Must([]string{"x"})
	d.Must(nil)
	d.Flush()
	s.want(t, []string{"x"})
	d.Close()
}

func sinkBytes(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	bodies := []string{string(all[:]), "", "\n", "a\r\nb", "\\n", strings.Repeat("x", 70_000), "€ 한글"}
	for c := range 256 {
		bodies = append(bodies, "<"+string([]byte{byte(c)})+">")
	}
	d.Must(bodies)
	d.Flush()
	s.want(t, bodies)
	d.Close()
}

func sinkHeaders(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	hostile := []flow.Header{{Name: "a", Value: []byte("\r\n\x00\xff../..")}, {Name: "weird\r\nname", Value: nil}, {Name: "", Value: []byte("x")}}
	d.Must([]string{"with headers"}, hostile...)
	d.Flush()
	s.want(t, []string{"with headers"})
	d.Close()
}

func sinkWindow(t *testing.T, s Sink) {
	limit := s.Window
	if limit == 0 {
		limit = 64 << 20
	}
	d := s.open(t, s.env(t))
	line := strings.Repeat("y", 999)
	var all []string
	for range 100 {
		bodies := slices.Repeat([]string{line}, 400)
		all = append(all, bodies...)
		d.Must(bodies)
	}
	d.Flush()
	if d.most > limit {
		t.Errorf("held %d bytes, %d are allowed", d.most, limit)
	}
	s.want(t, all)
	d.Close()
}

func sinkFailure(t *testing.T, s Sink) {
	if s.Break == nil {
		t.Skip("this destination cannot be broken")
	}
	d := s.open(t, s.env(t))
	first := numbered(0, 50)
	d.Must(first)
	d.Flush()
	mend := s.Break(t)
	second := numbered(50, 50)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	err := d.Write(ctx, second)
	cancel()
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_ = d.sink.Flush(ctx) // it fails, or is not finished
		cancel()
	} else {
		d.mu.Lock()
		d.failed = append(d.failed, 2)
		d.mu.Unlock()
	}
	if r, ok := d.Result(2); ok && r.Err == nil {
		t.Error("a batch was delivered to a destination that is broken")
	}
	mend()
	Eventually(t, "the batch ends or can be written again", func() bool {
		r, ok := d.Result(2)
		return len(d.Failed()) > 0 || ok && r.Err == nil
	})
	d.Retry()
	third := numbered(100, 50)
	d.Must(third)
	d.Flush()
	d.Retry()
	form := slices.Concat(first, second, third)
	if s.Form != nil {
		for i := range form {
			form[i] = s.Form(form[i])
		}
	}
	var got []string
	for end := time.Now().Add(5 * time.Second); len(got) < len(form) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got = got[:0]
		for _, b := range s.Received(t) { // at least once: what is there twice is left out
			if !slices.Contains(got, b) {
				got = append(got, b)
			}
		}
	}
	if diff := cmp.Diff(form, got); diff != "" {
		t.Errorf("arrived (-want +got):\n%.1500s", diff)
	}
	d.Close()
}

func sinkCloses(t *testing.T, s Sink) {
	before := goleak.IgnoreCurrent()
	d := s.open(t, s.env(t))
	for i := range 20 {
		d.Must(numbered(i*100, 100))
	}
	d.Close()
	goleak.VerifyNone(t, before)
}

func sinkClosed(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	d.Close()
	if err := d.Write(t.Context(), []string{"late"}); err == nil {
		if _, done := d.Result(1); !done {
			t.Error("a batch was accepted after Close and is not done")
		}
	}
}

func sinkWriters(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 20 {
				if err := d.Write(t.Context(), numbered(w*10_000+i*10, 10)); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	writers.Wait()
	d.Flush()
	var got []string
	Eventually(t, "all events arrive", func() bool {
		got = slices.Clone(s.Received(t))
		return len(got) >= 800
	})
	slices.Sort(got)
	if n := len(slices.Compact(got)); len(got) != 800 || n != 800 {
		t.Errorf("%d events arrived, %d different ones, of 800", len(got), n)
	}
	d.Close()
}

func sinkSecondRun(t *testing.T, s Sink) {
	env := s.env(t)
	d := s.open(t, env)
	d.Must(numbered(0, 30))
	d.Flush()
	d.Close()
	e := s.open(t, env)
	e.seq = 1
	e.Must(numbered(30, 30))
	e.Flush()
	s.want(t, numbered(0, 60))
	e.Close()
}

func sinkCancelled(t *testing.T, s Sink) {
	d := s.open(t, s.env(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Write(ctx, []string{"x"}); err != nil && ctx.Err() == nil {
		t.Errorf("Write with a cancelled context: %v", err)
	}
	d.Flush()
	d.Close()
}
