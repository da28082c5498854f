package disk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"collect/runtime/channel/disk"
	"collect/runtime/flow"
	"collect/runtime/sim"
)

// TestPowerCutsLoseAndDoubleNothing cuts the power at any moment, again and again. Each cut keeps any part of what was not synced. What
// was acknowledged is delivered; nothing is in the channel twice; order is kept.
func TestPowerCutsLoseAndDoubleNothing(t *testing.T) {
	for seed := range uint64(25) {
		synctest.Test(t, func(t *testing.T) {
			p := &powerTest{
				T: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), disk: sim.NewDisk(seed), pool: flow.NewPoisonPool(4 << 20),
				ids: map[uint64]flow.ID{},
			}
			p.run()
		})
		if t.Failed() {
			return
		}
	}
}

type powerTest struct {
	*testing.T
	seed  uint64
	rnd   *rand.Rand
	disk  *sim.Disk
	pool  *flow.Pool
	pos   uint64
	acked atomic.Uint64 // everything below was acknowledged
	ids   map[uint64]flow.ID
}

func (p *powerTest) run() {
	if err := p.disk.FS().MkdirAll("/ch", 0o700); err != nil {
		p.Fatal(err)
	}
	for life := range 8 {
		last := life == 7
		p.disk.Heal()
		if !last && life%2 == 1 {
			p.harm()
		}
		c := p.open()
		k := c.Consumer("a")
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{}, 2)
		one, two := p.another(), p.another()
		go func() { p.produce(ctx, c, one, last); ended <- struct{}{} }()
		go func() { p.consume(ctx, c, k, two); ended <- struct{}{} }()
		if last {
			time.Sleep(time.Minute)
			synctest.Wait()
			if s := c.Stats(); s.Events != 0 || s.Damaged != 0 || s.LastErr != "" {
				p.Errorf("seed %d: at rest %+v", p.seed, s)
			}
		} else {
			time.Sleep(time.Duration(p.rnd.Int64N(int64(3 * time.Second))))
			p.disk.Crash(p.rnd.IntN(4) > 0)
		}
		cancel()
		<-ended
		<-ended
		_ = c.Close(context.Background())
	}
	for n := range p.acked.Load() {
		if _, ok := p.ids[n]; !ok {
			p.Fatalf("seed %d: event %d of %d was acknowledged and is lost", p.seed, n, p.acked.Load())
		}
	}
}

// another gives random numbers for another goroutine.
func (p *powerTest) another() *rand.Rand { return rand.New(rand.NewPCG(p.rnd.Uint64(), 2)) }

// harm makes some operation fail once, twice or three times.
func (p *powerTest) harm() {
	ops := []string{"sync", "write", "syncdir", "allocate", "create", "rename", "remove", "read", ""}
	causes := []error{syscall.EIO, syscall.ENOSPC}
	p.disk.Add(sim.Fault{
		Op: ops[p.rnd.IntN(len(ops))], Skip: p.rnd.IntN(80), Count: 1 + p.rnd.IntN(3), Err: causes[p.rnd.IntN(len(causes))],
	})
}

func (p *powerTest) open() flow.Channel {
	cfg := disk.Defaults()
	cfg.SegmentSize, cfg.MaxSize = 32<<10, 1<<20
	for range 5 {
		c, err := p.tryOpen(cfg)
		if err == nil {
			return c
		}
		if _, failed := p.disk.Faults(); failed == 0 {
			p.Fatalf("seed %d: %v", p.seed, err)
		}
	}
	p.Fatalf("seed %d: does not open", p.seed)
	return nil
}

func (p *powerTest) tryOpen(cfg disk.Config) (flow.Channel, error) {
	c, err := disk.New(cfg, flow.Env{
		Dir: "/ch", Log: slog.New(slog.DiscardHandler), FS: p.disk.FS(), Rand: sim.Rand(p.rnd.Uint64()), Pool: p.pool, Stats: &flow.Stats{},
	})
	if err == nil {
		err = c.Open(context.Background())
	}
	return c, err
}

// produce sends again from what was acknowledged, in batches cut anew, and goes on.
func (p *powerTest) produce(ctx context.Context, c flow.Channel, rnd *rand.Rand, last bool) {
	p.pos = p.acked.Load()
	for ctx.Err() == nil && (!last || p.pos < p.acked.Load()+1 || p.pos%500 != 0) {
		n := uint64(1 + rnd.IntN(40))
		if last {
			n = min(n, 500-p.pos%500)
		}
		b := p.pool.GetSized(int(n) * 110)
		b.Begin("key", p.pos, &flow.Meta{Counted: true})
		for i := range n {
			b.AddBody([]byte(event(p.pos+i)), p.pos+i+1)
		}
		p.pos += n
		end := p.pos
		b.OnAck(func(o flow.Outcome) {
			if o == flow.Durable {
				p.acked.Store(max(p.acked.Load(), end)) // only the syncer calls this
			}
		})
		slot, err := c.Reserve(ctx, b.Size())
		if err != nil {
			b.Release()
			return
		}
		for err = slot.Put(b); err != nil && !errors.Is(err, flow.ErrClosed) && ctx.Err() == nil; err = slot.Put(b) {
			time.Sleep(5 * time.Millisecond)
		}
		if err != nil {
			b.Release()
			return
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(40 * time.Millisecond))))
	}
}

func (p *powerTest) consume(ctx context.Context, c flow.Channel, k flow.Consumer, rnd *rand.Rand) {
	var open []flow.Lease
	newest := -1
	defer func() {
		for _, l := range open {
			l.Return()
		}
	}()
	for {
		if len(open) > 0 && (rnd.IntN(3) > 0 || c.Stats().Events > 0 && len(open) > 5) {
			i := rnd.IntN(len(open))
			_ = open[i].Commit()
			open = append(open[:i], open[i+1:]...)
			continue
		}
		soon, cancel := context.WithTimeout(ctx, time.Second)
		l, err := k.Take(soon)
		cancel()
		if ctx.Err() == nil && err != nil && !errors.Is(err, flow.ErrClosed) {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return
		}
		b := l.Batch()
		for i := range b.Len() {
			var n uint64
			if _, err := fmt.Sscanf(string(b.Body(i)), "%d", &n); err != nil || string(b.Body(i)) != event(n) {
				p.Errorf("seed %d: a wrong event %q", p.seed, b.Body(i))
			}
			if id, ok := p.ids[n]; ok && id != b.ID() {
				p.Errorf("seed %d: event %d is in the channel as %v and as %v", p.seed, n, id, b.ID())
			}
			p.ids[n] = b.ID()
			if int(n) <= newest {
				p.Errorf("seed %d: event %d after %d", p.seed, n, newest)
			}
			newest = int(n)
		}
		b.Release()
		open = append(open, l)
	}
}
