package planner

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"collect/planner/state"
)

func TestAStepThatTheUserEndedSaysSo(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.w.gate = func(string) { cancel() }
	r.w.fail = map[string]error{"topic.t": fmt.Errorf("make topic: %w", context.Canceled)}
	p := r.mustPlan(configOf(pipe()...), Options{})
	store, err := state.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a, err := Apply(ctx, p, store, r.wrapped(), ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Results[0].Err; !strings.HasPrefix(got, "interrupted: what it did so far stays") {
		t.Errorf("got %q", got)
	}
}

func TestInterruptFinishesRunningStepsAndBeginsNoOther(t *testing.T) {
	r := newRig(t)
	interrupt := make(chan struct{})
	var once sync.Once
	r.w.gate = func(string) { once.Do(func() { close(interrupt) }) }
	a := r.apply(r.mustPlan(configOf(pipe()...), Options{}), ApplyOptions{Interrupt: interrupt})
	if !a.Interrupted || a.Results[0].Outcome != Done || a.Results[1].Outcome != Skipped || a.Results[2].Because != "interrupted" {
		t.Errorf("results %+v", a.Results)
	}
	st, err := state.Load(r.dir)
	if err != nil || st.Known("topic.t") == nil || st.Revision != 1 {
		t.Errorf("state after an interrupt: %+v, %v", st, err)
	}
}
