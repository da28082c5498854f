package disk_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"collect/runtime/channel/disk"
	"collect/runtime/flow"
	"collect/runtime/sim"
)

// A consumer takes the place of another, and the power goes at some moment around it. What had been committed for long must not come
// again, whichever of the two is asked afterwards.
func TestAPowerCutDoesNotUndoATakeOver(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			p := &powerTest{T: t, seed: seed, rnd: rnd, disk: sim.NewDisk(seed), pool: flow.NewPoisonPool(4 << 20), ids: map[uint64]flow.ID{}}
			if err := p.disk.FS().MkdirAll("/ch", 0o700); err != nil {
				t.Fatal(err)
			}
			cfg := disk.Defaults() // all stays in one segment
			c, err := p.tryOpen(cfg)
			if err != nil {
				t.Fatal(err)
			}
			old := c.Consumer("old")
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			ended := make(chan struct{})
			go func() { p.produce(ctx, c, p.another(), false); close(ended) }()
			deliver(ctx, old)
			cancel()
			<-ended
			finish, stop := context.WithTimeout(t.Context(), 5*time.Second)
			deliver(finish, old) // and all of it is durable by then
			stop()
			c.Consumer("new")
			forgone := make(chan struct{})
			go func() { _ = c.Forgo("old"); close(forgone) }()
			time.Sleep(time.Duration(rnd.Int64N(int64(1500 * time.Millisecond))))
			p.disk.Crash(true)
			<-forgone
			_ = c.Close(context.Background())
			p.disk.Heal()
			if c, err = p.tryOpen(cfg); err != nil {
				t.Fatal(err)
			}
			again, stop := context.WithTimeout(t.Context(), 5*time.Second)
			if n := deliver(again, c.Consumer("new")); n > 0 {
				t.Errorf("seed %d: %d events that had been committed for long came again", seed, n)
			}
			stop()
			_ = c.Close(context.Background())
		})
		if t.Failed() {
			return
		}
	}
}

// deliver commits what comes until ctx ends.
func deliver(ctx context.Context, k flow.Consumer) (events int) {
	for {
		l, err := k.Take(ctx)
		if err != nil {
			return events
		}
		b := l.Batch()
		events += b.Len()
		b.Release()
		_ = l.Commit() // after a crash it may fail
	}
}
