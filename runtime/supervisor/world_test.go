package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
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
	case "run":
		err = fakeRun(ctx, api.NewLayout(os.Args[3], ""), os.Args[4:])
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
	if slices.Contains(os.Args, "--foreground") {
		attached(stop)
	}
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, _ *http.Request) {
		api.WriteJSON(w, api.Agent{State: api.Running, Ready: os.Getenv("UNREADY") == "", PID: os.Getpid()})
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
		note, err := os.OpenFile(filepath.Join(dir, "reloads"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintln(note, len(spec.Channels), spec.Settings["env"])
			err = note.Close()
		}
		if err != nil {
			api.WriteError(w, http.StatusInternalServerError, err)
			return
		}
		api.WriteJSON(w, struct{}{})
	})
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		var r api.StopReply
		_ = readJSON(filepath.Join(dir, "left"), &r.Left)
		api.WriteJSON(w, r)
		stop()
	})
	if err := api.Serve(ctx, ln, mux, time.Second); err != nil {
		return err
	}
	if code, err := strconv.Atoi(os.Getenv("EXIT")); err == nil {
		os.Exit(code)
	}
	return nil
}

// fakeRun runs agents in the foreground.
func fakeRun(ctx context.Context, l api.Layout, addresses []string) error {
	f := Foreground{Layout: l, Out: os.Stdout, Err: os.Stderr, Log: slog.New(slog.DiscardHandler)}
	for _, a := range addresses {
		f.Agents = append(f.Agents, api.AgentMeta{Address: a, ID: api.AgentID(a)})
	}
	return RunForeground(ctx, f)
}

// attached is what a child of run does besides: it says who it is and what it got, and ends with its parent.
func attached(stop func()) {
	fmt.Printf("line one\nline two of %s\n", os.Getenv("NAME"))
	fmt.Fprintln(os.Stderr, "log with", len(os.Environ()), "variables")
	if os.Getenv("HANG") != "" {
		signal.Ignore(syscall.SIGTERM)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
		_ = os.WriteFile(os.Getenv("GONE"), nil, 0o600)
		stop()
	}()
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

// wait is how long a failing test takes, not how long anything may take.
const wait = time.Minute

func (in *installation) until(what string, ok func() bool) {
	in.t.Helper()
	err := until(context.Background(), wait, func() (bool, error) { return ok(), nil })
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

// agent tells of an agent; one that does not answer in time is asked again.
func (in *installation) agent(address string) (found api.Agent) {
	in.t.Helper()
	in.until("an answer of "+address, func() bool {
		seen, err := api.Survey(in.t.Context(), in.l)
		if err != nil {
			in.t.Fatal(err)
		}
		found = api.Agent{}
		for _, a := range seen.Agents {
			if a.Address == address {
				found = a
			}
		}
		return found.State != api.Unreachable
	})
	return found
}
