// Package null is the sink that takes every event and keeps none: for measuring, and for an end that only counts.
package null

import (
	"context"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// Config is empty: the sink has no arguments of its own.
type Config struct{}

// Defaults gives the defaults.
func Defaults() Config { return Config{} }

// About describes the sink.
func About() schema.About {
	return schema.About{Doc: "Takes every event and keeps none. The events count as delivered.", Unconfirmed: true}
}

// Sink delivers to nowhere.
type Sink struct{}

var _ flow.Sink = Sink{}

// New makes the sink.
func New(Config, flow.Env) (flow.Sink, error) { return Sink{}, nil }

// Open does nothing.
func (Sink) Open(context.Context) error { return nil }

// Write ends the batch at once.
func (Sink) Write(_ context.Context, b *flow.Batch) error {
	b.Done(flow.Result{})
	return nil
}

// Flush has nothing to wait for.
func (Sink) Flush(context.Context) error { return nil }

// Close does nothing.
func (Sink) Close(context.Context) error { return nil }
