// Package agents manages the kinds "agent" and "kafka" (the development broker): it compares the specs that agents run with those
// that are wanted, says what a change does to running parts and to data in flight, and carries it out through the
// supervisor. It reads reality from the agents themselves, never from state, and knows the data plane only by its snapshots.
package agents

import (
	"context"
	"time"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// Options say how to reach an installation.
type Options struct {
	Layout api.Layout
	Types  schema.Types
	// Ensure gives a client of the supervisor, and starts one when none runs.
	Ensure func(ctx context.Context) (*api.Client, error)
	// Survey describes what runs, and what agents hold that do not; nil: api.Survey, which knows nothing of the latter.
	Survey func(ctx context.Context) (api.Installation, error)
	// Wait is how long sinks may take to connect before that is a warning; 0: they are looked at once.
	Wait time.Duration
	// Ready is how long an agent may take to become ready; 0: 60 s.
	Ready time.Duration
}

// Kinds gives the kinds "kafka" and "agent".
func Kinds(o Options) []resource.Kind {
	if o.Ready == 0 {
		o.Ready = time.Minute
	}
	if o.Survey == nil {
		o.Survey = func(ctx context.Context) (api.Installation, error) { return api.Survey(ctx, o.Layout) }
	}
	k := newAgentKind(o)
	return []resource.Kind{&brokerKind{k.host}, k}
}

func newAgentKind(o Options) *agentKind {
	return &agentKind{host: &host{Options: o, turn: make(chan struct{}, 1), parts: anatomy.NewCatalog(o.Types)}, end: endLimit}
}

// host is what both kinds share.
type host struct {
	Options
	turn  chan struct{} // one at a time makes sure that there is a supervisor
	parts *anatomy.Catalog
}

// supervisor gives a client of a supervisor that is not ending.
func (h *host) supervisor(ctx context.Context) (*api.Client, error) {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turn }()
	return h.Ensure(ctx)
}

// DevelopmentBroker gives the address of the installation's development broker: what the token "@development_broker" stands for.
// ok is false when it was never started.
func DevelopmentBroker(l api.Layout) (address string, ok bool, err error) {
	var meta api.BrokerMeta
	if ok, err = api.ReadFile(l.BrokerDir()+"/meta.json", &meta); err != nil || !ok {
		return "", false, err
	}
	return api.BrokerAddress(meta), true, nil
}
