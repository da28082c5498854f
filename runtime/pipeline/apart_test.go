package pipeline

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline/registry"
)

// deafSink never takes anything.
type deafSink struct{}

func (deafSink) Open(context.Context) error { return nil }
func (deafSink) Write(ctx context.Context, _ *flow.Batch) error {
	<-ctx.Done()
	return ctx.Err()
}
func (deafSink) Flush(context.Context) error { return nil }
func (deafSink) Close(context.Context) error { return nil }

// A sink that takes nothing holds up what leads to it alone: its channel takes no more than it has room for, its source waits, and
// everything else goes on as if it were not there.
func TestAStuckSinkHoldsUpNobodyElse(t *testing.T) {
	for _, channel := range []string{"memory", "disk"} {
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				const most = 8 << 20
				line := strings.Repeat("x", 1000)
				stuck := w.feed("stuck")
				stuck.lines.Store(1 << 30)
				stuck.perRun = 100
				stuck.body = func(int) string { return line }
				w.feed("in").lines.Store(5000)
				s := spec(channel, func(s *schema.AgentSpec) {
					s.Sources = append(s.Sources, schema.SourceSpec{Type: "fake", Name: "stuck", Routes: []schema.RouteSpec{{Channels: []string{"d"}}}})
					s.Channels = append(s.Channels, schema.ChannelSpec{Type: channel, Name: "d", Config: schema.Config{"max_size": "8MiB"}})
					s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "deaf", Name: "deaf", Channel: "d"})
				})
				deaf := registry.Sink("deaf", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests"},
					func(fakeConfig, flow.Env) (flow.Sink, error) { return deafSink{}, nil })
				p, err := New(s, nil, w.registry(deaf), w.base())
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // of the bubble: the stuck way is full long before
				if got := len(w.target("out").lines()); got != 5000 {
					t.Errorf("%d of 5000 delivered beside a stuck sink", got)
				}
				for _, c := range p.Snapshot().Components {
					if c.Kind != schema.Channel || c.Name != "d" {
						continue
					}
					if c.BacklogEvents == 0 || c.BacklogBytes > most || c.Health == string(flow.OK) {
						t.Errorf("the stuck channel: %+v", c)
					}
				}
				w.drain(p, time.Second)
			})
		})
	}
}
