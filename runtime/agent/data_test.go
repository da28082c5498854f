package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/hclspec/schema"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

// kept is data of an agent that does not run: for each channel its events, as the size of a file; a negative number is damage.
func kept(t *testing.T, state string, channels map[string]int) Data {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	d := Data{Layout: api.Layout{Data: filepath.Join(base, "d"), Run: filepath.Join(base, "r")}}
	d.Registry = registry.New(
		registry.Channel("memory", memory.Defaults, memory.About, memory.New),
		registry.Channel("disk", func() noConfig { return noConfig{} }, schema.About{Doc: "for tests", Durable: true}, func(noConfig, flow.Env) (flow.Channel, error) {
			return nil, errors.New("it is not opened")
		}).Storing(func(dir flow.Dir) (int64, int64, error) {
			info, err := dir.Stat("events")
			if errors.Is(err, fs.ErrNotExist) {
				return 0, 0, nil
			}
			if info.Size == 999 {
				return 0, 0, errors.New("damaged")
			}
			return info.Size, 10 * info.Size, err
		}).Inspecting(registry.Inspector{
			Read: func(dir flow.Dir) (flow.ChannelReport, error) {
				return flow.ChannelReport{Segments: []flow.SegmentReport{{Name: filepath.Base(dir.Path())}}}, nil
			},
			Repair: func(flow.Dir, flow.Rand) (flow.ChannelReport, error) {
				return flow.ChannelReport{Damage: []flow.Damage{{Offset: 7, SetAside: "piece"}}}, nil
			},
		}),
	)
	id := api.AgentID("agent.a")
	dir := d.Layout.AgentDir(id)
	put := func(name string, content []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range map[string]any{
		"meta.json": api.AgentMeta{Address: "agent.a", ID: id}, "desired": api.Desired{State: state},
		"spec.json": schema.AgentSpec{Version: 1, Address: "agent.a", Channels: []schema.ChannelSpec{
			{Type: "disk", Name: "own"}, {Type: "disk", Name: "empty"}, {Type: "memory", Name: "volatile"},
		}},
		api.LeftFile: []api.Orphan{{Channel: "own", Events: 7, Why: "the drain did not end"}, {Channel: "empty", Events: 9}},
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		put(name, raw)
	}
	for name, n := range channels {
		put(filepath.Join("data", "channel."+name, "data", "events"), make([]byte, n))
	}
	put("data/source.in/positions", nil)
	return d
}

func TestTheDiskAnswersForAnAgentThatDoesNotRun(t *testing.T) {
	for _, state := range []api.State{api.Stopped, api.Crashed} {
		desired := map[api.State]string{api.Stopped: "stopped", api.Crashed: "running"}[state]
		d := kept(t, desired, map[string]int{"own": 5, "empty": 0, "old": 3, "volatile": 2, "bad": 999})
		seen, err := d.Survey(t.Context())
		if err != nil || len(seen.Agents) != 1 || seen.Agents[0].State != state {
			t.Fatalf("%+v %v", seen, err)
		}
		a := seen.Agents[0]
		if len(a.Components) != 1 || a.Components[0].Name != "own" || a.Components[0].BacklogEvents != 5 || a.Components[0].BacklogBytes != 50 {
			t.Errorf("channels: %+v", a.Components)
		}
		want := []api.Orphan{
			{Channel: "bad", Events: api.UnknownEvents, Why: "damaged"},
			{Channel: "old", Events: 3, Bytes: 30, Why: orphan.Why},
			{Channel: "own", Events: 5, Bytes: 50, Why: "the drain did not end"}, // today's figure
			{Channel: "volatile", Events: 2, Bytes: 20, Why: orphan.Why},         // what is declared stores nothing
		}
		if len(a.Orphans) != len(want) {
			t.Fatalf("orphans: %+v", a.Orphans)
		}
		for i, o := range a.Orphans {
			if o != want[i] {
				t.Errorf("got %+v, want %+v", o, want[i])
			}
		}
	}
}

func TestAnOrphanOfAStoppedAgentIsRemovedToTheFigure(t *testing.T) {
	d := kept(t, "stopped", map[string]int{"own": 5, "old": 3})
	id := api.AgentID("agent.a")
	for _, r := range []api.DiscardRequest{{Channel: "own", Events: 5}, {Channel: "old", Events: 2}} {
		if err := d.Discard(id, r); err == nil {
			t.Errorf("%+v: no error", r)
		}
	}
	lock, err := api.TakeLock(filepath.Join(d.Layout.AgentDir(id), "lock"), "", "agent.a")
	if err != nil {
		t.Fatal(err)
	}
	var held *api.HeldError
	if err := d.Discard(id, api.DiscardRequest{Channel: "old", Events: 3}); !errors.As(err, &held) {
		t.Errorf("while the agent runs: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Discard(id, api.DiscardRequest{Channel: "old", Events: 3}); err != nil {
			t.Error(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(d.Layout.AgentDir(id), "data", "*"))
	if err != nil || strings.Contains(strings.Join(names, " "), "old") || len(names) != 2 {
		t.Errorf("left: %v %v", names, err)
	}
}
