package change

import (
	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/planner/state"
)

// applySaved carries out a plan file.
func (c *command) applySaved(ctx *cli.Context, name string) error {
	c.StartStream(ctx)
	for _, f := range []string{"destroy", "target", "exclude", "replace", "forget-positions", "var", "var-file"} {
		if ctx.IsSet(f) {
			return call.Refuse("Option does not fit", "-%s belongs to plan: a saved plan is applied as it is.", f)
		}
	}
	file, err := planner.ReadPlan(name)
	if err != nil {
		return call.Refuse("Plan cannot be applied", "%s", words.Sentence(err.Error()))
	}
	s, err := c.sessionOf(file)
	if err != nil {
		return err
	}
	p, err := file.Open(s.Installation(), s.Key)
	if err != nil {
		return call.Refuse("Plan cannot be applied", "%s", words.Sentence(err.Error()))
	}
	if err := state.Prepare(s.Layout.Data, s.Own, s.Now()); err != nil {
		return call.Refuse("Data directory cannot be used", "%s", words.Sentence(err.Error()))
	}
	return s.underLock(ctx, "apply "+name, func(store *state.Store) (*planner.Plan, []resource.Kind, error) {
		kinds, err := s.Kinds(s.Config.Name, s.Layout, ctx.Duration("wait"))
		if err != nil {
			return nil, nil, err
		}
		if err := planner.CheckBasis(ctx.Context, p, store.State(), kinds); err != nil {
			return nil, nil, call.Refuse("Plan cannot be applied", "%s", words.Sentence(err.Error()))
		}
		if p.Empty() {
			s.showPlan(p, "apply")
			return p, kinds, errNothing
		}
		if s.Stream != nil {
			s.Stream.Plan(p, "apply")
		}
		return p, kinds, nil
	})
}
