package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collect/runtime/supervisor/api"
)

func snapshot() api.Agent {
	return api.Agent{Address: `agent.a["k"]`, Ready: true, Components: []api.Component{
		{Kind: "source", Name: "in", Health: "ok", EventsIn: 7, EventsOut: 7, DroppedBy: map[string]int64{"filter": 2, "bad\xff": 1}},
		{Kind: "channel", Name: "c", Health: "waiting", BacklogEvents: 3, Capacity: 100, Oldest: 1.5},
		{Kind: "sink", Name: "out", Health: "retrying", EventsOut: 2, Retries: 4},
	}, Edges: []api.Edge{{From: "source.in", To: "channel.c", Kind: "emit", Events: 5}}}
}

func TestMetricsNameComponentsAndReasons(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler(snapshot).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, _ := io.ReadAll(w.Body)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, body)
	}
	for _, want := range []string{
		`collect_events_total{agent="agent.a[\"k\"]",component="in",direction="in",kind="source"} 7`,
		`collect_events_dropped_total{agent="agent.a[\"k\"]",component="in",kind="source",reason="filter"} 2`,
		`collect_channel_events{agent="agent.a[\"k\"]",component="c",kind="channel"} 3`,
		`collect_component_health{agent="agent.a[\"k\"]",component="out",kind="sink",state="retrying"} 1`,
		`collect_retries_total{agent="agent.a[\"k\"]",component="out",kind="sink"} 4`,
		`collect_edge_events_total{agent="agent.a[\"k\"]",from="source.in",kind="emit",to="channel.c"} 5`,
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("missing %s", want)
		}
	}
}

func TestOnlyGetIsAnswered(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead} {
		w := httptest.NewRecorder()
		Handler(snapshot).ServeHTTP(w, httptest.NewRequest(method, "/metrics", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d", method, w.Code)
		}
	}
}
