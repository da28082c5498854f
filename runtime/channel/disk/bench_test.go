package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"collect/runtime/channel/disk"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func testEnv(dir string) flow.Env {
	return flow.Env{
		ID: "id", Dir: dir, Log: slog.New(slog.DiscardHandler), FS: host.FS(), Rand: host.Rand(),
		Pool: flow.NewPool(64 << 20), Stats: &flow.Stats{},
	}
}

func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lineBlock is 1 MiB of lines of 174 bytes and a line end.
var lineBlock = bytes.Repeat(append(bytes.Repeat([]byte("0123456789abcdef "), 11)[:174], '\n'), 1<<20/175)

func lineBatch(p *flow.Pool, from uint64) *flow.Batch {
	b := p.Get()
	copy(b.Space(len(lineBlock)), lineBlock)
	b.Used(len(lineBlock))
	b.Begin("bench", from, nil)
	for at := 0; at < len(lineBlock); at += 175 {
		b.Add(at, 174, from+uint64(at)+175, 0)
	}
	return b
}

// BenchmarkPutTake measures one line's way through the channel; filling the batch is part of it.
func BenchmarkPutTake(b *testing.B) {
	for _, lag := range []bool{false, true} {
		b.Run(fmt.Sprintf("lag=%v", lag), func(b *testing.B) {
			c, err := disk.New(disk.Defaults(), testEnv(b.TempDir()))
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			if err := c.Open(ctx); err != nil {
				b.Fatal(err)
			}
			k := c.Consumer("sink.a")
			pool := flow.NewPool(64 << 20)
			const batches = 167 // about a million lines
			b.SetBytes(int64(batches * len(lineBlock)))
			from, began, rounds := uint64(0), cpu(b), 0
			for b.Loop() {
				rounds++
				done := make(chan error, 1)
				take := func() { done <- takeAll(ctx, k, batches) }
				if !lag {
					go take()
				}
				for range batches {
					batch := lineBatch(pool, from)
					from += uint64(len(lineBlock))
					slot, err := c.Reserve(ctx, batch.Size())
					if err == nil {
						err = slot.Put(batch)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if lag {
					go take()
				}
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			lines := float64(rounds*batches*len(lineBlock)/175) / 1e6
			b.ReportMetric((cpu(b)-began).Seconds()/lines, "cpu-s/Mevents")
			b.ReportMetric(lines*1e6/b.Elapsed().Seconds(), "events/s")
			if err := c.Close(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func takeAll(ctx context.Context, k flow.Consumer, n int) error {
	for range n {
		l, err := k.Take(ctx)
		if err != nil {
			return err
		}
		l.Batch().Release()
		if err := l.Commit(); err != nil {
			return err
		}
	}
	return nil
}
