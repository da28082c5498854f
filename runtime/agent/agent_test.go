package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is an installation with one agent.
type rig struct {
	layout    api.Layout
	id        string
	delivered atomic.Int64
	stuck     atomic.Bool // the sink accepts nothing
	cancel    context.CancelFunc
	done      chan error
}

type noConfig struct {
	Arg string `collect:"arg" doc:"Anything."`
}

type ticker struct{ env flow.Env }

func (s ticker) Run(ctx context.Context, out flow.Emitter) error {
	s.env.Ready()
	at, _, _ := s.env.Positions.Frontier("k")
	for ctx.Err() == nil {
		b := s.env.Pool.GetSized(16)
		b.Begin("k", at, &flow.Meta{Counted: true})
		at++
		b.AddBody([]byte("tick"), at)
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
		t := time.NewTimer(time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil
}

type counter struct{ r *rig }

func (c counter) Open(context.Context) error { return nil }
func (c counter) Write(_ context.Context, b *flow.Batch) error {
	if c.r.stuck.Load() {
		return errors.New("the other side is away")
	}
	c.r.delivered.Add(int64(b.Len()))
	b.Done(flow.Result{})
	return nil
}
func (c counter) Flush(context.Context) error { return nil }
func (c counter) Close(context.Context) error { return nil }

func (r *rig) registry() *registry.Registry {
	about := schema.About{Doc: "for tests"}
	none := func() noConfig { return noConfig{} }
	return registry.New(
		registry.Source("ticker", none, about, func(_ noConfig, env flow.Env) (flow.Source, error) { return ticker{env}, nil }),
		registry.Channel("memory", memory.Defaults, memory.About, memory.New),
		registry.Sink("counter", none, about, func(noConfig, flow.Env) (flow.Sink, error) { return counter{r}, nil }),
	)
}

func agentSpec(settings schema.Config) schema.AgentSpec {
	return schema.AgentSpec{
		Version: 1, Address: "agent.a", Settings: settings,
		Sources:  []schema.SourceSpec{{Type: "ticker", Name: "in", Routes: []schema.RouteSpec{{Channels: []string{"c"}}}}},
		Channels: []schema.ChannelSpec{{Type: "memory", Name: "c"}},
		Sinks:    []schema.SinkSpec{{Type: "counter", Name: "out", Channel: "c"}},
	}
}

func newRig(t *testing.T, spec schema.AgentSpec) *rig {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "agent") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	r := &rig{layout: api.Layout{Data: filepath.Join(base, "d"), Run: filepath.Join(base, "r")}, id: api.AgentID("agent.a")}
	dir := r.layout.AgentDir(r.id)
	for _, d := range []string{dir, r.layout.Run} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "meta.json"), api.AgentMeta{Address: "agent.a", ID: r.id})
	write(t, filepath.Join(dir, "spec.json"), spec)
	return r
}

func write(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) start(t *testing.T) *api.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- Run(ctx, Options{Layout: r.layout, ID: r.id, Registry: r.registry(), Build: "test"}) }()
	c := api.Dial(r.layout.AgentSocket(r.id))
	r.eventually(t, "it is ready", func() bool {
		s, err := c.Snapshot(t.Context())
		return err == nil && s.Ready
	})
	return c
}

func (r *rig) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		select {
		case err := <-r.done:
			t.Fatalf("the agent ended before %s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
	}
}

// end waits for the agent's end.
func (r *rig) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the agent did not end")
		return nil
	}
}

func TestAnAgentRunsAndDrainsAtItsEnd(t *testing.T) {
	r := newRig(t, agentSpec(nil))
	c := r.start(t)
	r.eventually(t, "something is delivered", func() bool { return r.delivered.Load() > 3 })
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Address != "agent.a" || s.State != api.Running || s.PID != os.Getpid() || s.RSS == 0 || len(s.Components) != 3 {
		t.Errorf("snapshot: %+v", s)
	}
	spec, err := c.Spec(t.Context())
	want := agentSpec(nil)
	if err != nil || spec.Hash != want.Hash() {
		t.Errorf("spec: hash %s, want %s (%v)", spec.Hash, want.Hash(), err)
	}
	r.cancel()
	if err := r.end(t); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, held, _ := api.Probe(filepath.Join(r.layout.AgentDir(r.id), "lock")); held {
		t.Error("the lock is still held")
	}
	if _, err := os.Lstat(r.layout.AgentSocket(r.id)); !os.IsNotExist(err) {
		t.Error("the socket is still there")
	}
}

func TestASecondAgentInOneDirectoryIsRefused(t *testing.T) {
	r := newRig(t, agentSpec(nil))
	r.start(t)
	err := Run(t.Context(), Options{Layout: r.layout, ID: r.id, Registry: r.registry()})
	var held *api.HeldError
	if !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("second run: %v", err)
	}
	r.cancel()
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestDrainOverTheSocketAnswersBeforeTheEnd(t *testing.T) {
	r := newRig(t, agentSpec(nil))
	c := r.start(t)
	r.eventually(t, "something is delivered", func() bool { return r.delivered.Load() > 0 })
	reply, err := c.Drain(t.Context(), api.StopRequest{Drain: api.Duration(time.Minute)})
	if err != nil || reply.Abandoned != 0 {
		t.Errorf("drain: %+v, %v", reply, err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestEventsGivenUpAtTheDeadlineAreExitCode3(t *testing.T) {
	r := newRig(t, agentSpec(schema.Config{"drain": "50ms"}))
	r.stuck.Store(true)
	c := r.start(t)
	r.eventually(t, "something waits", func() bool {
		s, err := c.Snapshot(t.Context())
		return err == nil && s.Components[1].BacklogEvents > 0
	})
	r.cancel()
	err := r.end(t)
	var a *AbandonedError
	if !errors.As(err, &a) || a.Events == 0 || a.ExitCode() != 3 {
		t.Errorf("end: %v", err)
	}
}

func TestReloadIsRefusedWithTheReasonAndTheOldGoesOn(t *testing.T) {
	r := newRig(t, agentSpec(nil))
	c := r.start(t)
	bad := agentSpec(nil)
	bad.Sinks[0].Type = "nothing"
	if err := c.Reload(t.Context(), api.ReloadRequest{Spec: bad}); err == nil || !strings.Contains(err.Error(), `no sink type "nothing"`) {
		t.Errorf("reload: %v", err)
	}
	at := r.delivered.Load()
	r.eventually(t, "it goes on", func() bool { return r.delivered.Load() > at+3 })
	good := agentSpec(schema.Config{"drain": "3s"})
	if err := c.Reload(t.Context(), api.ReloadRequest{Spec: good}); err != nil {
		t.Error(err)
	}
	if s, err := c.Snapshot(t.Context()); err != nil || s.ConfigHash != good.Hash() {
		t.Errorf("hash %s, want %s (%v)", s.ConfigHash, good.Hash(), err)
	}
	r.cancel()
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestMetricsPortAnswersGetOnly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	r := newRig(t, agentSpec(schema.Config{"metrics": map[string]any{"listen": address}}))
	c := r.start(t)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, path string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if code, body := get(http.MethodGet, "/metrics"); code != 200 || !strings.Contains(body, `collect_events_total{agent="agent.a"`) {
		t.Errorf("metrics: %d %s", code, body)
	}
	for _, path := range []string{"/drain", "/reload", "/snapshot", "/spec"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if code, _ := get(method, path); code != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, code)
			}
		}
	}
	if code, _ := get(http.MethodPost, "/metrics"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d", code)
	}
	if err := c.Reload(t.Context(), api.ReloadRequest{Spec: agentSpec(nil)}); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the port is still open after it left the configuration")
	}
	r.cancel()
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestOtherUsersAreNotAnswered(t *testing.T) {
	r := newRig(t, agentSpec(nil))
	r.start(t)
	info, err := os.Stat(r.layout.AgentSocket(r.id))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v, %v", info.Mode(), err)
	}
	r.cancel()
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}
