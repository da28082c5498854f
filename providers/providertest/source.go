package providertest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
)

// Source is the conformance suite of sources that replay.
type Source struct {
	// New makes the source anew on the data that was fed so far.
	New func(t *testing.T, env flow.Env) flow.Source
	// Feed makes about n more events available and gives their bodies, in the order in which they must come. It is called again after
	// the source was stopped.
	Feed func(t *testing.T, n int) []string
	// Unordered says that several position keys are fed: the order holds within each only.
	Unordered bool
}

// Test runs the suite; setup makes the data of one test case, away from that of others.
func Test(t *testing.T, setup func(t *testing.T) Source) {
	for name, run := range map[string]func(*testing.T, Source){
		"emits everything once, in order":           everythingOnce,
		"goes on where it stopped":                  goesOn,
		"replays exactly what is not acknowledged":  replaysUnacknowledged,
		"a lost process loses nothing":              killed,
		"an abandoned batch comes again":            abandoned,
		"stops while its emitter blocks":            stopsWhileBlocked,
		"waits when nothing more may be in flight":  backPressure,
		"a source made anew in the process goes on": replacedInProcess,
	} {
		t.Run(name, func(t *testing.T) { run(t, setup(t)) })
	}
}

// small gives an environment with small batches.
func small(t *testing.T, pos *Positions) flow.Env {
	env := Env(t)
	env.Batch.MaxEvents = 16
	env.Positions = pos
	return env
}

func (s Source) equal(t *testing.T, want []string, got []Event) {
	t.Helper()
	bodies := []string{}
	last := map[string]uint64{}
	for _, e := range got {
		bodies = append(bodies, e.Body)
		if e.From < last[e.Key] {
			t.Errorf("key %s: position %d comes after %d", e.Key, e.From, last[e.Key])
		}
		last[e.Key] = e.After
	}
	want = slices.Clone(want)
	if s.Unordered {
		slices.Sort(want)
		slices.Sort(bodies)
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("events differ (-want +got):\n%.2000s", diff)
	}
}

func everythingOnce(t *testing.T, s Source) {
	want := s.Feed(t, 500)
	env := Env(t)
	out := NewOut(t, env.Positions.(*Positions))
	r := Start(t, s.New(t, env), out)
	out.Wait(len(want))
	r.Stop()
	s.equal(t, want, out.Events())
}

func goesOn(t *testing.T, s Source) {
	first := s.Feed(t, 300)
	pos := NewPositions()
	out := NewOut(t, pos)
	r := Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(first))
	r.Stop()
	second := s.Feed(t, 200)
	pos = pos.Stopped()
	out = NewOut(t, pos)
	r = Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(second))
	r.Stop()
	s.equal(t, second, out.Events())
}

// partly runs the source with held batches and acknowledges some of them.
func partly(t *testing.T, s Source, want int, pos *Positions) (acked, rest []Event, out *Out, r *Running) {
	out = NewOut(t, pos).Hold(1 << 20)
	r = Start(t, s.New(t, small(t, pos)), out)
	out.Wait(want)
	ack := out.Pending() / 2
	n := 0
	out.mu.Lock()
	for _, b := range out.pending[:ack] {
		n += b.Len()
	}
	out.mu.Unlock()
	all := out.Events()
	out.Ack(ack, flow.Durable)
	return all[:n], all[n:], out, r
}

func replaysUnacknowledged(t *testing.T, s Source) {
	want := s.Feed(t, 300)
	pos := NewPositions()
	_, rest, out, r := partly(t, s, len(want), pos)
	if len(rest) == 0 {
		t.Fatal("one batch held everything: feed more")
	}
	r.Stop()
	out.Ack(-1, flow.Abandoned)
	var again []string
	for _, e := range rest {
		again = append(again, e.Body)
	}
	pos = pos.Stopped()
	out = NewOut(t, pos)
	r = Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(again))
	r.Stop()
	s.equal(t, again, out.Events())
}

func killed(t *testing.T, s Source) {
	want := s.Feed(t, 300)
	pos := NewPositions()
	acked, _, out, r := partly(t, s, len(want), pos)
	next := pos.Killed() // nothing of what the old process does from here on is known to the new one
	r.Stop()
	out.Ack(-1, flow.Abandoned)
	have := map[string]bool{}
	for _, e := range acked {
		have[e.Body] = true
	}
	out = NewOut(t, next)
	r = Start(t, s.New(t, small(t, next)), out)
	Until(t, "all events are acknowledged or emitted again", func() bool {
		for _, e := range out.Events() {
			have[e.Body] = true
		}
		return !slices.ContainsFunc(want, func(b string) bool { return !have[b] })
	})
	r.Stop()
}

func abandoned(t *testing.T, s Source) {
	want := s.Feed(t, 100)
	pos := NewPositions()
	out := NewOut(t, pos).Hold(1 << 20)
	r := Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(want))
	out.Ack(-1, flow.Abandoned)
	r.Stop()
	pos = pos.Stopped()
	out = NewOut(t, pos)
	r = Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(want))
	r.Stop()
	s.equal(t, want, out.Events())
}

func stopsWhileBlocked(t *testing.T, s Source) {
	s.Feed(t, 300)
	pos := NewPositions()
	out := NewOut(t, pos).Hold(1)
	r := Start(t, s.New(t, small(t, pos)), out)
	out.Wait(1)
	r.Stop()
	out.Ack(-1, flow.Abandoned)
}

func backPressure(t *testing.T, s Source) {
	want := s.Feed(t, 300)
	pos := NewPositions()
	out := NewOut(t, pos).Hold(2)
	r := Start(t, s.New(t, small(t, pos)), out)
	for len(out.Events()) < len(want) {
		Until(t, "a batch is in flight", func() bool { return out.Pending() > 0 })
		out.Ack(1, flow.Delivered)
	}
	out.Ack(-1, flow.Delivered)
	r.Stop()
	if out.most > 2 {
		t.Errorf("%d batches were in flight, 2 were allowed", out.most)
	}
	s.equal(t, want, out.Events())
}

func replacedInProcess(t *testing.T, s Source) {
	want := s.Feed(t, 100)
	pos := NewPositions()
	out := NewOut(t, pos).Hold(1 << 20)
	r := Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(want))
	r.Stop()
	more := s.Feed(t, 50)
	pos.advance()
	r = Start(t, s.New(t, small(t, pos)), out)
	out.Wait(len(want) + len(more))
	r.Stop()
	out.Ack(-1, flow.Delivered)
	s.equal(t, append(slices.Clone(want), more...), out.Events())
}

// advance makes the emitted frontier the one from which a new source goes on, as when a source is replaced in its process.
func (p *Positions) advance() {
	p.mu.Lock()
	for _, k := range p.keys {
		k.acked = k.emitted
	}
	p.mu.Unlock()
}
