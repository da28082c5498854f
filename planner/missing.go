package planner

import (
	"context"
	"fmt"

	"collect/hclspec"
	"collect/planner/resource"
	"collect/planner/state"
)

// CreateMissing creates the topics of a configuration that do not exist, remembers them, and changes nothing else: what run
// needs. It tells about topics that differ.
func CreateMissing(ctx context.Context, cfg *hclspec.Config, store *state.Store, topics resource.Kind, tell func(address, line string)) error {
	want, err := Topics(cfg)
	if err != nil || len(want) == 0 {
		return err
	}
	var known []*resource.Known
	for _, o := range want {
		if k := store.State().Known(o.Address); k != nil {
			known = append(known, k)
		}
	}
	lives, err := topics.Read(ctx, want, known)
	if err != nil {
		return fmt.Errorf("read topics: %w", err)
	}
	live := map[string]*resource.Live{}
	for _, l := range lives {
		live[l.Address] = l
	}
	for _, o := range want {
		c, err := topics.Diff(ctx, o, live[o.Address], store.State().Known(o.Address), resource.DiffOptions{})
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", o.Address, err)
		case c == nil || c.Action == resource.NoOp || c.Action == resource.Adopt:
		case c.Action == resource.Create:
			c.Address, c.Kind = o.Address, KindTopic
			if err := create(ctx, store, topics, c, o, tell); err != nil {
				return fmt.Errorf("%s: %w", o.Address, err)
			}
		default:
			tell(o.Address, "differs from the configuration and is used as it is; apply changes it")
		}
	}
	return nil
}

func create(ctx context.Context, store *state.Store, topics resource.Kind, c *resource.Change, o *resource.Object, tell func(address, line string)) error {
	if err := store.Intent(o.Address, KindTopic, resource.Create, o.PreventDestroy, o.DependsOn); err != nil {
		return err
	}
	say := func(line string) { tell(o.Address, line) }
	known, err := topics.Apply(ctx, c, o, resource.ApplyOptions{Report: say, Warn: say})
	if err != nil {
		return err
	}
	if known == nil {
		return store.Remove(o.Address)
	}
	k := *known
	k.Address, k.Kind, k.Protect = o.Address, KindTopic, o.PreventDestroy
	return store.Put(k, o.DependsOn)
}
