package flow

import "testing"

// A batch that comes back from the pool as another one must not be taken for the one that the cursor was on.
func TestCursorNoticesThatAPooledBatchIsAnotherOne(t *testing.T) {
	pool := NewPool(8 << 20)
	fill := func(b *Batch, runs ...string) {
		for _, key := range runs {
			b.Begin(key, 0, &Meta{File: key})
			b.AddBody([]byte("x"), 1)
			b.AddBody([]byte("x"), 2)
			b.AddBody([]byte("x"), 3)
		}
	}
	first := pool.Get()
	fill(first, "a")
	view := first.Lend()
	var ev Event
	ev.Seek(view, 0)
	view.Release()
	first.Release()

	again := pool.Get() // the tables of the first, with other events
	fill(again, "a")
	for n := range uint64(6) {
		again.AddBody([]byte("x"), 4+n)
	}
	other := pool.Get() // what was the view
	if other != view {
		t.Skip("the pool gives batches in another order now")
	}
	fill(other, "a", "b")
	ev.Seek(other, 4)
	if got, _ := ev.MetaText("file"); got != "b" {
		t.Errorf("event 4 is of %q, want b", got)
	}
}
