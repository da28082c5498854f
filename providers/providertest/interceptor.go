package providertest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
)

// Interceptor is the conformance suite of interceptors.
type Interceptor struct {
	// New makes the interceptor.
	New func(t testing.TB, env flow.Env) flow.Interceptor
	// Body and Headers are an event that it handles in the usual way.
	Body    string
	Headers map[string]string
	// ChangesBody says that it may change bodies.
	ChangesBody bool
	// Allocs is how many allocations for an event cannot be avoided.
	Allocs float64
}

// Test runs the suite.
func (s Interceptor) Test(t *testing.T) {
	t.Run("keeps any bytes", s.anyBytes)
	t.Run("touches only its events", s.onlyItsEvents)
	t.Run("gives the same for one event as for many", s.oneByOne)
	t.Run("leaves events alone that are gone", s.goneEvents)
	t.Run("does not allocate per event", s.allocations)
}

// result is an event after an interceptor, and what became of it.
type result struct {
	Event  Event
	Gone   bool
	Dead   bool
	Reason string
}

// results must be read before Keep is applied.
func results(b *flow.Batch, k *flow.Keep) []result {
	var out []result
	for i, e := range Copy(b) {
		reason, dead := k.IsDeadLetter(i)
		e.Flags &^= flow.FlagEdited | flow.FlagCR | flow.FlagNoLine
		out = append(out, result{Event: e, Gone: k.Gone(i), Dead: dead, Reason: reason})
	}
	return out
}

var everyByte = func() string {
	p := make([]byte, 256)
	for i := range p {
		p[i] = byte(i)
	}
	return string(p)
}()

// bodies are what any interceptor must stand.
func (s Interceptor) bodies() []string {
	return []string{s.Body, "", everyByte, "\"", "{", "[[[", string(bytes.Repeat([]byte("["), 10000)), s.Body + s.Body, ",,,,\"\"\"\",", s.Body}
}

// batch makes three runs of the same bodies; events of the second one have headers from their run, too.
func (s Interceptor) batch(pool *flow.Pool) *flow.Batch {
	b := pool.GetSized(64)
	b.SetBase(1_800_000_000_123_456_789)
	for r := range 3 {
		meta := &flow.Meta{File: "/var/log/x"}
		if r == 1 {
			meta.Headers = flow.AppendHeaderBlock(nil, []flow.Header{{Name: "shared", Value: []byte("run")}, {Name: "kind", Value: []byte("k")}})
		}
		b.Begin(fmt.Sprintf("00000000-0000-4000-8000-000000000000/%x/key%d", r, r), 100, meta)
		at := uint64(100)
		for n, body := range s.bodies() {
			at += uint64(len(body) + 1)
			b.AddBody([]byte(body), at)
			if n != 2 { // one event has no headers of its own
				s.setHeaders(b, b.Len()-1)
			}
		}
	}
	return b
}

func (s Interceptor) setHeaders(b *flow.Batch, i int) {
	for name, value := range s.Headers {
		b.SetHeaders(i, flow.Header{Name: name, Value: []byte(value)})
	}
}

func intercept(t testing.TB, ic flow.Interceptor, b *flow.Batch, lo, hi int) *flow.Keep {
	t.Helper()
	k := &flow.Keep{}
	k.Reset(b.Len())
	if err := ic.Intercept(b, lo, hi, k); err != nil {
		t.Fatal(err)
	}
	return k
}

func (s Interceptor) anyBytes(t *testing.T) {
	env := Env(t)
	b := s.batch(env.Pool)
	defer b.Release()
	before := Copy(b)
	ic := s.New(t, env)
	k := &flow.Keep{}
	k.Reset(b.Len())
	for _, run := range b.Runs() {
		if err := ic.Intercept(b, run.First, run.First+run.N, k); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range Copy(b) {
		if e.From != before[i].From || e.After != before[i].After || e.Key != before[i].Key {
			t.Errorf("event %d: its position changed from %d-%d to %d-%d", i, before[i].From, before[i].After, e.From, e.After)
		}
		if !s.ChangesBody && e.Body != before[i].Body {
			t.Errorf("event %d: its body changed to %q", i, e.Body)
		}
	}
}

func (s Interceptor) onlyItsEvents(t *testing.T) {
	env := Env(t)
	b := s.batch(env.Pool)
	defer b.Release()
	before := Copy(b)
	run := b.Runs()[1]
	k := intercept(t, s.New(t, env), b, run.First, run.First+run.N)
	for i, r := range results(b, k) {
		if i >= run.First && i < run.First+run.N {
			continue
		}
		before[i].Flags = r.Event.Flags
		if diff := cmp.Diff(before[i], r.Event); diff != "" || r.Gone {
			t.Errorf("event %d is outside and changed (gone %v):\n%s", i, r.Gone, diff)
		}
	}
}

func (s Interceptor) oneByOne(t *testing.T) {
	env := Env(t)
	b := s.batch(env.Pool)
	defer b.Release()
	run := b.Runs()[1]
	many := results(b, intercept(t, s.New(t, env), b, run.First, run.First+run.N))
	ic := s.New(t, env)
	for i := run.First; i < run.First+run.N; i++ {
		all := s.batch(env.Pool)
		one := all.Select([]int{i})
		if one.Len() != 1 {
			t.Fatal("a view of one event has", one.Len())
		}
		own := s.single(env.Pool, one)
		one.Release()
		all.Release()
		got := results(own, intercept(t, ic, own, 0, 1))
		if diff := cmp.Diff(many[i], got[0]); diff != "" {
			t.Errorf("event %d alone gives another result:\n%s", i, diff)
		}
		own.Release()
	}
}

// single copies a view of one event into a batch of its own.
func (s Interceptor) single(pool *flow.Pool, v *flow.Batch) *flow.Batch {
	run := v.RunOf(0)
	b := pool.GetSized(16)
	b.SetBase(v.Base())
	from := v.SourceOffset(0)
	b.Begin(run.Key, from, run.Meta)
	b.AddBody(v.Body(0), run.From+uint64(v.Recs()[0].After))
	if v.Recs()[0].Hdr != 0 {
		s.setHeaders(b, 0)
	}
	return b
}

func (s Interceptor) goneEvents(t *testing.T) {
	env := Env(t)
	b := s.batch(env.Pool)
	defer b.Release()
	before := Copy(b)
	k := &flow.Keep{}
	k.Reset(b.Len())
	run := b.Runs()[0]
	for i := run.First; i < run.First+run.N; i++ {
		k.DeadLetter(i, "before")
	}
	if err := s.New(t, env).Intercept(b, run.First, run.First+run.N, k); err != nil {
		t.Fatal(err)
	}
	for i, r := range results(b, k)[:run.N] {
		before[i].Flags = r.Event.Flags
		if diff := cmp.Diff(before[i], r.Event); diff != "" || r.Reason != "before" {
			t.Errorf("event %d was gone and is handled again (%s):\n%s", i, r.Reason, diff)
		}
	}
}

func (s Interceptor) allocations(t *testing.T) {
	if Race {
		t.Skip("the race detector allocates, too")
	}
	const events = 200
	pool := flow.NewPool(16 << 20)
	env := Env(t)
	env.Pool = pool
	ic := s.New(t, env)
	k := &flow.Keep{}
	meta := &flow.Meta{}
	body := []byte(s.Body)
	var headers []flow.Header
	for name, value := range s.Headers {
		headers = append(headers, flow.Header{Name: name, Value: []byte(value)})
	}
	run := func(work bool) float64 {
		return testing.AllocsPerRun(20, func() {
			b := pool.Get()
			b.Begin("k", 0, meta)
			for i := range events {
				b.AddBody(body, uint64(i+1)*uint64(len(body)+1))
				if len(headers) > 0 {
					b.SetHeaders(i, headers...)
				}
			}
			k.Reset(events)
			if work {
				if err := ic.Intercept(b, 0, events, k); err != nil {
					t.Error(err)
				}
			}
			b.Release()
		})
	}
	base := run(false)
	if got := (run(true) - base) / events; got > s.Allocs+0.05 {
		t.Errorf("%.2f allocations an event, want %.2f", got, s.Allocs)
	}
}

// Bench measures an interceptor on batches of its usual event.
func (s Interceptor) Bench(b *testing.B) {
	const events = 4096
	pool := flow.NewPool(64 << 20)
	env := Env(b)
	env.Pool = pool
	ic := s.New(b, env)
	k := &flow.Keep{}
	meta := &flow.Meta{}
	body := []byte(s.Body)
	b.SetBytes(int64(events * len(body)))
	b.ReportAllocs()
	for b.Loop() {
		batch := pool.Get()
		batch.Begin("k", 0, meta)
		for i := range events {
			batch.AddBody(body, uint64(i+1)*uint64(len(body)+1))
		}
		k.Reset(events)
		if err := ic.Intercept(batch, 0, events, k); err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
}

// One runs an interceptor on one event and gives what became of it: nil when it was dropped.
func One(t testing.TB, ic flow.Interceptor, pool *flow.Pool, body string, headers map[string]string) (e *Event, k *flow.Keep) {
	t.Helper()
	b := pool.GetSized(16)
	defer b.Release()
	b.SetBase(1_800_000_000_123_456_789)
	b.Begin("00000000-0000-4000-8000-000000000000/1/k", 0, &flow.Meta{File: "/var/log/x"})
	b.AddBody([]byte(body), uint64(len(body)+1))
	s := Interceptor{Headers: headers}
	s.setHeaders(b, 0)
	k = intercept(t, ic, b, 0, 1)
	if k.Gone(0) {
		return nil, k
	}
	return &Copy(b)[0], k
}
