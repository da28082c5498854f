package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"collect/hclspec/schema"
	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

const (
	answerLimit = 30 * time.Second // for a process that was just started to answer
	endGrace    = 10 * time.Second // beyond an agent's own drain, before it is killed
	manyEnds    = 3                // an agent that ended so often while an answer is awaited gives none
)

// agentUnit makes the unit of an agent.
func (s *supervisor) agentUnit(id, address string) *unit {
	dir := s.layout.AgentDir(id)
	u := newUnit(id, address, dir, s.log)
	u.prepare = func() (process.Command, error) {
		if err := s.checked.Verify(s.binary); err != nil {
			return process.Command{}, err
		}
		env, err := agentEnv(dir)
		args := api.AgentArgs(s.layout, id)
		if u.empties() {
			args = api.EmptyingArgs(s.layout, id)
		}
		return process.Command{Path: s.binary, Args: args, Env: env, Log: filepath.Join(dir, "agent.log")}, err
	}
	return u
}

// drainLimit is how long the process of a unit may take to end.
func (s *supervisor) drainLimit(u *unit) time.Duration {
	set, _, _ := readSettings(u.dir) // without them the defaults hold
	return set.Drain + endGrace
}

var validID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`).MatchString

// start runs an agent, reloads it, or starts it again.
func (s *supervisor) start(ctx context.Context, r api.StartRequest) error {
	if !validID(r.Meta.ID) || r.Meta.ID == brokerID {
		return fmt.Errorf("%q cannot be the id of an agent", r.Meta.ID)
	}
	if r.Meta.Address == "" || r.Meta.Address != r.Spec.Address {
		return fmt.Errorf("the spec is for %q and not for %q", r.Spec.Address, r.Meta.Address)
	}
	u, err := s.unit(r.Meta.ID, func() *unit { return s.agentUnit(r.Meta.ID, r.Meta.Address) })
	if err != nil {
		return err
	}
	end, err := u.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := prepareDir(s.layout, r.Meta); err != nil {
		return err
	}
	p, err := u.settled(ctx)
	if err != nil {
		return err
	}
	switch {
	case p != nil && !r.Restart:
		return s.reload(ctx, u, r)
	case p != nil:
		if err := s.emptyLeaving(ctx, u, r); err != nil {
			return err
		}
		defer u.setWant(true) // whatever happens in between
		if _, err := s.halt(ctx, u, s.drainLimit(u)); err != nil {
			return err
		}
	default:
		if h, held, err := api.Probe(u.lock); err != nil || held {
			return errors.Join(err, heldByOther(u, h, held))
		}
	}
	if err := begins(u.dir, r.Spec, r.Secrets); err != nil {
		return err
	}
	if err := s.desire(u, api.Running); err != nil {
		return err
	}
	u.set(func() { u.quick = 0 }) // what it is now may run where the one before did not
	u.setWant(true)
	return nil
}

// emptyLeaving lets a running agent, before it starts again, become what it shall be as far as it can without that: so channels that leave
// drain through their old sinks.
func (s *supervisor) emptyLeaving(ctx context.Context, u *unit, r api.StartRequest) error {
	_, old, err := readSettings(u.dir)
	stays := func(c schema.ChannelSpec) bool {
		return slices.ContainsFunc(r.Spec.Channels, func(n schema.ChannelSpec) bool { return n.Name == c.Name && n.Type == c.Type })
	}
	if err != nil || !slices.ContainsFunc(old.Channels, func(c schema.ChannelSpec) bool { return !stays(c) }) {
		return nil // what cannot be read is about to be replaced
	}
	r.Spec.Settings = old.Settings
	return s.reload(ctx, u, r)
}

func heldByOther(u *unit, h api.Holder, held bool) error {
	if !held {
		return nil
	}
	return fmt.Errorf("%s runs already, outside of the supervisor: %w", u.address, &api.HeldError{Path: u.lock, Holder: h})
}

// reload makes a running agent another. Its files change when it has become so: after a crash in between it is the old one, and the
// next plan shows the difference.
func (s *supervisor) reload(ctx context.Context, u *unit, r api.StartRequest) error {
	old := schema.Secrets{}
	path := filepath.Join(u.dir, "secrets")
	if err := readJSON(path, &old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	c := api.Dial(s.layout.AgentSocket(u.id))
	if err := s.answers(ctx, u, c); err != nil {
		return err
	}
	err := c.Reload(ctx, api.ReloadRequest{Spec: r.Spec, Secrets: r.Secrets, Lose: r.Lose})
	if err != nil {
		// The agent may keep these files itself. The old generation goes on, so what it needs stays.
		return errors.Join(fmt.Errorf("reload %s: %w", u.address, err), writeSecrets(u.dir, old))
	}
	if err := writeSpec(u.dir, r.Spec, r.Secrets); err != nil {
		return err
	}
	return s.desire(u, api.Running)
}

// answers waits until the agent's process answers.
func (s *supervisor) answers(ctx context.Context, u *unit, c *api.Client) error {
	var last error
	before := u.status().Restarts
	err := until(ctx, answerLimit, func() (bool, error) {
		_, last = c.Spec(ctx)
		return last == nil || u.status().Restarts-before >= manyEnds, nil
	})
	if err == nil && last == nil {
		return nil
	}
	st := u.status()
	if st.PID == 0 {
		return fmt.Errorf("%s does not run: %s; %s", u.address, st.LastExit, tail(filepath.Join(u.dir, "agent.log")))
	}
	return fmt.Errorf("%s (process %d): %w", u.address, st.PID, last)
}

// stopAgent stops an agent, keeps it so, and removes it where the request says so.
func (s *supervisor) stopAgent(ctx context.Context, id string, r api.StopRequest) (api.StopReply, error) {
	u, err := s.unit(id, nil)
	if err != nil {
		return api.StopReply{}, err
	}
	if u == nil {
		return api.StopReply{Removed: r.Remove}, nil
	}
	end, err := u.begin(ctx)
	if err != nil {
		return api.StopReply{}, err
	}
	defer end()
	if r.Restart {
		return s.restart(ctx, u)
	}
	reply, err := s.drain(ctx, u, r)
	if err != nil {
		return reply, errors.Join(err, s.cannotDrain(u, r, err))
	}
	if err := s.desire(u, api.Stopped); err != nil {
		return reply, err
	}
	if !r.Remove {
		return reply, nil
	}
	if s.data != nil { // what lies on the disk counts, whatever was answered
		reply.Left = s.holds(u, "not delivered when the agent stopped")
	}
	if !within(reply.Left, r.Lose) {
		return reply, writeJSON(filepath.Join(u.dir, api.LeftFile), reply.Left)
	}
	if err := s.remove(u, r.Keep); err != nil {
		return reply, err
	}
	reply.Removed = true
	return reply, nil
}

func (s *supervisor) restart(ctx context.Context, u *unit) (api.StopReply, error) {
	if err := s.desire(u, api.Running); err != nil {
		return api.StopReply{}, err
	}
	defer u.setWant(true)
	killed, err := s.halt(ctx, u, s.drainLimit(u))
	return api.StopReply{Killed: killed}, err
}

// cannotDrain notes, for an agent that was to deliver everything and cannot even run, what its channels hold.
func (s *supervisor) cannotDrain(u *unit, r api.StopRequest, cause error) error {
	if !r.Empty || !r.Remove {
		return nil
	}
	left := s.holds(u, cause.Error())
	if len(left) == 0 {
		return nil
	}
	return writeJSON(filepath.Join(u.dir, api.LeftFile), left)
}

// holds lists what the channels of an agent hold that does not run. Where that cannot be read, nobody knows what each of them holds.
func (s *supervisor) holds(u *unit, why string) []api.Orphan {
	if s.data != nil {
		left, err := s.data.Stored(u.id)
		for i := range left {
			if left[i].Why == "" {
				left[i].Why = why
			}
		}
		if err == nil {
			return left
		}
		why = err.Error()
	}
	_, spec, _ := readSettings(u.dir) // channels of settings that cannot be read count too
	var left []api.Orphan
	for _, c := range spec.Channels {
		left = append(left, api.Orphan{Channel: c.Name, Events: api.UnknownEvents, Why: why})
	}
	return left
}

// within says that no channel holds more than may be lost of it.
func within(left []api.Orphan, lose map[string]int64) bool {
	return !slices.ContainsFunc(left, func(o api.Orphan) bool { return o.Events > lose[o.Channel] })
}

// discard removes an orphan of an agent: the agent does when it runs.
func (s *supervisor) discard(ctx context.Context, id string, r api.DiscardRequest) error {
	u, err := s.unit(id, nil)
	if u == nil || err != nil {
		return err
	}
	end, err := u.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p, err := u.settled(ctx)
	if err != nil {
		return err
	}
	switch {
	case p != nil:
		c := api.Dial(s.layout.AgentSocket(id))
		if err := s.answers(ctx, u, c); err != nil {
			return err
		}
		return c.Discard(ctx, r)
	case s.data != nil:
		return s.data.Discard(id, r)
	}
	return fmt.Errorf("%s does not run", u.address)
}

// drain ends the process of an agent. With Empty it must deliver what it holds first; one that does not run is started for that, without
// its sources: what they would bring is not part of what was asked for, nor of a loss that was confirmed.
func (s *supervisor) drain(ctx context.Context, u *unit, r api.StopRequest) (api.StopReply, error) {
	limit := time.Duration(r.Drain) + endGrace
	if r.Drain == 0 {
		limit = s.drainLimit(u)
	}
	c := api.Dial(s.layout.AgentSocket(u.id))
	if r.Empty {
		before := u.wanted()
		u.set(func() { u.emptying = true })
		defer u.set(func() { u.emptying = false })
		u.setWant(true)
		if err := s.answers(ctx, u, c); err != nil {
			if !within(s.holds(u, err.Error()), r.Lose) {
				u.setWant(before)
				return api.StopReply{}, fmt.Errorf("cannot be drained: %w", err)
			}
			r.Empty = false // it cannot deliver, and has nothing, or the user has confirmed the loss
		}
	}
	u.setWant(false)
	p, err := u.settled(ctx)
	if err != nil {
		return api.StopReply{}, err
	}
	if p == nil {
		h, held, err := api.Probe(u.lock)
		return api.StopReply{}, errors.Join(err, heldByOther(u, h, held))
	}
	if !r.Empty && r.Drain == 0 {
		killed, err := s.halt(ctx, u, limit)
		return api.StopReply{Killed: killed}, err
	}
	return s.drainOver(ctx, u, r, limit)
}

// drainOver drains over the control socket.
func (s *supervisor) drainOver(ctx context.Context, u *unit, r api.StopRequest, limit time.Duration) (api.StopReply, error) {
	c := api.Dial(s.layout.AgentSocket(u.id))
	waiting := s.waiting(ctx, c)
	asked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	reply, err := c.Drain(asked, api.StopRequest{Drain: r.Drain, Empty: r.Empty})
	if err != nil {
		reply = api.StopReply{Left: waiting} // it did not say; at most what it held before
		s.log.Warn("drain without an answer", "unit", u.address, "err", err)
	}
	killed, err := s.halt(ctx, u, endGrace)
	reply.Killed = killed
	return reply, err
}

// waiting lists what the channels of an agent hold.
func (s *supervisor) waiting(ctx context.Context, c *api.Client) []api.Orphan {
	a, err := c.Snapshot(ctx)
	if err != nil {
		return nil
	}
	var left []api.Orphan
	for _, m := range a.Components {
		if m.Kind == schema.Channel && m.BacklogEvents > 0 {
			left = append(left, api.Orphan{Channel: m.Name, Events: m.BacklogEvents, Bytes: m.BacklogBytes, Why: "the drain did not end"})
		}
	}
	return left
}
