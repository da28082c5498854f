package disk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"collect/runtime/flow"
)

// A sink that ends some batches and holds others, such as files of paths that are written to now and then, leaves gaps. Their number is
// limited; at the limit the sink must be asked to end what it holds, since nothing else would make it do so.
func TestTooManyGapsAskTheSinkToEndThem(t *testing.T) {
	const frames = 1000
	b := newBench(t)
	b.open()
	defer b.close()
	var held []flow.Lease
	pressed := make(chan struct{}, 1)
	b.ch.OnPressure(func() {
		select {
		case pressed <- struct{}{}:
		default:
		}
	})
	for range frames {
		b.put(1)
	}
	b.settled()
	commit := func(l flow.Lease) {
		if err := l.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	c := b.ch.Consumer("main")
	end := time.Now().Add(time.Minute)
	for n := 0; n < frames; {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		l, err := c.Take(ctx)
		cancel()
		switch {
		case err == nil:
			l.Batch().Release()
			if n%2 == 0 {
				held = append(held, l)
			} else {
				commit(l)
			}
			n++
			continue
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatal(err)
		}
		select {
		case <-pressed:
			asked++
		default:
			if time.Now().After(end) {
				t.Fatalf("nothing comes after %d frames, and nobody was asked for the %d that are held", n, len(held))
			}
			continue // the machine is slow
		}
		for _, l := range held {
			commit(l)
		}
		held = nil
	}
	for _, l := range held {
		commit(l)
	}
	if asked == 0 {
		t.Error("the limit was not reached")
	}
}
