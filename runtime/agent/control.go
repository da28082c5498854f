package agent

import (
	"context"
	"errors"
	"net/http"
	"time"

	"collect/runtime/pipeline/orphan"
	"collect/runtime/supervisor/api"
	"collect/runtime/telemetry"
)

// drainRequest asks the agent to end.
type drainRequest struct {
	limit time.Duration
	empty bool
	reply chan drainReply
}

type drainReply struct {
	reply api.StopReply
	err   error
}

// handler answers on the control socket.
func (a *agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, _ *http.Request) { api.WriteJSON(w, a.snapshot()) })
	mux.HandleFunc("GET /spec", func(w http.ResponseWriter, _ *http.Request) {
		spec := a.pipe.Spec()
		api.WriteJSON(w, api.SpecReply{Hash: spec.Hash(), Spec: *spec})
	})
	mux.HandleFunc("GET /health", a.health)
	mux.Handle("GET /metrics", telemetry.Handler(a.snapshot))
	mux.HandleFunc("POST /reload", a.reload)
	mux.HandleFunc("POST /drain", a.drainOver)
	mux.HandleFunc("POST /discard", a.discard)
	return mux
}

// health is 200 when the agent can commit.
func (a *agent) health(w http.ResponseWriter, _ *http.Request) {
	if ok, why := a.pipe.Ready(); !ok {
		api.WriteError(w, http.StatusServiceUnavailable, errors.New("not ready: "+why))
		return
	}
	api.WriteJSON(w, map[string]bool{"ready": true})
}

// errEnding is the answer to verbs that come while the agent ends.
var errEnding = errors.New("the agent is ending or being reloaded")

func (a *agent) reload(w http.ResponseWriter, r *http.Request) {
	var req api.ReloadRequest
	if err := api.ReadJSON(w, r, &req); err != nil {
		api.WriteError(w, http.StatusBadRequest, err)
		return
	}
	select {
	case a.busy <- struct{}{}:
	default:
		api.WriteError(w, http.StatusConflict, errEnding)
		return
	}
	defer func() { <-a.busy }()
	if err := a.become(context.WithoutCancel(r.Context()), req); err != nil { // half a reload helps nobody: it ends as it should
		a.log.Error("reload refused, the configuration before goes on", "err", err)
		api.WriteError(w, http.StatusUnprocessableEntity, err)
		return
	}
	a.log.Info("reloaded", "hash", req.Spec.Hash())
	api.WriteJSON(w, struct{}{})
}

// reloadGrace is what a reload may take besides draining what leaves: new sources must become ready.
const reloadGrace = 10 * time.Second

func (a *agent) become(ctx context.Context, req api.ReloadRequest) error {
	set, err := settings(&req.Spec, req.Secrets)
	if err != nil {
		return err
	}
	if set.MemoryLimit != a.settings.MemoryLimit {
		return errors.New("memory_limit can only change with a new process")
	}
	ctx, cancel := context.WithTimeout(ctx, set.Drain+reloadGrace)
	defer cancel()
	if err := a.metrics.listen(ctx, set.Metrics); err != nil {
		return err
	}
	if req.Secrets == nil {
		req.Secrets = map[string]string{}
	}
	var lose []orphan.Loss
	for channel, events := range req.Lose {
		lose = append(lose, orphan.Loss{Channel: channel, Events: events})
	}
	if err := a.pipe.Reload(ctx, &req.Spec, req.Secrets, lose...); err != nil {
		return errors.Join(err, a.metrics.listen(ctx, a.settings.Metrics))
	}
	a.settings = set
	return nil
}

// discard removes an orphan.
func (a *agent) discard(w http.ResponseWriter, r *http.Request) {
	var req api.DiscardRequest
	if err := api.ReadJSON(w, r, &req); err != nil {
		api.WriteError(w, http.StatusBadRequest, err)
		return
	}
	if err := a.pipe.Discard(r.Context(), orphan.Loss{Channel: req.Channel, Events: req.Events}); err != nil {
		api.WriteError(w, http.StatusConflict, err)
		return
	}
	api.WriteJSON(w, struct{}{})
}

// drainOver drains, answers, and lets the process end.
func (a *agent) drainOver(w http.ResponseWriter, r *http.Request) {
	var req api.StopRequest
	if err := api.ReadJSON(w, r, &req); err != nil {
		api.WriteError(w, http.StatusBadRequest, err)
		return
	}
	select {
	case a.busy <- struct{}{}: // never given back: this is the end
	case <-r.Context().Done():
		return
	}
	d := drainRequest{limit: time.Duration(req.Drain), empty: req.Empty, reply: make(chan drainReply, 1)}
	if d.limit == 0 {
		d.limit = a.settings.Drain
	}
	select {
	case a.end <- d:
	case <-a.ending.Done():
		<-a.busy
		api.WriteError(w, http.StatusConflict, errEnding)
		return
	}
	got := <-d.reply
	if got.err != nil {
		api.WriteError(w, http.StatusInternalServerError, got.err)
		return
	}
	api.WriteJSON(w, got.reply)
}
