package providertest

import (
	"context"
	"testing"
	"time"

	"collect/runtime/flow"
)

// Make makes a component of a configuration, which must be valid.
func Make[C interface{ Validate() error }, T any](t testing.TB, make func(C, flow.Env) (T, error), cfg C, env flow.Env) T {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := make(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Open opens a sink, and gives what hands batches to it.
func Open(t *testing.T, s flow.Sink, env flow.Env) *Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for { // as the pipeline does: a server may be slow to answer
		err := s.Open(ctx)
		if err == nil {
			return NewDelivery(t, s, env)
		}
		if flow.IsPermanent(err) || ctx.Err() != nil {
			t.Fatalf("Open: %v", err)
		}
		t.Logf("Open: %v", err)
		time.Sleep(100 * time.Millisecond)
	}
}

// TestOnError looks what becomes of an event that an interceptor fails on, under each policy.
func TestOnError(t *testing.T, body string, make func(env flow.Env, policy string) flow.Interceptor) {
	for policy, dead := range map[string]bool{"drop": false, "dead_letter": true} {
		env := Env(t)
		e, k := One(t, make(env, policy), env.Pool, body, nil)
		if _, isDead := k.IsDeadLetter(0); e != nil || isDead != dead {
			t.Errorf("%s: event %v, dead letter %v", policy, e, isDead)
		}
	}
}
