package providertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

// Channel is the conformance suite of channels.
type Channel struct {
	// New makes a channel of at least 4 and at most 16 MiB that blocks when full. Two calls with one env are two openings of the
	// same channel, one after the other.
	New func(t *testing.T, env flow.Env) flow.Channel
	// Durable says that the channel keeps what it holds when it is closed.
	Durable bool
}

// wait bounds every wait of a test; nothing that works comes near it.
const wait = time.Minute

// Test runs the suite.
func (s Channel) Test(t *testing.T) {
	for name, test := range map[string]func(*channelTest){
		"hands batches over in order and unchanged":           (*channelTest).order,
		"hands returned leases out first, in order":           (*channelTest).returned,
		"ends leases in any order":                            (*channelTest).anyOrder,
		"lets each consumer make its own progress":            (*channelTest).consumers,
		"acknowledges each batch once":                        (*channelTest).acknowledges,
		"acknowledges a batch without events":                 (*channelTest).empty,
		"gives a batch again after its memory was given up":   (*channelTest).unloaded,
		"refuses what can never fit":                          (*channelTest).tooLarge,
		"serves reservations first come first served":         (*channelTest).fifo,
		"gives room back when a reservation is given up":      (*channelTest).cancelled,
		"calls for pressure when only sinks can make room":    (*channelTest).pressure,
		"wakes everybody when it closes":                      (*channelTest).closes,
		"keeps what a durable channel must keep":              (*channelTest).reopens,
		"skips what it has decided":                           (*channelTest).decided,
		"keeps the data of a consumer that is gone for a new": (*channelTest).forgone,
		"lets consumers come and go":                          (*channelTest).comeAndGo,
		"adds up with many producers and consumers":           (*channelTest).concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channelTest{T: t, suite: s, env: channelEnv(t)}
			c.open()
			test(c)
			c.close()
		})
	}
}

func channelEnv(t *testing.T) flow.Env {
	return flow.Env{
		Agent: "agent.test", Component: "channel.test", ID: "6b1f2f0e-4b3c-4f57-9b1e-2f7f4a1f0c11", Dir: t.TempDir(), Host: "test",
		Log: slog.New(slog.DiscardHandler), FS: host.FS(), Net: host.Net(), Rand: host.Rand(),
		Pool: flow.NewPoisonPool(64 << 20), Stats: &flow.Stats{},
	}
}

type channelTest struct {
	*testing.T
	suite Channel
	env   flow.Env
	ch    flow.Channel
	pos   uint64
}

func (c *channelTest) open() {
	c.Helper()
	c.ch = c.suite.New(c.T, c.env)
	if err := c.ch.Open(c.Context()); err != nil {
		c.Fatal(err)
	}
}

func (c *channelTest) close() {
	c.Helper()
	if c.ch == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), wait)
	defer cancel()
	if err := c.ch.Close(ctx); err != nil {
		c.Error("close:", err)
	}
	c.ch = nil
}

// batch makes a batch of one key from lines, with a header on every second event and a time on every third.
func (c *channelTest) batch(lines ...string) *flow.Batch {
	b := c.env.Pool.GetSized(1024)
	b.SetBase(1_700_000_000_000_000_000)
	b.Begin("key", c.pos, &flow.Meta{File: "/var/log/x"})
	for _, l := range lines {
		c.pos += uint64(len(l)) + 1
		b.AddBody([]byte(l), c.pos)
	}
	for i := 1; i < len(lines); i += 2 {
		b.SetHeaders(i, flow.Header{Name: "n", Value: fmt.Append(nil, i)})
	}
	for i := 2; i < len(lines); i += 3 {
		b.SetTime(i, int64(i))
	}
	return b
}

func render(b *flow.Batch) []string {
	var out []string
	for i := range b.Len() {
		s := fmt.Sprintf("%s @%d +%d", b.Body(i), b.Time(i), b.SourceOffset(i))
		b.Headers(i, func(n, v []byte) bool { s += fmt.Sprintf(" %s=%s", n, v); return true })
		out = append(out, s)
	}
	return out
}

func (c *channelTest) ctx() context.Context {
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	c.Cleanup(cancel)
	return ctx
}

// put stores a batch and gives its outcome as it comes.
func (c *channelTest) put(b *flow.Batch) <-chan flow.Outcome {
	c.Helper()
	acked := make(chan flow.Outcome, 4)
	b.OnAck(func(o flow.Outcome) { acked <- o })
	slot, err := c.ch.Reserve(c.ctx(), b.Size())
	if err != nil {
		c.Fatal("reserve:", err)
	}
	if err := slot.Put(b); err != nil {
		c.Fatal("put:", err)
	}
	return acked
}

func (c *channelTest) take(k flow.Consumer) (flow.Lease, []string, flow.ID) {
	c.Helper()
	l, err := k.Take(c.ctx())
	if err != nil {
		c.Fatal("take:", err)
	}
	b := l.Batch()
	defer b.Release()
	return l, render(b), b.ID()
}

func (c *channelTest) commit(l flow.Lease) {
	c.Helper()
	if err := l.Commit(); err != nil {
		c.Fatal("commit:", err)
	}
}

func (c *channelTest) expect(k flow.Consumer, bodies ...string) {
	c.Helper()
	for _, want := range bodies {
		l, got, _ := c.take(k)
		if len(got) != 1 || len(got[0]) < len(want) || got[0][:len(want)] != want {
			c.Fatalf("got %q, want %q", got, want)
		}
		c.commit(l)
	}
}

// nothing fails when the consumer has anything to take.
func (c *channelTest) nothing(k flow.Consumer) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Millisecond)
	defer cancel()
	if l, err := k.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		c.Fatalf("got %v %v, want nothing to take", l, err)
	}
}

func (c *channelTest) outcome(acked <-chan flow.Outcome) flow.Outcome {
	c.Helper()
	select {
	case o := <-acked:
		return o
	case <-time.After(wait):
		c.Fatal("no acknowledgement")
		return 0
	}
}

func (c *channelTest) tooLarge() {
	_, err := c.ch.Reserve(c.ctx(), flow.Size{Events: 1, Bytes: c.ch.Stats().Capacity + 1})
	if !errors.Is(err, flow.ErrTooLarge) {
		c.Errorf("got %v, want ErrTooLarge", err)
	}
}

func (c *channelTest) fifo() {
	half := c.ch.Stats().Capacity/2 - 1<<16
	first, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: half})
	if err != nil {
		c.Fatal(err)
	}
	second, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: half})
	if err != nil {
		c.Fatal(err)
	}
	order := make(chan string, 2)
	var wg sync.WaitGroup
	start := func(name string, n int64) {
		wg.Go(func() {
			s, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: n})
			if err != nil {
				c.Error(err)
				return
			}
			order <- name
			s.Release()
		})
	}
	start("large", 2*half)
	c.until("the large one waits", func() bool { return c.ch.Stats().Full })
	start("small", 1<<18)
	first.Release()
	if len(order) > 0 {
		c.Error("one overtook")
	}
	second.Release()
	wg.Wait()
	if got := <-order; got != "large" {
		c.Errorf("%s came first, want large", got)
	}
}

func (c *channelTest) until(what string, f func() bool) {
	c.Helper()
	for end := time.Now().Add(wait); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.Fatal("never: ", what)
		}
	}
}

func (c *channelTest) cancelled() {
	all := c.ch.Stats().Capacity - 1<<17
	slot, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: all})
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.ch.Reserve(ctx, flow.Size{Bytes: all}); !errors.Is(err, context.DeadlineExceeded) {
		c.Errorf("got %v, want a deadline", err)
	}
	if c.ch.Stats().Full {
		c.Error("still waits")
	}
	slot.Release()
	slot.Release() // a second one does nothing
	slot, err = c.ch.Reserve(c.ctx(), flow.Size{Bytes: all})
	if err != nil {
		c.Fatal(err)
	}
	slot.Release()
}

// pressure fills the channel, takes everything, and wants to be told so that the sinks finish.
func (c *channelTest) pressure() {
	k := c.ch.Consumer("sink.a")
	pressed := make(chan struct{}, 1)
	c.ch.OnPressure(func() {
		select {
		case pressed <- struct{}{}:
		default:
		}
	})
	body := make([]byte, 200<<10) // random: does not compress
	c.env.Rand.Read(body)
	ctx, cancel := context.WithCancel(c.ctx())
	defer cancel()
	var puts, taken int
	var wg sync.WaitGroup
	wg.Go(func() { // until the test has seen enough
		for ctx.Err() == nil {
			b := c.batch(string(body))
			slot, err := c.ch.Reserve(ctx, b.Size())
			if err != nil {
				b.Release()
				return
			}
			if err := slot.Put(b); err != nil {
				c.Error(err)
				return
			}
			puts++
		}
	})
	c.until("a reservation waits", func() bool { return c.ch.Stats().Full })
	leases := make(chan flow.Lease, 1000)
	wg.Go(func() {
		for {
			l, err := k.Take(ctx)
			if err != nil {
				return
			}
			taken++
			leases <- l
		}
	})
	for round := range 2 { // once it is full of leases; and again after these made room
		select {
		case <-pressed:
		case <-time.After(wait):
			c.Fatal("no pressure although everything is leased, round ", round)
		}
		for n := len(leases); n > 0; n-- {
			c.commit(<-leases)
		}
	}
	cancel()
	wg.Wait()
	for len(leases) > 0 {
		c.commit(<-leases)
	}
	for ; taken < puts; taken++ {
		l, _, _ := c.take(k)
		c.commit(l)
	}
}

func (c *channelTest) closes() {
	k := c.ch.Consumer("sink.a")
	slot, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: c.ch.Stats().Capacity - 1<<17})
	if err != nil {
		c.Fatal(err)
	}
	errs := make(chan error, 2)
	go func() { _, err := k.Take(c.ctx()); errs <- err }()
	go func() { _, err := c.ch.Reserve(c.ctx(), flow.Size{Bytes: c.ch.Stats().Capacity / 2}); errs <- err }()
	c.until("a reservation waits", func() bool { return c.ch.Stats().Full })
	ch := c.ch
	c.close()
	for range 2 {
		if err := <-errs; !errors.Is(err, flow.ErrClosed) {
			c.Errorf("got %v, want ErrClosed", err)
		}
	}
	b := c.batch("late")
	if err := slot.Put(b); !errors.Is(err, flow.ErrClosed) {
		c.Errorf("put: got %v, want ErrClosed", err)
	}
	b.Release()
	slot.Release()
	if _, err := ch.Reserve(c.ctx(), flow.Size{Bytes: 1}); !errors.Is(err, flow.ErrClosed) {
		c.Errorf("reserve: got %v, want ErrClosed", err)
	}
}
