package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"collect/hclspec/schema"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/orphan"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor/api"
)

// Data reads what agents hold on disk that do not run. An agent that runs answers for itself.
type Data struct {
	Layout   api.Layout
	Registry *registry.Registry
}

// surveyWidth is how many agents' data are read at the same time.
const surveyWidth = 8

// Survey is api.Survey, and tells besides what the channels of agents hold that do not run: the declared ones as components, those that left
// the configuration as orphans.
func (d Data) Survey(ctx context.Context) (api.Installation, error) {
	seen, err := api.Survey(ctx, d.Layout)
	if err != nil {
		return seen, err
	}
	errs := make([]error, len(seen.Agents))
	room := make(chan struct{}, surveyWidth)
	var wg sync.WaitGroup
	for i := range seen.Agents {
		if a := &seen.Agents[i]; a.State == api.Stopped || a.State == api.Crashed {
			wg.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				errs[i] = d.fill(a)
			})
		}
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			seen.Unreachable = append(seen.Unreachable, fmt.Sprintf("%s: %v", seen.Agents[i].Address, err))
		}
	}
	return seen, nil
}

// Stored tells what the channels of an agent hold on disk, declared or not.
func (d Data) Stored(id string) ([]api.Orphan, error) {
	return orphan.Stored(d.Registry, host.FS(), d.dir(id), nil)
}

// Discard removes an orphan of an agent that does not run.
func (d Data) Discard(id string, r api.DiscardRequest) (err error) {
	lock, err := api.TakeLock(filepath.Join(d.Layout.AgentDir(id), "lock"), "", "discard")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	spec, err := d.spec(id)
	if err != nil {
		return err
	}
	if d.owns(spec, r.Channel) != nil {
		return fmt.Errorf("channel %s is declared", r.Channel)
	}
	return orphan.Discard(d.Registry, host.FS(), d.dir(id), orphan.Loss{Channel: r.Channel, Events: r.Events})
}

func (d Data) dir(id string) string { return filepath.Join(d.Layout.AgentDir(id), "data") }

func (d Data) spec(id string) (*schema.AgentSpec, error) {
	var s schema.AgentSpec
	_, err := api.ReadFile(filepath.Join(d.Layout.AgentDir(id), "spec.json"), &s)
	return &s, err
}

// owns gives the durable channel of a spec whose data lie under a name.
func (d Data) owns(s *schema.AgentSpec, channel string) *schema.ChannelSpec {
	for i := range s.Channels {
		c := &s.Channels[i]
		if t, ok := d.Registry.Lookup(schema.Channel, c.Type); ok && c.Name == channel && t.About.Durable {
			return c
		}
	}
	return nil
}

// fill adds what the channels of an agent hold that does not run. What an attempt to drain it left is told with today's figures.
func (d Data) fill(a *api.Agent) error {
	spec, err := d.spec(a.ID)
	if err != nil {
		return err
	}
	stored, err := d.Stored(a.ID)
	if err != nil {
		return err
	}
	by := map[string]api.Orphan{}
	for _, o := range stored {
		by[o.Channel] = o
	}
	left := a.Orphans
	a.Orphans = nil
	for _, o := range left {
		now, ok := by[o.Channel]
		if ok && d.owns(spec, o.Channel) != nil {
			o.Events, o.Bytes = now.Events, now.Bytes
			a.Orphans = append(a.Orphans, o)
		}
	}
	for _, o := range stored {
		if c := d.owns(spec, o.Channel); c != nil {
			a.Components = append(a.Components, api.Component{
				Kind: schema.Channel, Type: c.Type, Name: c.Name, Place: c.At.String(),
				BacklogEvents: o.Events, BacklogBytes: o.Bytes, LastError: o.Why,
			})
			continue
		}
		if o.Why == "" {
			o.Why = orphan.Why
		}
		a.Orphans = append(a.Orphans, o)
	}
	slices.SortFunc(a.Orphans, func(a, b api.Orphan) int { return strings.Compare(a.Channel, b.Channel) })
	return nil
}
