package agents

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// world is a supervisor and an agent as the kind sees them: sockets that answer.
type world struct {
	t *testing.T
	l api.Layout

	mu     sync.Mutex // guards all below
	agent  api.Agent
	starts []api.StartRequest
	stops  []api.StopRequest
	stop   api.StopReply
	exits  int // restarts that the supervisor reports, growing with each question
	ending int // how often the supervisor says that it is ending
	ensure int
	modes  []api.ShutdownMode
	given  []api.DiscardRequest // orphans to give up
	asked  int                  // snapshots of the agent
}

func newWorld(t *testing.T) (*world, *agentKind) {
	t.Helper()
	run, err := os.MkdirTemp("", "pa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	w := &world{t: t, l: api.Layout{Data: t.TempDir(), Run: run}}
	sup := http.NewServeMux()
	sup.HandleFunc("POST /start", func(rw http.ResponseWriter, r *http.Request) {
		var in api.StartRequest
		if err := api.ReadJSON(rw, r, &in); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ending > 0 {
			w.ending--
			api.WriteError(rw, http.StatusServiceUnavailable, api.ErrEnding)
			return
		}
		w.starts = append(w.starts, in)
		w.agent.ConfigHash = in.Spec.Hash()
		api.WriteJSON(rw, struct{}{})
	})
	sup.HandleFunc("POST /stop", func(rw http.ResponseWriter, r *http.Request) {
		var in api.StopRequest
		if err := api.ReadJSON(rw, r, &in); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stops = append(w.stops, in)
		api.WriteJSON(rw, w.stop)
	})
	sup.HandleFunc("POST /discard", func(rw http.ResponseWriter, r *http.Request) {
		var in api.DiscardRequest
		if err := api.ReadJSON(rw, r, &in); err != nil || r.URL.Query().Get("id") != "x" {
			t.Errorf("%v %v", r.URL, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.given = append(w.given, in)
		api.WriteJSON(rw, struct{}{})
	})
	sup.HandleFunc("POST /shutdown", func(rw http.ResponseWriter, r *http.Request) {
		var in api.ShutdownRequest
		if err := api.ReadJSON(rw, r, &in); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.modes = append(w.modes, in.Mode)
		api.WriteJSON(rw, struct{}{})
	})
	sup.HandleFunc("GET /supervisor", func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.exits++
		api.WriteJSON(rw, api.SupervisorReply{Agents: []api.Supervised{{ID: "x", LastExit: "exit status 1", Restarts: w.exits}}})
	})
	w.serve(w.l.SupervisorSocket(), sup)
	o := Options{Layout: w.l, Types: someTypes(), Wait: 100 * time.Millisecond, Ready: time.Minute, Ensure: func(context.Context) (*api.Client, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ensure++
		return api.Dial(w.l.SupervisorSocket()), nil
	}}
	return w, Kinds(o)[1].(*agentKind)
}

func (w *world) serve(path string, h http.Handler) {
	w.t.Helper()
	ln, err := api.Listen(path)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, ln, h, time.Second) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) answer() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snapshot", func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked++
		api.WriteJSON(rw, w.agent)
	})
	w.serve(w.l.AgentSocket("x"), mux)
}

// told collects what an apply says.
type told struct {
	mu           sync.Mutex // guards both
	lines, warns []string
}

func (o *told) options() resource.ApplyOptions {
	note := func(to *[]string) func(string) {
		return func(s string) { o.mu.Lock(); defer o.mu.Unlock(); *to = append(*to, s) }
	}
	return resource.ApplyOptions{Report: note(&o.lines), Warn: note(&o.warns)}
}

func (w *world) object() (*resource.Object, *resource.Change) {
	s, err := tree(driver())
	if err != nil {
		w.t.Fatal(err)
	}
	o := &resource.Object{Address: "agent.driver_info", Kind: "agent", Want: s, Secrets: schema.Secrets{"p": "v"}}
	return o, &resource.Change{Address: o.Address, Action: resource.Create, After: s, Detail: map[string]any{detailID: "x"}}
}
