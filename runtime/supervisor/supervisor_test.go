package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
)

// TestMain is also the program that the supervisor copies and runs: it behaves as a supervisor, a small agent or a small broker.
func TestMain(m *testing.M) {
	if len(os.Args) < 4 || strings.HasPrefix(os.Args[1], "-") {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch os.Args[1] {
	case "supervise":
		err = Run(ctx, Options{Layout: api.NewLayout(os.Args[3], "")})
	case "agent":
		err = fakeAgent(ctx, api.NewLayout(os.Args[4], ""), os.Args[6])
	case "broker":
		err = fakeBroker(ctx, api.NewLayout(os.Args[4], ""))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func fakeAgent(ctx context.Context, l api.Layout, id string) error {
	dir := l.AgentDir(id)
	if os.Getenv("CRASH") != "" {
		return errors.New("it crashes as it was told")
	}
	lock, err := api.TakeLock(filepath.Join(dir, "lock"), "", "agent")
	if err != nil {
		return err
	}
	defer lock.Release()
	var spec schema.AgentSpec
	if err := readJSON(filepath.Join(dir, "spec.json"), &spec); err != nil {
		return err
	}
	ln, err := api.Listen(l.AgentSocket(id))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, _ *http.Request) {
		api.WriteJSON(w, api.Agent{State: api.Running, Ready: true})
	})
	mux.HandleFunc("GET /spec", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		api.WriteJSON(w, api.SpecReply{Hash: spec.Hash(), Spec: spec})
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		var in api.ReloadRequest
		if err := api.ReadJSON(w, r, &in); err != nil || in.Secrets["refuse"] != "" {
			api.WriteError(w, http.StatusConflict, errors.New("sink k: no such topic"))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		spec = in.Spec
		api.WriteJSON(w, struct{}{})
	})
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		var r api.StopReply
		_ = readJSON(filepath.Join(dir, "left"), &r.Left)
		api.WriteJSON(w, r)
		stop()
	})
	return api.Serve(ctx, ln, mux, time.Second)
}

func fakeBroker(ctx context.Context, l api.Layout) error {
	lock, address, err := LockBroker(l, "")
	if err != nil {
		return err
	}
	defer lock.Release()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	for {
		c, err := ln.Accept()
		if err != nil {
			return nil
		}
		_ = c.Close()
	}
}

// installation is a data directory with all its processes, which end with the test.
type installation struct {
	t *testing.T
	l api.Layout
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	run, err := os.MkdirTemp("", "cs")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "cd")
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{t: t, l: api.NewLayout(data, run)}
	t.Cleanup(func() {
		in.kill("supervise")
		in.kill("run")
		_ = os.RemoveAll(data)
		_ = os.RemoveAll(run)
	})
	return in
}

// processes lists the installation's living processes whose command line holds a word.
func (in *installation) processes(word string) []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		raw, _ := os.ReadFile(d)
		args := strings.Split(string(raw), "\x00")
		has := func(s string) bool {
			for _, a := range args {
				if a == s {
					return true
				}
			}
			return false
		}
		if has(in.l.Data) && has(word) {
			var pid int
			_, _ = fmt.Sscanf(d, "/proc/%d/", &pid)
			pids = append(pids, pid)
		}
	}
	return pids
}

func (in *installation) kill(word string) {
	in.t.Helper()
	for _, pid := range in.processes(word) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	in.until(word+" to end", func() bool {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		return len(in.processes(word)) == 0
	})
}

func (in *installation) until(what string, ok func() bool) {
	in.t.Helper()
	err := until(context.Background(), 15*time.Second, func() (bool, error) { return ok(), nil })
	if err != nil {
		log, _ := os.ReadFile(logPath(in.l))
		in.t.Fatalf("waited for %s\n%s", what, log)
	}
}

func (in *installation) ensure() *api.Client {
	in.t.Helper()
	c, err := Ensure(in.t.Context(), in.l, os.Args[0])
	if err != nil {
		in.t.Fatal(err)
	}
	return c
}

func spec(address string, env ...string) api.StartRequest {
	r := api.StartRequest{
		Meta: api.AgentMeta{Address: address, ID: api.AgentID(address)},
		Spec: schema.AgentSpec{Version: 1, Address: address},
	}
	if len(env) > 0 {
		r.Spec.Settings = schema.Config{"env": map[string]any{env[0]: env[1]}}
	}
	return r
}

func (in *installation) start(c *api.Client, r api.StartRequest) {
	in.t.Helper()
	if err := c.Start(in.t.Context(), r); err != nil {
		in.t.Fatal(err)
	}
	in.until("an answer of "+r.Meta.Address, func() bool {
		_, err := api.Dial(in.l.AgentSocket(r.Meta.ID)).Spec(in.t.Context())
		return err == nil
	})
}

func (in *installation) agent(address string) api.Agent {
	in.t.Helper()
	seen, err := api.Survey(in.t.Context(), in.l)
	if err != nil {
		in.t.Fatal(err)
	}
	for _, a := range seen.Agents {
		if a.Address == address {
			return a
		}
	}
	return api.Agent{}
}

func TestAgentsComeBackAndOutliveTheirSupervisor(t *testing.T) {
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	first := in.agent("agent.a")
	if first.State != api.Running || first.PID == 0 {
		t.Fatalf("started: %+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.until("another process", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Running && a.PID != first.PID && a.Restarts == 1 && strings.Contains(a.LastExit, "killed")
	})
	second := in.agent("agent.a")

	in.kill("supervise")
	if a := in.agent("agent.a"); a.PID != second.PID || a.State != api.Running {
		t.Fatalf("without supervisor: %+v", a)
	}
	c := in.ensure()
	in.until("adoption", func() bool {
		r, err := c.Supervisor(t.Context())
		return err == nil && len(r.Agents) == 1 && r.Agents[0].Adopted && r.Agents[0].PID == second.PID
	})
	in.start(c, spec("agent.a"))
	if n := in.processes("agent"); len(n) != 1 || n[0] != second.PID {
		t.Fatalf("processes %v, want only %d", n, second.PID)
	}
	if err := syscall.Kill(second.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.until("a third process", func() bool { a := in.agent("agent.a"); return a.State == api.Running && a.PID != second.PID })

	in.kill("supervise")
	in.kill("agent")
	c = in.ensure()
	in.until("what is desired after both died", func() bool { return in.agent("agent.a").State == api.Running })
	if _, err := c.Stop(t.Context(), api.AgentID("agent.a"), api.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if a := in.agent("agent.a"); a.State != api.Stopped || len(in.processes("agent")) != 0 {
		t.Fatalf("stopped: %+v", a)
	}
}

func TestAProcessInheritsNothing(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SHELL", "x")
	t.Setenv("TZ", "Asia/Seoul")
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a", "HADOOP_USER_NAME", "etl"))
	pid := in.agent("agent.a").PID
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for e := range strings.SplitSeq(strings.TrimSuffix(string(environ), "\x00"), "\x00") {
		name, _, _ := strings.Cut(e, "=")
		if !strings.Contains(" PATH TZ LANG HADOOP_USER_NAME ", " "+name+" ") {
			t.Errorf("inherited %s", e)
		}
	}
	if !strings.Contains(string(environ), "HADOOP_USER_NAME=etl\x00") {
		t.Errorf("env of the agent is missing: %q", environ)
	}
	link := func(name string) string {
		s, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := link("cwd"); got != "/" {
		t.Errorf("cwd %s", got)
	}
	if got := link("fd/0"); got != "/dev/null" {
		t.Errorf("stdin %s", got)
	}
	for _, fd := range []string{"fd/1", "fd/2"} {
		if got := link(fd); !strings.HasSuffix(got, "agent.log") {
			t.Errorf("%s is %s", fd, got)
		}
	}
	if got := link("exe"); !strings.HasPrefix(got, filepath.Join(in.l.Data, "bin")) {
		t.Errorf("runs %s", got)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	if session := strings.Fields(string(stat))[5]; session != fmt.Sprint(pid) {
		t.Errorf("session %s, want its own, %d", session, pid)
	}
}

func TestACrashingAgentIsShownWithItsCause(t *testing.T) {
	in := newInstallation(t)
	if err := in.ensure().Start(t.Context(), spec("agent.a", "CRASH", "1")); err != nil {
		t.Fatal(err)
	}
	in.until("two crashes", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Crashed && a.Restarts >= 2 && a.LastExit == "exit status 1" && strings.HasPrefix(a.NotReady, "starts again")
	})
	// A corrected spec starts at once, whatever the pause is.
	in.start(in.ensure(), spec("agent.a"))
}

func TestPausesBetweenStartsGrow(t *testing.T) {
	for fails, most := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		for range 100 {
			if p := restartPause(fails); p < most*time.Second/2 || p > most*time.Second {
				t.Fatalf("after %d failures: %v, want between half and all of %v", fails, p, most*time.Second)
			}
		}
	}
}

func TestOnlyOneSupervisor(t *testing.T) {
	in := newInstallation(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Ensure(t.Context(), in.l, os.Args[0]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	in.until("the others to end", func() bool {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		return len(in.processes("supervise")) == 1
	})
}

// R14: a supervisor that is stopped for a while still is the supervisor.
func TestAStoppedSupervisorKeepsItsPlace(t *testing.T) {
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	pid := in.processes("supervise")[0]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Ensure(ctx, in.l, os.Args[0]); err == nil || !strings.Contains(err.Error(), fmt.Sprint(pid)) {
		t.Fatalf("while it is stopped: %v", err)
	}
	if a := in.agent("agent.a"); a.State != api.Running {
		t.Fatalf("the agent: %+v", a)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	in.ensure()
	if n := in.processes("supervise"); len(n) != 1 || n[0] != pid {
		t.Fatalf("supervisors %v, want %d", n, pid)
	}
}

func TestAChangedProgramIsNotRun(t *testing.T) {
	in := newInstallation(t)
	c := in.ensure()
	in.start(c, spec("agent.a"))
	bins, _ := filepath.Glob(filepath.Join(in.l.Data, "bin", "*", "collect"))
	if len(bins) != 1 {
		t.Fatalf("programs: %v", bins)
	}
	raw, err := os.ReadFile(bins[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(bins[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bins[0], append(raw, 'x'), 0o500); err != nil {
		t.Fatal(err)
	}
	in.kill("agent")
	in.until("the refusal", func() bool {
		a := in.agent("agent.a")
		return a.State == api.Crashed && strings.Contains(a.LastExit, "was changed since it was copied")
	})
}

func TestAnotherBuildTakesOver(t *testing.T) {
	in := newInstallation(t)
	in.start(in.ensure(), spec("agent.a"))
	agent, old := in.agent("agent.a").PID, in.processes("supervise")[0]
	newer := filepath.Join(t.TempDir(), "newer")
	raw, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newer, append(raw, "newer"...), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), in.l, newer); err != nil {
		t.Fatal(err)
	}
	in.until("the old supervisor to end", func() bool {
		_, _ = syscall.Wait4(old, nil, syscall.WNOHANG, nil)
		n := in.processes("supervise")
		return len(n) == 1 && n[0] != old
	})
	if n := in.processes("agent"); len(n) != 1 || n[0] != agent {
		t.Fatalf("agents %v, want %d as before", n, agent)
	}
	bins, _ := filepath.Glob(filepath.Join(in.l.Data, "bin", "*"))
	if len(bins) != 2 {
		t.Errorf("programs %v: the one that the agent runs must stay", bins)
	}
}

func TestARefusedReloadChangesNothing(t *testing.T) {
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
	req.Lose = 4
	if reply, err := c.Stop(t.Context(), r.Meta.ID, req); err != nil || reply.Removed {
		t.Fatalf("with too small a confirmation: %+v %v", reply, err)
	}
	req.Lose = 5
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
