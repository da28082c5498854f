package agents

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// BrokerAddress is the object that stands for the development broker.
const BrokerAddress = "kafka.development_broker"

// brokerKind manages the development broker.
type brokerKind struct{ *host }

var _ resource.Kind = (*brokerKind)(nil)

// Name is the first part of the address.
func (k *brokerKind) Name() string { return "kafka" }

// Read finds the broker by its directory and its lock.
func (k *brokerKind) Read(ctx context.Context, _ []*resource.Object, _ []*resource.Known) ([]*resource.Live, error) {
	var meta api.BrokerMeta
	ok, err := api.ReadFile(filepath.Join(k.Layout.BrokerDir(), "meta.json"), &meta)
	if err != nil || !ok {
		return nil, err
	}
	h, held, err := api.Probe(filepath.Join(k.Layout.BrokerDir(), "lock"))
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(meta.Port)
	return []*resource.Live{{
		Address: BrokerAddress, Have: map[string]any{}, Identity: map[string]string{"port": port}, Basis: port,
		Figures: map[string]any{"running": held, "pid": h.PID, "address": api.BrokerAddress(meta)},
	}}, ctx.Err()
}

// Diff compares: the broker is there and runs, or not.
func (k *brokerKind) Diff(_ context.Context, want *resource.Object, live *resource.Live, _ *resource.Known, opt resource.DiffOptions) (*resource.Change, error) {
	c := &resource.Change{Address: BrokerAddress, Kind: k.Name(), Action: resource.NoOp}
	if live != nil {
		c.Basis = live.Basis
	}
	switch {
	case want == nil && live == nil:
	case want == nil:
		c.Action, c.Before = resource.Delete, live.Have
		c.Note = "its topics and their records go with it"
		if !opt.Destroy {
			c.Reason = "nothing uses it any more"
		}
	case live == nil:
		c.Action, c.After = resource.Create, want.Want
		c.Note = "no brokers declared: an embedded broker on 127.0.0.1, for development only"
	case live.Figures["running"] != true:
		c.Action, c.Reason = resource.Start, "it does not run"
	case opt.Replace:
		c.Action, c.Note = resource.Replace, "stopped and started again; topics and records stay"
	}
	return c, nil
}

// Apply starts or removes the broker.
func (k *brokerKind) Apply(ctx context.Context, c *resource.Change, _ *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	switch c.Action {
	case resource.Delete:
		opt.Report("stopping")
		return nil, k.request(ctx, func(s *api.Client) error { return s.StopBroker(ctx, api.StopRequest{Remove: true}) })
	case resource.Replace:
		opt.Report("stopping")
		if err := k.request(ctx, func(s *api.Client) error { return s.StopBroker(ctx, api.StopRequest{}) }); err != nil {
			return nil, err
		}
	case resource.Create, resource.Start, resource.Update, resource.Adopt:
	default:
		return nil, fmt.Errorf("the development broker cannot be changed by %q", c.Action)
	}
	opt.Report("starting")
	var b api.BrokerReply
	err := k.request(ctx, func(s *api.Client) (err error) { b, err = s.StartBroker(ctx, api.BrokerRequest{}); return err })
	if err != nil {
		return nil, err
	}
	opt.Report(fmt.Sprintf("ready on %s", b.Address))
	return &resource.Known{Address: BrokerAddress, Kind: k.Name(), Origin: resource.Created, Identity: map[string]string{"address": b.Address}}, nil
}
