package supervisor

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"collect/runtime/supervisor/api"
)

// handler answers on the control socket.
func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /supervisor", func(w http.ResponseWriter, _ *http.Request) {
		if s.isEnding() {
			fail(w, api.ErrEnding)
			return
		}
		api.WriteJSON(w, s.snapshot())
	})
	mux.HandleFunc("POST /start", call(func(r *http.Request, in api.StartRequest) (any, error) {
		return struct{}{}, s.start(r.Context(), in)
	}))
	mux.HandleFunc("POST /stop", call(func(r *http.Request, in api.StopRequest) (any, error) {
		return s.stopAgent(r.Context(), r.URL.Query().Get("id"), in)
	}))
	mux.HandleFunc("POST /discard", call(func(r *http.Request, in api.DiscardRequest) (any, error) {
		return struct{}{}, s.discard(r.Context(), r.URL.Query().Get("id"), in)
	}))
	mux.HandleFunc("POST /broker/start", call(func(r *http.Request, in api.BrokerRequest) (any, error) {
		return s.startBroker(r.Context(), in)
	}))
	mux.HandleFunc("POST /broker/stop", call(func(r *http.Request, in api.StopRequest) (any, error) {
		return struct{}{}, s.stopBroker(r.Context(), in)
	}))
	mux.HandleFunc("POST /shutdown", func(w http.ResponseWriter, r *http.Request) {
		call(func(r *http.Request, in api.ShutdownRequest) (any, error) {
			return struct{}{}, s.shutdown(r.Context(), in.Mode)
		})(w, r)
		if s.isEnding() {
			s.quit()
		}
	})
	return mux
}

// opLimit is how long an operation may take, whatever it waits for.
const opLimit = 10 * time.Minute

// call reads a request, does it, and answers. What was begun goes on to its end also when whoever asked for it is gone.
func call[In any](do func(*http.Request, In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := api.ReadJSON(w, r, &in); err != nil {
			api.WriteError(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), opLimit)
		defer cancel()
		out, err := do(r.WithContext(ctx), in)
		if err != nil {
			fail(w, err)
			return
		}
		api.WriteJSON(w, out)
	}
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusConflict
	if errors.Is(err, api.ErrEnding) {
		status = http.StatusServiceUnavailable
	}
	api.WriteError(w, status, err)
}

func (s *supervisor) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending != ""
}

func (s *supervisor) snapshot() api.SupervisorReply {
	s.mu.Lock()
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	s.mu.Unlock()
	r := api.SupervisorReply{Supervisor: api.Supervisor{PID: os.Getpid(), Since: s.since, Build: s.build}, Agents: []api.Supervised{}}
	for _, u := range units {
		st := u.status()
		if u.id == brokerID {
			r.Broker = &st
			continue
		}
		r.Agents = append(r.Agents, st)
	}
	slices.SortFunc(r.Agents, func(a, b api.Supervised) int { return strings.Compare(a.ID, b.ID) })
	return r
}
