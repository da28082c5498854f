package roll

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
	"collect/runtime/sim"
)

// powerTest delivers batches on a simulated machine that is killed twice and then loses its power. What was done in one run is gone
// from the channel and does not come in the next.
type powerTest struct {
	*testing.T
	disk    *sim.Disk
	batches [][]string

	mu   sync.Mutex // guards done: sinks end batches from goroutines of their own
	done map[uint64]bool
}

func (p *powerTest) isDone(seq uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done[seq]
}

func (p *powerTest) ended(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[seq] = true
}

// run works for a number of steps. It says whether it got to the end.
func (p *powerTest) run(steps int, dir string) bool {
	p.Helper()
	m := &mortal{FS: p.disk.FS(), left: steps, died: make(chan struct{}), sync: true}
	env := p.env(m, uint64(steps))
	path := parse(p.T, `"`+dir+`/${substr(event.body, 0, 1)}/all.txt"`, true)
	s := newSink(p.T, path, env, Options{Limits: Limits{Events: 5}})
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	go func() {
		select {
		case <-m.died:
			cancel()
		case <-ctx.Done():
		}
	}()
	ok := s.Open(ctx) == nil
	for i, bodies := range p.batches {
		seq := uint64(i + 1)
		if !ok {
			break
		}
		if p.isDone(seq) {
			continue
		}
		b := small(env.Pool, seq, bodies)
		b.SetDone(func(_ *flow.Batch, r flow.Result) {
			if r.Err == nil && !m.ended {
				p.ended(seq)
			}
		})
		ok = s.Write(ctx, b) == nil && (len(p.batches) > 3 || s.Flush(ctx) == nil) // a few: each a roll of its own
	}
	ok = ok && s.Flush(ctx) == nil
	_ = s.Close(ctx) // after a kill it changes nothing
	synctest.Wait()
	return ok && !m.ended
}

func (p *powerTest) env(files flow.FS, seed uint64) flow.Env {
	return flow.Env{
		Agent: "agent.test", Component: "sink.test", ID: "0f0e0d0c-0b0a-4908-8706-050403020100", Dir: "/state",
		Log: slog.New(slog.DiscardHandler), FS: files, Net: sim.Net(), Rand: sim.Rand(seed), Pool: flow.NewPoisonPool(1 << 20), Stats: &flow.Stats{},
	}
}

func (p *powerTest) check(when string) {
	p.Helper()
	var got, want []string
	for name, content := range p.disk.Files("/") {
		if strings.HasPrefix(name, "/state") {
			continue
		}
		if base := name[strings.LastIndexByte(name, '/')+1:]; base[0] == '.' {
			p.Errorf("%s: left behind: %s", when, name)
			continue
		}
		got = append(got, strings.Fields(string(content))...)
	}
	for _, b := range p.batches {
		want = append(want, b...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		p.Errorf("%s: (-want +got)\n%s", when, diff)
	}
}

// A kill leaves names that everybody sees and that are not durable: directories, temporary files, renames. Whatever the next run
// relies on must be durable before a batch is done, and what it removed must not come back.
func TestAPowerCutAfterKillsLosesNothingAndLeavesNothing(t *testing.T) {
	const tries = 10
	for first := 1; first <= 95; first++ {
		for try := range tries {
			rnd := rand.New(rand.NewPCG(uint64(first), uint64(try)))
			bodies := [][][]string{batches(), {{"a1"}, {"b2"}, {"c3"}}}[try%2]
			second, dir := 1+rnd.IntN(60), []string{"/out", "/other"}[rnd.IntN(2)] // where the last run writes
			synctest.Test(t, func(t *testing.T) {
				p := &powerTest{T: t, disk: sim.NewDisk(rnd.Uint64()), batches: bodies, done: map[uint64]bool{}}
				if err := p.disk.FS().MkdirAll("/state", 0o700); err != nil {
					t.Fatal(err)
				}
				p.run(first, "/out")
				p.run(second, "/out")
				p.disk.Crash(true)
				when := fmt.Sprintf("kills at steps %d and %d, then %s", first, second, dir)
				if !p.run(1<<30, dir) {
					t.Fatalf("%s: the last run failed", when)
				}
				p.check(when)
			})
			if t.Failed() {
				return
			}
		}
	}
}
