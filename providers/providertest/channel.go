package providertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
const wait = 20 * time.Second

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

func (c *channelTest) order() {
	k := c.ch.Consumer("sink.a")
	var want [][]string
	for i := range 20 {
		b := c.batch(fmt.Sprint("one ", i), fmt.Sprint("two ", i), "", "four\r", fmt.Sprint("five ", i))
		want = append(want, render(b))
		c.put(b)
	}
	var last flow.ID
	for i := range want {
		l, got, id := c.take(k)
		if d := cmp.Diff(got, want[i]); d != "" {
			c.Fatal(d)
		}
		if id.Channel == [16]byte{} || id.Seq <= last.Seq || i > 0 && (id.Channel != last.Channel || id.Epoch != last.Epoch) {
			c.Fatalf("id %v follows %v", id, last)
		}
		last = id
		c.commit(l)
	}
	if s := c.ch.Stats(); s.Events != 0 || !s.Oldest.IsZero() || s.Full {
		c.Errorf("at rest: %+v", s)
	}
	c.nothing(k)
}

func (c *channelTest) returned() {
	k := c.ch.Consumer("sink.a")
	for _, s := range []string{"a", "b", "c", "d"} {
		c.put(c.batch(s))
	}
	a, _, idA := c.take(k)
	b, _, _ := c.take(k)
	third, _, _ := c.take(k)
	b.Return()
	a.Return()
	again, got, id := c.take(k)
	if got[0][:1] != "a" || id != idA {
		c.Fatalf("got %q %v, want a with its identity", got, id)
	}
	again.Return()
	c.expect(k, "a", "b", "d")
	third.Return()
	c.expect(k, "c")
	c.nothing(k)
}

func (c *channelTest) anyOrder() {
	k := c.ch.Consumer("sink.a")
	var leases []flow.Lease
	for i := range 10 {
		c.put(c.batch(fmt.Sprint(i)))
	}
	for range 10 {
		l, _, _ := c.take(k)
		leases = append(leases, l)
	}
	for _, i := range []int{9, 3, 0, 1, 8, 2, 7} {
		c.commit(leases[i])
	}
	if got := c.ch.Stats().Events; got != 3 {
		c.Errorf("%d events left, want 3", got)
	}
	for _, i := range []int{6, 4, 5} {
		leases[i].Return()
	}
	if err := leases[0].Commit(); err == nil {
		c.Error("a second commit of a lease gave no error")
	}
	c.expect(k, "4", "5", "6")
	c.nothing(k)
}

func (c *channelTest) consumers() {
	a, b := c.ch.Consumer("sink.a"), c.ch.Consumer("sink.b")
	if c.ch.Consumer("sink.a") != a {
		c.Error("the same name gave another consumer")
	}
	acks := []<-chan flow.Outcome{c.put(c.batch("1")), c.put(c.batch("2"))}
	c.expect(a, "1", "2")
	if got := c.ch.Stats().Events; got != 2 {
		c.Errorf("%d events left for the slower consumer, want 2", got)
	}
	if !c.suite.Durable && len(acks[0]) > 0 {
		c.Error("acknowledged as delivered before all consumers had it")
	}
	c.nothing(a)
	c.expect(b, "1", "2")
	for _, acked := range acks {
		c.outcome(acked)
	}
	if got := c.ch.Stats().Events; got != 0 {
		c.Errorf("%d events left, want 0", got)
	}
}

func (c *channelTest) acknowledges() {
	k := c.ch.Consumer("sink.a")
	acked := c.put(c.batch("a", "b"))
	want := flow.Delivered
	if c.suite.Durable {
		want = flow.Durable
		if got := c.outcome(acked); got != want {
			c.Errorf("got %v, want %v", got, want)
		}
	}
	l, _, _ := c.take(k)
	l.Return()
	l, _, _ = c.take(k)
	if len(acked) > 0 {
		c.Error("acknowledged too early, or twice")
	}
	c.commit(l)
	if !c.suite.Durable {
		if got := c.outcome(acked); got != want {
			c.Errorf("got %v, want %v", got, want)
		}
	}
	if len(acked) > 0 {
		c.Error("acknowledged twice")
	}
}

func (c *channelTest) empty() {
	k := c.ch.Consumer("sink.a")
	b := c.batch()
	c.pos += 100
	b.Decide(c.pos)
	if o := c.outcome(c.put(b)); o == flow.Abandoned {
		c.Error("abandoned")
	}
	c.put(c.batch("x"))
	c.expect(k, "x")
}

func (c *channelTest) unloaded() {
	k := c.ch.Consumer("sink.a")
	b := c.batch("first", "second")
	want := render(b)
	c.put(b)
	for range 3 {
		l, err := k.Take(c.ctx())
		if err != nil {
			c.Fatal(err)
		}
		got := l.Batch()
		if d := cmp.Diff(render(got), want); d != "" {
			c.Fatal(d)
		}
		got.Unload()
		got.Release()
		l.Return()
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

func (c *channelTest) reopens() {
	k := c.ch.Consumer("sink.a")
	var acks []<-chan flow.Outcome
	for i := range 6 {
		acks = append(acks, c.put(c.batch(fmt.Sprint(i))))
	}
	c.expect(k, "0", "1")
	open, _, id := c.take(k)
	third, _, _ := c.take(k)
	c.commit(third)
	open.Return()
	c.close()
	want := flow.Abandoned
	if c.suite.Durable {
		want = flow.Durable
	}
	if got := c.outcome(acks[5]); got != want {
		c.Errorf("the last batch's outcome is %v, want %v", got, want)
	}
	c.open()
	k = c.ch.Consumer("sink.a")
	if !c.suite.Durable {
		c.nothing(k)
		return
	}
	if s := c.ch.Stats(); s.Events != 3 || s.Oldest.IsZero() {
		c.Errorf("after opening again: %+v, want 3 events", s)
	}
	l, got, again := c.take(k)
	if got[0][:1] != "2" || again != id {
		c.Errorf("got %q %v, want 2 %v", got, again, id)
	}
	c.commit(l)
	c.expect(k, "4", "5")
	if pos, ok := c.ch.Decided("key"); !ok || pos != c.pos {
		c.Errorf("decided %d %v, want %d", pos, ok, c.pos)
	}
	c.put(c.batch("6"))
	l, got, newer := c.take(k)
	if got[0][:1] != "6" || newer.Channel != id.Channel || newer.Epoch == id.Epoch || newer.Seq <= id.Seq {
		c.Errorf("got %q %v after %v", got, newer, id)
	}
	c.commit(l)
	c.nothing(k)
}

func (c *channelTest) decided() {
	if !c.suite.Durable {
		if _, ok := c.ch.Decided("key"); ok {
			c.Error("a volatile channel knows positions")
		}
		return
	}
	k := c.ch.Consumer("sink.a")
	c.put(c.batch("a", "b"))
	c.pos = 2 // the source comes back from behind, and reads on
	acked := c.put(c.batch("b", "c"))
	if o := c.outcome(acked); o != flow.Durable {
		c.Errorf("got %v", o)
	}
	c.pos = 0
	if o := c.outcome(c.put(c.batch("a", "b", "c"))); o != flow.Durable {
		c.Errorf("got %v for what is all known", o)
	}
	l, got, _ := c.take(k)
	if len(got) != 2 {
		c.Fatalf("got %q", got)
	}
	c.commit(l)
	c.expect(k, "c")
	c.nothing(k)
	if pos, ok := c.ch.Decided("key"); !ok || pos != 6 {
		c.Errorf("decided %d %v, want 6", pos, ok)
	}
	c.ch.Forget("key")
	if _, ok := c.ch.Decided("key"); ok {
		c.Error("still knows a forgotten key")
	}
}

func (c *channelTest) forgone() {
	old := c.ch.Consumer("sink.old")
	for _, s := range []string{"a", "b", "c"} {
		c.put(c.batch(s))
	}
	c.expect(old, "a")
	if err := errors.Join(c.ch.Forgo("sink.old"), c.ch.Forgo("sink.unknown")); err != nil {
		c.Fatal(err)
	}
	c.expect(c.ch.Consumer("sink.new"), "b", "c")
	if got := c.ch.Stats().Events; got != 0 {
		c.Errorf("%d events left, want 0", got)
	}
}

func (c *channelTest) concurrent() {
	const producers, each = 4, 60
	a, b := c.ch.Consumer("sink.a"), c.ch.Consumer("sink.b")
	var acked, events atomic.Int64
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			pos := uint64(0)
			for i := range each {
				batch := c.env.Pool.GetSized(256)
				batch.Begin(fmt.Sprint("key", p), pos, nil)
				for n := range 10 {
					line := fmt.Appendf(nil, "%d %d %d", p, i, n)
					pos += uint64(len(line)) + 1
					batch.AddBody(line, pos)
				}
				batch.OnAck(func(flow.Outcome) { acked.Add(1) })
				slot, err := c.ch.Reserve(c.ctx(), batch.Size())
				if err == nil {
					err = slot.Put(batch)
				}
				if err != nil {
					c.Error(err)
					return
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(c.ctx())
	defer cancel()
	left := atomic.Int64{}
	left.Store(2 * producers * each)
	for worker, k := range []flow.Consumer{a, a, b} {
		wg.Go(func() {
			for n := 0; ; n++ {
				l, err := k.Take(ctx)
				if err != nil {
					return
				}
				if (n+worker)%7 == 3 {
					l.Return()
					continue
				}
				batch := l.Batch()
				events.Add(int64(batch.Len()))
				batch.Release()
				if err := l.Commit(); err != nil {
					c.Error(err)
				}
				if left.Add(-1) == 0 {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	c.until("all are acknowledged", func() bool { return acked.Load() == producers*each })
	if got := events.Load(); got != 2*producers*each*10 {
		c.Errorf("%d events delivered, want %d", got, 2*producers*each*10)
	}
	if s := c.ch.Stats(); s.Events != 0 {
		c.Errorf("at rest: %+v", s)
	}
}
