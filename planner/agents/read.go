package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// readWidth is how many agents are asked for their specs at the same time.
const readWidth = 16

// startingLimit is how long a read waits for an agent that is just starting.
const startingLimit = 5 * time.Second

// agentKind manages agents.
type agentKind struct {
	*host
	left []source      // of the agents that the last read found and nobody wants
	end  time.Duration // how long a supervisor may take to end
}

var (
	_ resource.Kind     = (*agentKind)(nil)
	_ resource.Finisher = (*agentKind)(nil)
)

// Name is the first part of the addresses.
func (k *agentKind) Name() string { return "agent" }

// Read finds all agents of the installation, wanted or not, by their directories and locks. A running agent tells itself what it
// runs; of one that does not run the stored spec counts.
// What agents hold in channels that left the configuration are objects of their own.
func (k *agentKind) Read(ctx context.Context, want []*resource.Object, _ []*resource.Known) ([]*resource.Live, error) {
	seen, err := k.Survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range seen.Unreachable {
		if strings.HasPrefix(u, "agent") { // that of a supervisor or broker that does not answer is no agent's
			return nil, fmt.Errorf("read %s", u)
		}
	}
	lives := make([]*resource.Live, len(seen.Agents))
	errs := make([]error, len(seen.Agents))
	room := make(chan struct{}, readWidth)
	var wg sync.WaitGroup
	for i := range seen.Agents {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			lives[i], errs[i] = k.readOne(ctx, seen.Agents[i], seen.Supervisor != nil)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if k.left, err = k.leaving(lives, want); err != nil {
		return nil, err
	}
	orphans, err := k.orphans(lives, want)
	return append(lives, orphans...), err
}

func (k *agentKind) readOne(ctx context.Context, a api.Agent, supervised bool) (*resource.Live, error) {
	l := &resource.Live{
		Address: a.Address, Identity: map[string]string{"id": a.ID},
		Figures: map[string]any{"agent": a, "supervised": supervised},
	}
	spec, why, err := k.spec(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.Address, err)
	}
	if why != "" {
		l.Unread, l.Basis = why, "unread:"+a.ID
		return l, nil
	}
	if spec != nil {
		l.Basis = spec.Hash() + ":" + a.ID
		l.Have, err = tree(spec)
		return l, err
	}
	l.Basis = "none:" + a.ID // it was being made when something ended: there is no spec yet
	l.Have = map[string]any{"address": a.Address}
	return l, nil
}

// spec gives what an agent runs, or would run; why says that it cannot be asked.
func (k *agentKind) spec(ctx context.Context, a api.Agent) (spec *schema.AgentSpec, why string, err error) {
	if a.State == api.Stopped || a.State == api.Crashed {
		spec, err = storedSpec(k.Layout, a.ID)
		return spec, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, startingLimit)
	defer cancel()
	c := api.Dial(k.Layout.AgentSocket(a.ID))
	for {
		r, err := c.Spec(ctx)
		if err == nil {
			return &r.Spec, "", nil
		}
		if a.State != api.Starting || sleep(ctx, 50*time.Millisecond) != nil {
			return nil, fmt.Sprintf("process %d holds its lock and does not answer", a.PID), nil
		}
		if _, held, err := api.Probe(filepath.Join(k.Layout.AgentDir(a.ID), "lock")); err == nil && !held {
			spec, err = storedSpec(k.Layout, a.ID)
			return spec, "", err
		}
	}
}

func storedSpec(l api.Layout, id string) (*schema.AgentSpec, error) {
	var s schema.AgentSpec
	ok, err := api.ReadFile(filepath.Join(l.AgentDir(id), "spec.json"), &s)
	if err != nil || !ok {
		return nil, err
	}
	return &s, nil
}

// tree gives the JSON form of a spec.
func tree(s *schema.AgentSpec) (map[string]any, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var t map[string]any
	return t, json.Unmarshal(raw, &t)
}

// specOf reads a spec from its JSON form.
func specOf(t map[string]any) (*schema.AgentSpec, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var s schema.AgentSpec
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("spec of an agent: %w", err)
	}
	return &s, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
