package agent

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"collect/runtime/supervisor/api"
)

func TestChannelsAreThoseDeclaredAndThoseOnDisk(t *testing.T) {
	d := kept(t, "stopped", map[string]int{"own": 5, "old": 3, "volatile": 2, "nothing": 0, "bad": 999})
	got, err := d.Channels(api.AgentID("agent.a"))
	want := []api.Channel{
		{Name: "bad", Type: "disk", Stores: true},
		{Name: "empty", Type: "disk", Stores: true},
		{Name: "nothing"},
		{Name: "old", Type: "disk", Stores: true},
		{Name: "own", Type: "disk", Stores: true},
		{Name: "volatile", Type: "disk", Stores: true}, // of this name one that stored was there before
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v; %v", got, want, err)
	}
	d = kept(t, "stopped", nil)
	got, err = d.Channels(api.AgentID("agent.a"))
	if err != nil || !slices.Contains(got, api.Channel{Name: "volatile", Type: "memory"}) {
		t.Errorf("got %+v %v", got, err)
	}
}

func TestAChannelIsRepairedOnlyWhenItsAgentDoesNotRun(t *testing.T) {
	d := kept(t, "stopped", map[string]int{"own": 5})
	id, own := api.AgentID("agent.a"), api.Channel{Name: "own", Type: "disk", Stores: true}
	lock, err := api.TakeLock(filepath.Join(d.Layout.AgentDir(id), "lock"), "", "agent.a")
	if err != nil {
		t.Fatal(err)
	}
	var held *api.HeldError
	if _, err := d.Repair(id, own); !errors.As(err, &held) {
		t.Errorf("while the agent runs: %v", err)
	}
	if r, err := d.Inspect(id, own); err != nil || len(r.Segments) != 1 || r.Segments[0].Name != "data" || r.Dir == "" || r.Damage == nil {
		t.Errorf("inspect while the agent runs: %+v %v", r, err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Repair(id, own); err != nil || len(r.Damage) != 1 || r.Damage[0].SetAside != "piece" {
		t.Errorf("repair: %+v %v", r, err)
	}
	if r, err := d.Inspect(id, api.Channel{Name: "empty", Type: "disk", Stores: true}); err != nil || r.Segments == nil || len(r.Segments) > 0 {
		t.Errorf("a channel that was never opened: %+v %v", r, err)
	}
	if _, err := d.Inspect(id, api.Channel{Name: "volatile", Type: "memory"}); err == nil {
		t.Error("a channel that stores nothing: no error")
	}
}
