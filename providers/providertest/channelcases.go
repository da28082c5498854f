package providertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"collect/runtime/flow"
)

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

// comeAndGo joins a consumer to one that has leases open and has committed out of order: it gets all that is not committed, and only
// that. When the first one goes, what it leaves keeps nothing.
func (c *channelTest) comeAndGo() {
	first := c.ch.Consumer("sink.first")
	for _, s := range []string{"a", "b", "c"} {
		c.put(c.batch(s))
	}
	held, _, _ := c.take(first)
	l, _, _ := c.take(first)
	c.commit(l)
	late := c.ch.Consumer("sink.late")
	c.expect(late, "a", "c")
	third := c.ch.Consumer("sink.third")
	c.expect(third, "a", "c")
	acked := c.put(c.batch("d"))
	c.expect(late, "d")
	c.expect(third, "d")
	if a, b := first.Waiting(), late.Waiting(); a != 3 || b != 0 {
		c.Errorf("%d and %d events wait, want 3 and 0", a, b)
	}
	held.Return()
	if err := c.ch.Forgo("sink.first"); err != nil {
		c.Fatal(err)
	}
	if _, err := first.Take(c.ctx()); !errors.Is(err, flow.ErrClosed) {
		c.Errorf("a consumer that is gone takes: %v", err)
	}
	if o := c.outcome(acked); o == flow.Abandoned {
		c.Errorf("outcome %v", o)
	}
	if got := c.ch.Stats().Events; got != 0 {
		c.Errorf("%d events left, want 0", got)
	}
	c.put(c.batch("e"))
	c.expect(late, "e")
	c.expect(third, "e")
	c.nothing(late)
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
