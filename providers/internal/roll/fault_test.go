package roll

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"collect/runtime/flow"
	"collect/runtime/sim"
)

// stubborn delivers all batches and tries again what fails, as the pipeline does. It says whether it came to an end.
func (p *powerTest) stubborn(ctx context.Context, s *Sink, pool *flow.Pool) bool {
	p.Helper()
	for range 50 {
		waiting := 0
		failed := make(chan struct{}, len(p.batches))
		for i, bodies := range p.batches {
			seq := uint64(i + 1)
			if p.isDone(seq) {
				continue
			}
			waiting++
			b := small(pool, seq, bodies)
			b.SetDone(func(_ *flow.Batch, r flow.Result) {
				if r.Err == nil {
					p.ended(seq)
					return
				}
				failed <- struct{}{}
			})
			if s.Write(ctx, b) != nil {
				b.SetDone(nil)
				b.Release()
				break // the order is kept: what comes behind waits
			}
		}
		if waiting == 0 {
			return true
		}
		if err := s.Flush(ctx); err != nil {
			p.Errorf("flush: %v", err)
			return false
		}
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// An error at every single operation of the disk, alone or three times in a row: nothing is lost or doubled, nothing hangs, and what could
// not be removed is gone after the next start.
func TestAnErrorAtAnyStepIsSurvived(t *testing.T) {
	for step, hit := 0, 1; hit > 0; step++ {
		for i, err := range []error{syscall.EIO, syscall.ENOSPC} {
			synctest.Test(t, func(t *testing.T) {
				p := &powerTest{T: t, disk: sim.NewDisk(uint64(step)), batches: batches(), done: map[uint64]bool{}}
				if err := p.disk.FS().MkdirAll("/state", 0o700); err != nil {
					t.Fatal(err)
				}
				p.disk.Add(sim.Fault{Skip: step, Count: 1 + 2*i, Err: err})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				for run := range 2 {
					env := p.env(p.disk.FS(), uint64(run))
					s := newSink(t, parse(t, `"/out/${substr(event.body, 0, 1)}/all.txt"`, true), env, Options{Limits: Limits{Events: 5}})
					for s.Open(ctx) != nil {
						time.Sleep(time.Second)
					}
					if !p.stubborn(ctx, s, env.Pool) {
						t.Errorf("step %d: not everything was delivered", step)
					}
					_ = s.Close(ctx) // it may be what fails
				}
				_, hit = p.disk.Faults() // none: all steps were tried
				p.check(fmt.Sprintf("%v at step %d", err, step))
			})
			if t.Failed() {
				return
			}
		}
		if hit == 0 && step < 150 {
			t.Errorf("only %d steps were tried", step)
		}
	}
}
