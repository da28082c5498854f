package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

const (
	pollPause     = 50 * time.Millisecond
	progressEvery = time.Second
	endLimit      = 10 * time.Second // for a supervisor to end
	manyRestarts  = 3                // an agent that ended so often on its way to be ready is not waited for
)

// Apply carries out one change through the supervisor.
func (k *agentKind) Apply(ctx context.Context, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	id, _ := c.Detail[detailID].(string)
	if id == "" {
		id = api.AgentID(c.Address)
	}
	switch c.Action {
	case resource.Create, resource.Update, resource.Replace, resource.Start:
		if err := k.start(ctx, id, c, want, opt); err != nil {
			return nil, err
		}
	case resource.Delete:
		if channel, ok := c.Detail[detailOrphan].(string); ok {
			return nil, k.discard(ctx, id, channel, c, opt)
		}
		return nil, k.remove(ctx, id, c, opt)
	case resource.NoOp, resource.Adopt:
	default:
		return nil, fmt.Errorf("an agent cannot be changed by %q", c.Action)
	}
	return &resource.Known{Address: c.Address, Kind: k.Name(), Origin: resource.Created, Identity: map[string]string{"id": id}}, nil
}

// start makes an agent run as wanted, and waits until it is ready.
func (k *agentKind) start(ctx context.Context, id string, c *resource.Change, want *resource.Object, opt resource.ApplyOptions) error {
	after := c.After // the wanted spec, with what ignore_changes keeps
	if after == nil {
		after = want.Want
	}
	spec, err := specOf(after)
	if err != nil {
		return err
	}
	r := api.StartRequest{Meta: api.AgentMeta{Address: c.Address, ID: id}, Spec: *spec, Secrets: want.Secrets, Restart: c.Detail[detailRestart] == true, Lose: map[string]int64{}}
	for _, ch := range stringList(c.Detail[detailDropped]) {
		if n, ok := opt.Confirmed[channelAddress(c.Address, ch)]; ok {
			r.Lose[ch] = n
		}
	}
	opt.Report(doing(c, r.Restart))
	begin := time.Now()
	if err := k.request(ctx, func(s *api.Client) error { return s.Start(ctx, r) }); err != nil {
		return err
	}
	a, err := k.ready(ctx, id, spec)
	if err != nil {
		return err
	}
	if err := k.giveUp(ctx, id, r.Lose); err != nil {
		return err
	}
	opt.Report(fmt.Sprintf("ready (%s)", resource.Span(time.Since(begin))))
	k.warnSinks(ctx, id, a, opt)
	return nil
}

// doing says in a few words what is done.
func doing(c *resource.Change, restart bool) string {
	switch {
	case c.Action == resource.Create || c.Action == resource.Start:
		return "starting"
	case restart:
		return "draining, and starting again"
	}
	sum := stringList(c.Detail[detailSummary])
	if len(sum) > 4 {
		sum = append(slices.Clone(sum[:3]), fmt.Sprintf("%d more", len(sum)-3))
	}
	if len(sum) == 0 {
		return "reloading"
	}
	return "reloading: " + strings.Join(sum, ", ")
}

// stringList reads a list of strings, also one that came back from a saved plan.
func stringList(v any) []string {
	l, _ := v.([]any)
	out := make([]string, 0, len(l))
	for _, e := range l {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// request asks the supervisor, and asks the next one when this one is about to end.
func (h *host) request(ctx context.Context, ask func(*api.Client) error) error {
	for {
		c, err := h.supervisor(ctx)
		if err != nil {
			return err
		}
		if err = ask(c); !errors.Is(err, api.ErrEnding) {
			return err
		}
		if err := sleep(ctx, pollPause); err != nil {
			return err
		}
	}
}

// ready waits until the agent runs the spec and is ready.
func (k *agentKind) ready(ctx context.Context, id string, spec *schema.AgentSpec) (api.Agent, error) {
	c := api.Dial(k.Layout.AgentSocket(id))
	hash := spec.Hash()
	deadline := time.Now().Add(k.Ready)
	why, restarts := "it does not answer", -1
	for time.Now().Before(deadline) {
		a, err := c.Snapshot(ctx)
		if err == nil && a.Ready && a.ConfigHash == hash {
			return a, nil
		}
		switch {
		case ctx.Err() != nil:
			return a, ctx.Err()
		case err == nil && a.NotReady != "":
			why = a.NotReady
		case err == nil && a.ConfigHash != hash:
			why = "it runs another configuration"
		case err != nil:
			exit, n := k.lastExit(ctx, id)
			if restarts < 0 {
				restarts = n
			}
			if exit != "" {
				why = exit
			}
			if n-restarts >= manyRestarts {
				return a, fmt.Errorf("it ends as soon as it starts: %s", why)
			}
		}
		if err := sleep(ctx, pollPause); err != nil {
			return a, err
		}
	}
	return api.Agent{}, fmt.Errorf("not ready after %s: %s; it goes on trying", resource.Span(k.Ready), why)
}

// lastExit asks why an agent's process ended, and how often it was started again.
func (k *agentKind) lastExit(ctx context.Context, id string) (why string, restarts int) {
	r, err := api.Dial(k.Layout.SupervisorSocket()).Supervisor(ctx)
	if err != nil {
		return "", 0
	}
	for _, a := range r.Agents {
		if a.ID == id && a.LastExit != "" && a.PID == 0 {
			return a.LastExit + ": " + lastLine(filepath.Join(k.Layout.AgentDir(id), "agent.log")), a.Restarts
		} else if a.ID == id {
			restarts = a.Restarts
		}
	}
	return "", restarts
}

// lastLine gives the last line of a log.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "no log"
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "no log"
	}
	buf := make([]byte, 1024)
	n, _ := f.ReadAt(buf, max(0, info.Size()-int64(len(buf)))) // a part of it is enough
	lines := strings.Split(strings.TrimSpace(string(buf[:n])), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// warnSinks gives sinks that cannot connect some time, and then names them. They do not fail an apply: they try on.
func (k *agentKind) warnSinks(ctx context.Context, id string, a api.Agent, opt resource.ApplyOptions) {
	c := api.Dial(k.Layout.AgentSocket(id))
	begin, told := time.Now(), false
	for len(unwell(a)) > 0 && time.Since(begin) < k.Wait {
		if !told && time.Since(begin) >= progressEvery {
			told = true
			opt.Report("waiting for " + labelsOf(unwell(a)))
		}
		if sleep(ctx, pollPause) != nil {
			break
		}
		if now, err := c.Snapshot(ctx); err == nil {
			a = now
		}
	}
	if told && len(unwell(a)) == 0 {
		opt.Report(fmt.Sprintf("ready (%s)", resource.Span(time.Since(begin))))
	}
	for _, m := range unwell(a) {
		opt.Warn(fmt.Sprintf("%s.%s is %s: %s", m.Type, m.Name, m.Health, cmp.Or(m.LastError, m.Why)))
	}
}

func labelsOf(some []api.Component) string {
	var names []string
	for _, m := range some {
		names = append(names, m.Type+"."+m.Name)
	}
	return strings.Join(names, ", ")
}

func unwell(a api.Agent) []api.Component {
	var out []api.Component
	for _, m := range a.Components {
		if m.Kind == schema.Sink && (m.Health == "retrying" || m.Health == "blocked" || m.Health == "failed" || m.Health == "waiting" && m.Why+m.LastError != "") {
			out = append(out, m)
		}
	}
	return out
}

// remove drains an agent and removes it. Events that a durable channel still holds are lost only if that was confirmed.
func (k *agentKind) remove(ctx context.Context, id string, c *resource.Change, opt resource.ApplyOptions) error {
	r := api.StopRequest{
		Remove: true, Keep: !opt.ForgetPositions, Empty: c.Detail[detailRunning] == true || c.Detail[detailDurable] == true, Lose: map[string]int64{},
	}
	for address, n := range opt.Confirmed {
		if channel, ok := strings.CutPrefix(address, channelAddress(c.Address, "")); ok {
			r.Lose[channel] = n
		}
	}
	opt.Report("draining")
	begin := time.Now()
	watched, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); k.progress(watched, id, opt) }()
	var reply api.StopReply
	err := k.request(ctx, func(s *api.Client) (err error) { reply, err = s.Stop(ctx, id, r); return err })
	stop()
	<-done
	if err != nil {
		return err
	}
	if !reply.Removed {
		return notDrained(c.Address, reply.Left)
	}
	opt.Report(fmt.Sprintf("removed (%s)", resource.Span(time.Since(begin))))
	return nil
}

func notDrained(address string, left []api.Orphan) error {
	var flags, what []string
	for _, o := range left {
		if o.Events == 0 {
			continue
		}
		flags = append(flags, fmt.Sprintf("-confirm-loss=%s.channel.%s", address, o.Channel))
		what = append(what, events(o.Events)+" in channel."+o.Channel)
	}
	return fmt.Errorf("%s could not be delivered in time and stay on disk, and the agent is stopped: repair the destination and apply, so that they are delivered, raise the agent's drain, or give them up with %s",
		strings.Join(what, ", "), strings.Join(flags, " "))
}

// progress tells once a second how much is left in the channels of an agent that drains.
func (k *agentKind) progress(ctx context.Context, id string, opt resource.ApplyOptions) {
	c := api.Dial(k.Layout.AgentSocket(id))
	first, told := map[string]int64{}, map[string]int64{}
	for sleep(ctx, progressEvery) == nil {
		a, err := c.Snapshot(ctx)
		if err != nil {
			continue
		}
		for _, m := range a.Components {
			if m.Kind != schema.Channel || m.BacklogEvents == 0 || m.BacklogEvents == told[m.Name] {
				continue
			}
			told[m.Name] = m.BacklogEvents
			first[m.Name] = max(first[m.Name], m.BacklogEvents)
			opt.Report(fmt.Sprintf("draining channel.%s: %s of %s left", m.Name, resource.Number(m.BacklogEvents), resource.Number(first[m.Name])))
		}
	}
}

// Finish ends a supervisor that has nothing left to watch, with all that is its own; and makes sure that there is one where agents run.
func (k *agentKind) Finish(ctx context.Context, emptied bool, _ resource.ApplyOptions) error {
	seen, err := api.Survey(ctx, k.Layout)
	if err != nil {
		return err
	}
	if len(seen.Agents) > 0 || seen.Broker != nil {
		if seen.Supervisor == nil {
			_, err = k.supervisor(ctx)
		}
		return err
	}
	if seen.Supervisor == nil {
		if _, err := os.Stat(filepath.Join(k.Layout.Data, "bin")); err != nil || !emptied {
			return nil
		}
	}
	c, err := k.supervisor(ctx) // it alone cleans up: one that died left something
	if err != nil {
		return err
	}
	if err := c.Shutdown(ctx, api.Retire); err != nil && !errors.Is(err, api.ErrEnding) {
		return fmt.Errorf("end the supervisor: %w", err)
	}
	return k.ended(ctx)
}

// ended waits until the supervisor has gone.
func (k *agentKind) ended(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.end)
	defer cancel()
	for {
		h, held, err := api.Probe(filepath.Join(k.Layout.Data, "supervisor.lock"))
		if err != nil || !held {
			return err
		}
		if sleep(ctx, pollPause) != nil {
			return fmt.Errorf("the supervisor (process %d) does not end", h.PID)
		}
	}
}
