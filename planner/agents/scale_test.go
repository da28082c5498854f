package agents

import (
	"fmt"
	"testing"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// wide is an agent with n sources, channels and sinks.
func wide(n int) *schema.AgentSpec {
	s := &schema.AgentSpec{Version: 1, Address: "agent.driver_info"}
	for i := range n {
		name := fmt.Sprintf("n%05d", i)
		s.Sources = append(s.Sources, schema.SourceSpec{Type: "tail", Name: name, Config: schema.Config{"include": []any{name}}, Routes: []schema.RouteSpec{{Channels: []string{name, "n00000"}}}})
		s.Channels = append(s.Channels, schema.ChannelSpec{Type: "disk", Name: name})
		s.Sinks = append(s.Sinks, schema.SinkSpec{Type: "kafka", Name: name, Channel: name, Config: schema.Config{"topic": "t"}})
	}
	return s
}

func BenchmarkDiffOfAWideAgent(b *testing.B) {
	k := newAgentKind(Options{Types: someTypes(), Layout: api.Layout{Data: b.TempDir()}})
	was, err := tree(wide(3000))
	if err != nil {
		b.Fatal(err)
	}
	is := wide(3000)
	is.Sinks[7].Config["topic"] = "u"
	now, err := tree(is)
	if err != nil {
		b.Fatal(err)
	}
	want := &resource.Object{Address: "agent.driver_info", Want: now}
	live := &resource.Live{Address: "agent.driver_info", Have: was, Figures: map[string]any{"agent": running()}}
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.Diff(b.Context(), want, nil, nil, resource.DiffOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.Diff(b.Context(), want, live, nil, resource.DiffOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("delete", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.Diff(b.Context(), nil, live, nil, resource.DiffOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
