package tfjson

import "testing"

func TestAddressesAreTakenApart(t *testing.T) {
	for address, want := range map[string]struct {
		name string
		key  any
	}{
		"agent.a":                     {"a", nil},
		`agent.a["5"]`:                {"a", "5"},
		`agent.a["x].y"]`:             {"a", "x].y"},
		"agent.a[2]":                  {"a", 2.0},
		"agent.a.channel.old":         {"a.channel.old", nil},
		`agent.a["5"].channel.old`:    {"a.channel.old", "5"},
		`agent.a["x]."].channel.old`:  {"a.channel.old", "x]."},
		"kafka.development_broker":    {"development_broker", nil},
		`topic.t["a.b[1].channel.c"]`: {"t", "a.b[1].channel.c"},
	} {
		if name, key := NameOf(address); name != want.name || key != want.key {
			t.Errorf("%s: %q, %v", address, name, key)
		}
	}
}

// Who reads the stream reads there too that an option is wrong, wherever -json stands.
