package agent

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/supervisor/api"
)

// healthEvery is how often the agent looks at its own components. What is well again before the second look is not worth a line.
const healthEvery = 5 * time.Second

// healthLog writes down which components are in trouble, and when they are well again: who reads the log later learns what status said then.
// There is at most one line for a component and a look, however often its state changes.
type healthLog struct {
	log *slog.Logger
	bad map[string]*trouble // by label
}

type trouble struct {
	since time.Time
	told  bool
}

func newHealthLog(log *slog.Logger) *healthLog {
	return &healthLog{log: log, bad: map[string]*trouble{}}
}

// watch looks until the context ends.
func (h *healthLog) watch(ctx context.Context, components func() []api.Component) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			h.look(now, components())
		}
	}
}

func (h *healthLog) look(now time.Time, components []api.Component) {
	here := map[string]bool{}
	for _, c := range components {
		label := string(c.Kind) + " " + c.Type + "." + c.Name
		here[label] = true
		t := h.bad[label]
		switch {
		case !inTrouble(c) && t == nil:
		case !inTrouble(c):
			if t.told {
				h.log.Info("well again", "component", label, "after", now.Sub(t.since).Round(time.Second).String())
			}
			delete(h.bad, label)
		case t == nil:
			h.bad[label] = &trouble{since: now}
		case !t.told:
			t.told = true
			h.log.Warn("in trouble", "component", label, "health", c.Health, "err", cmp.Or(c.Why, c.LastError))
		}
	}
	for label := range h.bad {
		if !here[label] { // it left the configuration
			delete(h.bad, label)
		}
	}
}

// inTrouble says whether somebody should know. A source that waits has nothing to read, or waits for its channels, which say why; a channel
// that is full waits for its sinks, and so do those.
func inTrouble(c api.Component) bool {
	switch flow.Health(c.Health) {
	case flow.Retrying, flow.Blocked, flow.Failed:
		return true
	case flow.Waiting:
		return c.Kind != schema.Source && c.Why != "" && c.Why != "full"
	}
	return false
}
