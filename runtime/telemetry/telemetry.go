// Package telemetry gives the counters of an agent in the text format of Prometheus. It reads the same snapshot as every other view,
// when it is asked and not before: an agent whom nobody scrapes pays nothing for it.
package telemetry

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"collect/runtime/flow"
	"collect/runtime/supervisor/api"
)

// Handler answers GET with the metrics of an agent, and refuses everything else.
func Handler(snapshot func() api.Agent) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(&collector{snapshot: snapshot, descs: newDescs()})
	metrics := promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "only GET is answered", http.StatusMethodNotAllowed)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// collector makes metrics of a snapshot.
type collector struct {
	snapshot func() api.Agent
	descs    descs
}

type descs struct {
	ready, start, rss, cpu, violations               *prometheus.Desc
	events, bytes, dropped, dead, retries, errors    *prometheus.Desc
	duplicates, health, inFlight                     *prometheus.Desc
	backlog, backlogBytes, capacity, oldest          *prometheus.Desc
	edgeEvents, edgeBytes, orphanEvents, orphanBytes *prometheus.Desc
}

func newDescs() descs {
	agent := []string{"agent"}
	part := []string{"agent", "kind", "component"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("collect_"+name, help, labels, nil)
	}
	return descs{
		ready:        desc("agent_ready", "1 when all channels are open and all sources are bound.", agent...),
		start:        desc("agent_start_time_seconds", "When the process began.", agent...),
		rss:          desc("agent_resident_memory_bytes", "Memory of the process.", agent...),
		cpu:          desc("agent_cpu_seconds_total", "CPU time of the process.", agent...),
		violations:   desc("invariant_violations_total", "Times that the process found something that can only be a bug of it; its sources are blocked since the first.", agent...),
		events:       desc("events_total", "Events that came into a component (in) and left it (out; for a sink: delivered).", append(part, "direction")...),
		bytes:        desc("bytes_total", "Bytes of bodies that came into a component (in) and left it (out).", append(part, "direction")...),
		dropped:      desc("events_dropped_total", "Events dropped as configured, by reason.", append(part, "reason")...),
		dead:         desc("events_dead_lettered_total", "Events sent to a dead-letter channel.", part...),
		retries:      desc("retries_total", "Tries after a failure.", part...),
		errors:       desc("errors_total", "Errors of a component.", part...),
		duplicates:   desc("events_possibly_duplicated_total", "Events that may have been delivered twice.", part...),
		health:       desc("component_health", "1 for the state that the component is in.", append(part, "state")...),
		inFlight:     desc("in_flight_events", "Events emitted and not acknowledged, or taken and not delivered.", part...),
		backlog:      desc("channel_events", "Events waiting in a channel, for the slowest reader.", part...),
		backlogBytes: desc("channel_bytes", "Bytes held by a channel.", part...),
		capacity:     desc("channel_capacity_bytes", "Bytes that a channel may hold.", part...),
		oldest:       desc("channel_oldest_event_age_seconds", "Age of the oldest event waiting in a channel.", part...),
		edgeEvents:   desc("edge_events_total", "Events that went from one component to another.", "agent", "from", "to", "kind"),
		edgeBytes:    desc("edge_bytes_total", "Bytes that went from one component to another.", "agent", "from", "to", "kind"),
		orphanEvents: desc("orphan_events", "Stored events that no declared channel owns.", "agent", "channel"),
		orphanBytes:  desc("orphan_bytes", "Bytes of stored events that no declared channel owns.", "agent", "channel"),
	}
}

// Describe says nothing: which metrics there are follows from the components.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect makes the metrics.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	a := c.snapshot()
	d := c.descs
	count := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, clean(labels)...)
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, clean(labels)...)
	}
	gauge(d.ready, flag(a.Ready), a.Address)
	gauge(d.start, float64(a.Since.UnixMilli())/1000, a.Address)
	gauge(d.rss, float64(a.RSS), a.Address)
	count(d.cpu, a.CPUSeconds, a.Address)
	count(d.violations, float64(a.Violations), a.Address)
	for i := range a.Components {
		m := &a.Components[i]
		l := []string{a.Address, string(m.Kind), m.Name}
		with := func(last string) []string { return append(slices.Clone(l), last) }
		count(d.events, float64(m.EventsIn), with("in")...)
		count(d.events, float64(m.EventsOut), with("out")...)
		count(d.bytes, float64(m.BytesIn), with("in")...)
		count(d.bytes, float64(m.BytesOut), with("out")...)
		for reason, n := range m.DroppedBy {
			count(d.dropped, float64(n), with(reason)...)
		}
		count(d.dead, float64(m.DeadLettered), l...)
		count(d.retries, float64(m.Retries), l...)
		count(d.errors, float64(m.Errors), l...)
		count(d.duplicates, float64(m.Duplicates), l...)
		for _, state := range []flow.Health{flow.OK, flow.Waiting, flow.Retrying, flow.Blocked, flow.Failed} {
			gauge(d.health, flag(m.Health == string(state)), with(string(state))...)
		}
		gauge(d.inFlight, float64(m.InFlight), l...)
		if m.Kind == "channel" {
			gauge(d.backlog, float64(m.BacklogEvents), l...)
			gauge(d.backlogBytes, float64(m.BacklogBytes), l...)
			gauge(d.capacity, float64(m.Capacity), l...)
			gauge(d.oldest, m.Oldest, l...)
		}
	}
	for _, e := range a.Edges {
		count(d.edgeEvents, float64(e.Events), a.Address, e.From, e.To, e.Kind)
		count(d.edgeBytes, float64(e.Bytes), a.Address, e.From, e.To, e.Kind)
	}
	for _, o := range a.Orphans {
		gauge(d.orphanEvents, float64(o.Events), a.Address, o.Channel)
		gauge(d.orphanBytes, float64(o.Bytes), a.Address, o.Channel)
	}
}

// clean makes labels valid text: a reason may come from anywhere.
func clean(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
