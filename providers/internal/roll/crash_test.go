package roll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/providers/internal/roll/internal/journal"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// batches of three paths that share batches in different ways.
func batches() [][]string {
	var out [][]string
	n := 0
	for i := range 6 {
		var b []string
		for k := range 4 {
			b = append(b, fmt.Sprintf("%c%03d", 'a'+(i/3+k*(i%2))%3, n))
			n++
		}
		out = append(out, b)
	}
	return out
}

// small makes a batch that takes little memory: there are very many.
func small(pool *flow.Pool, seq uint64, bodies []string) *flow.Batch {
	b := pool.GetSized(64)
	b.Begin("key", 0, nil)
	for i, body := range bodies {
		b.AddBody([]byte(body), uint64(i+1))
	}
	b.SetID(flow.ID{Channel: [16]byte{0xc0, 0x11, 0xec, 0x70}, Epoch: 1, Seq: seq})
	return b
}

type killTest struct {
	*testing.T
	root string
	env  flow.Env
	path *Path
}

func newKillTest(t *testing.T) *killTest {
	root := t.TempDir()
	return &killTest{t, root, providertest.Env(t), parse(t, `"`+root+`/${substr(event.body, 0, 1)}/all.txt"`, true)}
}

// run delivers all batches until the file layer dies, or, with enough steps, to the end. It says whether it got there.
func (k *killTest) run(steps int) bool {
	k.Helper()
	m := &mortal{FS: k.env.FS, left: steps, died: make(chan struct{})}
	env := k.env
	env.FS = m
	s := newSink(k.T, k.path, env, Options{Limits: Limits{Events: 5}})
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	go func() {
		select {
		case <-m.died:
			cancel()
		case <-ctx.Done():
		}
	}()
	done := make(chan struct{}, 100)
	ok := s.Open(ctx) == nil
	if ok {
		for i, bodies := range batches() {
			b := small(env.Pool, uint64(i+1), bodies)
			b.SetDone(func(_ *flow.Batch, r flow.Result) {
				if r.Err == nil {
					done <- struct{}{}
				}
			})
			if ok = s.Write(ctx, b) == nil; !ok {
				break
			}
		}
		ok = ok && s.Flush(ctx) == nil && len(done) == len(batches())
	}
	cctx, ccancel := context.WithTimeout(context.WithoutCancel(k.Context()), time.Minute)
	defer ccancel()
	_ = s.Close(cctx) // with a dead file layer it cannot clean up, as a killed process does not
	return ok && !m.ended
}

func (k *killTest) check(when string) {
	k.Helper()
	got, hidden := providertest.Contents(k, k.root), providertest.Hidden(k, k.root)
	var want []string
	for _, b := range batches() {
		want = append(want, b...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		k.Fatalf("%s: (-want +got)\n%s", when, diff)
	}
	if len(hidden) > 0 {
		k.Fatalf("%s: left behind: %v", when, hidden)
	}
}

// A kill at every single change of the disk, then a second run that gets all batches again: each event is in exactly one final file.
func TestAKillAtAnyStepGivesEveryEventExactlyOnce(t *testing.T) {
	for n := 1; ; n++ {
		k := newKillTest(t)
		if k.run(n) {
			k.check("without a kill")
			t.Logf("%d steps", n)
			if n < 50 {
				t.Errorf("only %d steps were tried", n)
			}
			return
		}
		if !k.run(1 << 30) {
			t.Fatalf("after a kill at step %d the second run failed", n)
		}
		k.check(fmt.Sprintf("after a kill at step %d", n))
	}
}

// Kills in the runs that recover from kills.
func TestKillsDuringRecoveryAreSurvivedToo(t *testing.T) {
	for n := 5; n < 120; n += 7 {
		k := newKillTest(t)
		for m := n; m > 3; m = m * 2 / 3 {
			k.run(m)
		}
		if !k.run(1 << 30) {
			t.Fatalf("after kills from step %d on the last run failed", n)
		}
		k.check(fmt.Sprintf("after kills from step %d on", n))
	}
}

func TestADamagedIntentStopsTheSinkAndNamesTheFile(t *testing.T) {
	k := newKillTest(t)
	k.run(1 << 30)
	name := k.env.Dir + "/" + journal.IntentName
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSink(t, k.path, k.env, Options{})
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
	_ = s.Close(t.Context())
}

// A part of a batch has no identity: what is delivered of it must not make the rest look delivered.
func TestPartsOfABatchAreNotTakenForTheWhole(t *testing.T) {
	k := newKillTest(t)
	s := newSink(t, k.path, k.env, Options{})
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := providertest.SinkBatch(k.env.Pool, 1, []string{"a1", "a2"})
	part := whole.Select([]int{0})
	part.SetDone(func(*flow.Batch, flow.Result) {})
	if err := errors.Join(s.Write(t.Context(), part), s.Flush(t.Context()), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	in, err := journal.ReadIntent(mustDir(t, k.env))
	if err != nil {
		t.Fatal(err)
	}
	if in.Done().Has(whole.ID()) {
		t.Error("the whole batch counts as delivered")
	}
	whole.Release()
}

func mustDir(t *testing.T, env flow.Env) flow.Dir {
	t.Helper()
	d, err := env.FS.OpenDir(env.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestATempThatSomebodyRemovedIsWrittenAgain(t *testing.T) {
	k := newKillTest(t)
	d := providertest.Open(t, newSink(t, k.path, k.env, Options{}), k.env)
	d.Must([]string{"a1"})
	temps, _ := filepath.Glob(k.root + "/a/.*")
	if len(temps) != 1 {
		t.Fatalf("temps %v", temps)
	}
	if err := os.Remove(temps[0]); err != nil {
		t.Fatal(err)
	}
	d.Flush()
	if r, _ := d.Result(1); r.Err == nil || !strings.Contains(r.Err.Error(), "removed by somebody else") {
		t.Errorf("%+v", r)
	}
	d.Retry()
	d.Close()
	final, _ := filepath.Glob(k.root + "/a/all*")
	if len(final) != 1 {
		t.Errorf("files %v", final)
	}
}

// Events that no file can take are for the dead-letter channel. A kill after the roll and before they are there must not make them
// look delivered with the rest of their batch.
func TestEventsWithoutAFileAreToldAgainAfterAKill(t *testing.T) {
	k := newKillTest(t)
	k.path = parse(t, `"`+k.root+`/${event.headers.dir}/all.txt"`, true)
	batch := func(seq uint64) *flow.Batch {
		b := small(k.env.Pool, seq, []string{"good", "bad"})
		b.SetHeaders(0, flow.Header{Name: "dir", Value: []byte("a")})
		return b
	}
	deliver := func(seq uint64) (got flow.Result) {
		s := newSink(t, k.path, k.env, Options{})
		b, other := batch(seq), small(k.env.Pool, seq+1, []string{"lost"})
		b.SetDone(func(_ *flow.Batch, r flow.Result) { got = r })
		other.SetDone(func(*flow.Batch, flow.Result) {})
		err := errors.Join(s.Open(t.Context()), s.Write(t.Context(), other), s.Write(t.Context(), b), s.Flush(t.Context()), s.Close(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, when := range []string{"at first", "after a kill", "after two"} {
		r := deliver(1)
		if r.Err != nil || len(r.Events) != 1 || r.Events[0].Index != 1 || !flow.IsPermanent(r.Events[0].Err) ||
			!strings.Contains(r.Events[0].Err.Error(), "path") {
			t.Fatalf("%s: %+v", when, r)
		}
	}
	final, _ := filepath.Glob(k.root + "/a/all*")
	if len(final) != 1 {
		t.Errorf("files %v", final)
	}
}
