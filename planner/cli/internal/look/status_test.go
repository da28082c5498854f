package look

import (
	"testing"

	"collect/planner"
	"collect/planner/resource"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

func TestTopicsOfABrokerThatDoesNotRunAreNotGone(t *testing.T) {
	tests := map[string]struct {
		broker *api.Broker
		of     string
		want   string
	}{
		"the broker ended":           {&api.Broker{State: api.Crashed}, planner.BrokerAddress, "the development broker does not run at present"},
		"the broker was stopped":     {nil, planner.BrokerAddress, "the development broker does not run at present"},
		"the broker has no topic":    {&api.Broker{State: api.Running}, planner.BrokerAddress, topicGone},
		"the topic of other brokers": {nil, "agent.a", topicGone},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			st := &state.State{Objects: []state.Object{{Known: resource.Known{Address: "topic.t"}, DependsOn: []string{tt.of}}}}
			topics := []api.Topic{{Address: "topic.t", Error: topicGone}}
			ofStoppedBroker(topics, st, tt.broker)
			if topics[0].Error != tt.want {
				t.Errorf("got %q, want %q", topics[0].Error, tt.want)
			}
		})
	}
}
