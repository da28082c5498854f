package room_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"collect/runtime/channel/internal/room"
	"collect/runtime/flow"
)

func nothing() {}

func TestLaterReservationsDoNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := room.New(10)
		if err := r.Reserve(t.Context(), 8, false, nothing); err != nil {
			t.Fatal(err)
		}
		order := make(chan int64, 2)
		var waited atomic.Int64
		for _, n := range []int64{9, 1} {
			go func() {
				if err := r.Reserve(t.Context(), n, false, func() { waited.Add(1) }); err != nil {
					t.Error(err)
				}
				order <- n
			}()
			synctest.Wait()
		}
		if len(order) != 0 || waited.Load() != 2 {
			t.Errorf("%d served, %d told that they wait", len(order), waited.Load())
		}
		r.Add(-8)
		synctest.Wait()
		if len(order) != 2 {
			t.Errorf("served %d, want both", len(order))
		}
		if used, waiting := r.State(); used != 10 || waiting {
			t.Errorf("used %d, waiting %v", used, waiting)
		}
	})
}

func TestCancelledReservationLetsOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := room.New(10)
		_ = r.Reserve(t.Context(), 5, false, nothing)
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- r.Reserve(ctx, 10, false, nothing) }()
		synctest.Wait()
		go func() { small <- r.Reserve(t.Context(), 5, false, nothing) }()
		synctest.Wait()
		cancel()
		if err := <-large; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := <-small; err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := room.New(10)
		if err := r.Reserve(t.Context(), 11, false, nothing); !errors.Is(err, flow.ErrTooLarge) {
			t.Errorf("too large: got %v", err)
		}
		_ = r.Reserve(t.Context(), 10, false, nothing)
		if err := r.Reserve(t.Context(), 1, true, nothing); !errors.Is(err, flow.ErrFull) {
			t.Errorf("full: got %v", err)
		}
		waits := make(chan error, 1)
		go func() { waits <- r.Reserve(t.Context(), 1, false, nothing) }()
		synctest.Wait()
		r.Close()
		if err := <-waits; !errors.Is(err, flow.ErrClosed) {
			t.Errorf("closed while waiting: got %v", err)
		}
		if err := r.Reserve(t.Context(), 1, false, nothing); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("closed: got %v", err)
		}
	})
}

func TestGateWakesAll(t *testing.T) {
	t.Parallel()
	var g room.Gate
	g.Open()
	a, b := g.Wait(), g.Wait()
	g.Open()
	<-a
	<-b
	select {
	case <-g.Wait():
		t.Error("still open")
	default:
	}
}

func TestMoreGivenBackThanTakenIsTold(t *testing.T) {
	r := room.New(10)
	told := ""
	r.Violated = func(what string) { told = what }
	r.Add(3)
	r.Add(-3)
	if told != "" {
		t.Errorf("told %q", told)
	}
	r.Add(-1)
	if used, _ := r.State(); told == "" || used != 0 {
		t.Errorf("told %q, used %d", told, used)
	}
}
