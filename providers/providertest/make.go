package providertest

import (
	"testing"

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
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return NewDelivery(t, s, env)
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
