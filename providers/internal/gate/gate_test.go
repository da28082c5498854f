package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestOneIsInsideAndWaitersMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New()
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp, inside := false, false
		go func() { gaveUp = errors.Is(g.Enter(ctx), context.Canceled) }()
		synctest.Wait()
		cancel()
		go func() { inside = g.Enter(t.Context()) == nil }()
		synctest.Wait()
		if !gaveUp || inside {
			t.Errorf("the one who gave up waits: %v; two are inside: %v", !gaveUp, inside)
		}
		g.Leave()
		synctest.Wait()
		if !inside {
			t.Error("the next one is not let in")
		}
	})
}
