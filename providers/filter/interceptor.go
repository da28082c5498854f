package filter

import (
	"fmt"
	"strconv"

	"collect/hclspec/expr"
	"collect/runtime/flow"
)

// reason is what drops are counted by.
const reason = "filter"

// Interceptor filters.
type Interceptor struct {
	cond      *expr.Program
	drop      bool // events for which cond is true are dropped
	stats     *flow.Stats
	ev        flow.Event
	scratch   expr.Scratch
	undecided int64
}

var _ flow.Interceptor = (*Interceptor)(nil)

// New makes the interceptor.
func New(cfg Config, env flow.Env) (flow.Interceptor, error) {
	ic := &Interceptor{stats: env.Stats, ev: flow.Event{Host: env.Host}}
	name, e := "keep", cfg.Keep
	if cfg.Drop.IsSet() {
		name, e, ic.drop = "drop", cfg.Drop, true
	}
	var err error
	if ic.cond, err = expr.Compile(e, expr.TypeBool); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return ic, nil
}

// Intercept drops what is not wanted.
func (ic *Interceptor) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	undecided := ic.undecided
	for i := lo; i < hi; i++ {
		if k.Gone(i) {
			continue
		}
		ic.ev.Seek(b, i)
		ic.scratch.Reset()
		ok, err := ic.cond.Bool(&ic.ev, &ic.scratch)
		if err != nil {
			ok = false
			ic.undecided++
		}
		if ok == ic.drop {
			k.Drop(i, reason)
		}
	}
	if ic.undecided > undecided {
		ic.stats.SetFacts(flow.Fact{Label: "undecided", Value: strconv.FormatInt(ic.undecided, 10), Unit: "events"})
	}
	return nil
}
