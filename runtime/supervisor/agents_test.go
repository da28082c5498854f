package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

func TestARefusedReloadChangesNothing(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	r := spec("agent.a")
	r.Secrets = schema.Secrets{"p": "old"}
	in.start(c, r)
	pid := in.agent("agent.a").PID
	files := func() string {
		s, err := os.ReadFile(filepath.Join(in.l.AgentDir(r.Meta.ID), "secrets"))
		if err != nil {
			t.Fatal(err)
		}
		j, err := os.ReadFile(filepath.Join(in.l.AgentDir(r.Meta.ID), "spec.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(s) + string(j)
	}
	before := files()
	r.Secrets = schema.Secrets{"refuse": "yes"}
	r.Spec.Channels = []schema.ChannelSpec{{Type: "memory", Name: "c"}}
	if err := c.Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), "no such topic") {
		t.Fatalf("got %v", err)
	}
	if files() != before {
		t.Errorf("files changed: %s", files())
	}
	r.Secrets = nil
	in.start(c, r)
	if _, err := os.Stat(filepath.Join(in.l.AgentDir(r.Meta.ID), "secrets")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("secrets stay: %v", err)
	}
	s, err := api.Dial(in.l.AgentSocket(r.Meta.ID)).Spec(t.Context())
	if err != nil || len(s.Spec.Channels) != 1 || in.agent("agent.a").PID != pid {
		t.Errorf("after the reload: %+v %v", s, err)
	}
	r.Restart = true
	in.start(c, r)
	if in.agent("agent.a").PID == pid {
		t.Error("not started again")
	}
}

func TestRemovalKeepsPositionsAndNeverLosesUnasked(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	r := spec("agent.a")
	in.start(c, r)
	dir := in.l.AgentDir(r.Meta.ID)
	for name, text := range map[string]string{"data/sources/log/positions": "4711", "data/channels/c/segment": "x", "left": `[{"channel":"c","events":5}]`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	req := api.StopRequest{Empty: true, Remove: true, Keep: true}
	reply, err := c.Stop(t.Context(), r.Meta.ID, req)
	if err != nil || reply.Removed || len(reply.Left) != 1 || reply.Left[0].Events != 5 {
		t.Fatalf("with a backlog: %+v %v", reply, err)
	}
	if a := in.agent("agent.a"); a.State != api.Stopped {
		t.Fatalf("it must stay, stopped: %+v", a)
	}
	req.Lose = map[string]int64{"c": 4, "another": 100}
	if reply, err := c.Stop(t.Context(), r.Meta.ID, req); err != nil || reply.Removed {
		t.Fatalf("with too small a confirmation: %+v %v", reply, err)
	}
	req.Lose = map[string]int64{"c": 5}
	if reply, err := c.Stop(t.Context(), r.Meta.ID, req); err != nil || !reply.Removed {
		t.Fatalf("confirmed: %+v %v", reply, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory stays: %v", err)
	}
	in.start(c, r)
	if got, _ := os.ReadFile(filepath.Join(dir, "data/sources/log/positions")); string(got) != "4711" {
		t.Errorf("positions of the earlier life: %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "data/channels")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("channels of the earlier life: %v", err)
	}
	if reply, err := c.Stop(t.Context(), r.Meta.ID, api.StopRequest{Remove: true}); err != nil || !reply.Removed {
		t.Fatalf("%+v %v", reply, err)
	}
	if _, err := os.Stat(in.l.Kept()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("kept positions were to be forgotten: %v", err)
	}
}

func TestASupervisorWithNothingToWatchLeavesNothing(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	in.start(c, spec("agent.a"))
	if _, err := c.StartBroker(t.Context(), api.BrokerRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context(), api.Retire); err == nil || !strings.Contains(err.Error(), "watches 2 processes") {
		t.Fatalf("while it watches: %v", err)
	}
	if _, err := c.Stop(t.Context(), api.AgentID("agent.a"), api.StopRequest{Empty: true, Remove: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.StopBroker(t.Context(), api.StopRequest{Remove: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context(), api.Retire); err != nil {
		t.Fatal(err)
	}
	in.until("the supervisor to end", func() bool {
		_, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		return len(in.processes("supervise")) == 0
	})
	left, err := filepath.Glob(in.l.Data + "/*")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := os.Stat(in.l.Run); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the runtime directory stays: %v", err)
	}
	in.ensure() // and it can begin anew
}

func TestTheBrokerKeepsItsPort(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	b, err := c.StartBroker(t.Context(), api.BrokerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(b.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.until("the broker", func() bool {
		seen, err := api.Survey(t.Context(), in.l)
		return err == nil && seen.Broker != nil && seen.Broker.State == api.Running && seen.Broker.PID != b.PID && seen.Broker.Address == b.Address
	})
	again, err := c.StartBroker(t.Context(), api.BrokerRequest{})
	if err != nil || again.Address != b.Address {
		t.Errorf("%+v %v, want %s", again, err, b.Address)
	}
}

func TestAnAgentThatRunsElsewhereIsNamed(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	r := spec("agent.a")
	dir := in.l.AgentDir(r.Meta.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spec.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], api.AgentArgs(in.l, r.Meta.ID)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	in.until("the other", func() bool { _, held, err := api.Probe(filepath.Join(dir, "lock")); return held && err == nil })
	err = c.Start(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
		t.Fatalf("got %v", err)
	}
}

func TestALongLogIsPutAsideAtTheNextStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.log")
	if err := os.WriteFile(path, make([]byte, process.MaxLog+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := process.OpenLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("line\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.Stat(path + ".1")
	if err != nil || old.Size() != process.MaxLog+1 {
		t.Errorf("put aside: %v %v", old, err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != "line\nline\n" {
		t.Errorf("now %q %v", now, err)
	}
}

// A channel that leaves drains through its old sink, also where the process has to start again for another reason.
func TestChannelsThatLeaveDrainBeforeARestart(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	c := in.ensure()
	r := spec("agent.a", "NAME", "one")
	r.Spec.Channels = []schema.ChannelSpec{{Type: "disk", Name: "c"}, {Type: "disk", Name: "stays"}}
	in.start(c, r)
	first := in.agent("agent.a").PID
	next := spec("agent.a", "NAME", "two")
	next.Spec.Channels = r.Spec.Channels[1:]
	for range 2 { // the second time no channel leaves
		next.Restart = true
		if err := c.Start(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		in.until("another process", func() bool { a := in.agent("agent.a"); return a.State == api.Running && a.PID != first })
		first = in.agent("agent.a").PID
	}
	if raw, err := os.ReadFile(filepath.Join(in.l.AgentDir(r.Meta.ID), "reloads")); err != nil || string(raw) != "1 map[NAME:one]\n" {
		t.Errorf("reloads: %q %v", raw, err)
	}
	if got, err := api.Dial(in.l.AgentSocket(r.Meta.ID)).Spec(t.Context()); err != nil || got.Hash != next.Spec.Hash() {
		t.Errorf("it runs %+v %v", got.Spec, err)
	}
}
