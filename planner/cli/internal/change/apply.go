package change

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/planner/state"
)

func (c *command) applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "carry out what plan shows", ArgsUsage: "[PLANFILE]", Flags: c.applyFlags(),
		Action: func(ctx *cli.Context) error {
			if err := call.AtMost(ctx, 1); err != nil {
				return err
			}
			if file := ctx.Args().First(); file != "" {
				return c.applySaved(ctx, file)
			}
			return c.apply(ctx, ctx.Bool("destroy"))
		},
	}
}

func (c *command) destroyCommand() *cli.Command {
	return &cli.Command{
		Name: "destroy", Usage: "drain and remove what this configuration made; collected data stay", Flags: c.applyFlags(),
		Action: func(ctx *cli.Context) error {
			if err := call.NoArguments(ctx); err != nil {
				return err
			}
			return c.apply(ctx, true)
		},
	}
}

// mayAsk refuses, before anything is planned, what would need a question that nobody can answer.
func (c *command) mayAsk(ctx *cli.Context) error {
	switch {
	case ctx.Bool("auto-approve"):
		return nil
	case ctx.Bool("json"):
		return call.Refuse("Nobody can approve", "-json asks no question: add -auto-approve, or apply a saved plan.")
	case !ctx.Bool("input"), !c.IsTerminal(c.In):
		return call.Refuse("Nobody can approve", "There is no terminal to ask on: add -auto-approve, or apply a saved plan.")
	}
	return nil
}

func (c *command) apply(ctx *cli.Context, destroy bool) error {
	c.StartStream(ctx)
	if err := c.mayAsk(ctx); err != nil {
		return err
	}
	s, err := c.load()
	if err != nil {
		return err
	}
	if destroy && s.Fresh {
		s.nothingToDestroy()
		return nil
	}
	if err := s.Prepare(); err != nil {
		return err
	}
	what := "apply"
	if destroy {
		what = "destroy"
	}
	return s.underLock(ctx, what, func(store *state.Store) (*planner.Plan, []resource.Kind, error) {
		p, kinds, err := s.makePlan(ctx, store.State(), destroy)
		if err != nil {
			return nil, nil, err
		}
		p.Applying = true
		s.showPlan(p, what)
		return p, kinds, s.approve(ctx, p, what)
	})
}

func (s *session) nothingToDestroy() {
	p := &planner.Plan{Installation: s.Installation(), Destroy: true}
	s.showPlan(p, "destroy")
}

// errNothing ends an apply that has nothing to do.
var errNothing = errors.New("nothing to do")

// approve asks where something would change. It is an error when the answer is not yes.
func (s *session) approve(ctx *cli.Context, p *planner.Plan, what string) error {
	if p.Empty() {
		return errNothing
	}
	if _, err := losses(p, ctx.StringSlice("confirm-loss")); err != nil {
		return err
	}
	if ctx.Bool("auto-approve") || !p.Differs() {
		return nil
	}
	fmt.Fprintf(s.Out, "\nDo you want to %s this in installation %q? Only 'yes' is accepted: ", what, s.Config.Name)
	answer, err := s.ReadLine(ctx.Context)
	if err != nil {
		return err
	}
	if answer != "yes" {
		return call.Refuse("Not approved", "Nothing was changed.")
	}
	fmt.Fprintln(s.Out)
	return nil
}

// underLock plans and carries out under the exclusive lock, so that nothing changes in between.
func (s *session) underLock(ctx *cli.Context, what string, plan func(*state.Store) (*planner.Plan, []resource.Kind, error)) error {
	signals := s.Interrupts(ctx.Context)
	defer signals.Stop()
	defer call.OutliveReader()()
	planning, planned := signals.UntilFirst()
	defer planned()
	ctx.Context = planning
	if err := s.Lock(ctx.Context, true, ctx.Duration("lock-timeout"), what); err != nil {
		return err
	}
	remove := false
	defer func() { s.Unlock(remove) }()
	store, err := state.Open(s.Layout.Data)
	if err != nil {
		return call.Refuse("State cannot be read", "%s", words.Sentence(err.Error()))
	}
	defer func() {
		if err := store.Close(); err != nil {
			fmt.Fprintf(s.Err, "state: %v\n", err)
		}
	}()
	p, kinds, err := plan(store)
	if errors.Is(err, errNothing) {
		return errors.Join(upkeep(ctx.Context, p, kinds), s.unchanged(p))
	}
	if errors.Is(err, context.Canceled) && planning.Err() != nil {
		return call.Refuse("Interrupted", "Nothing was changed.")
	}
	if err != nil {
		return err
	}
	confirmed, err := losses(p, ctx.StringSlice("confirm-loss"))
	if err != nil {
		return err
	}
	a, err := s.carryOut(signals, p, store, kinds, planner.ApplyOptions{
		Parallelism: ctx.Int("parallelism"), Confirmed: confirmed, Program: s.Deps.Version, Interrupt: signals.First,
	})
	if err != nil {
		return err
	}
	remove = p.Destroy && a.OK() && len(store.State().Objects) == 0
	return s.conclude(p, a)
}

// carryOut applies, and gives up waiting a moment after the second interrupt.
func (s *session) carryOut(sig *call.Interrupts, p *planner.Plan, store *state.Store, kinds []resource.Kind, o planner.ApplyOptions) (*planner.Applied, error) {
	o.Events = s.showProgress(p)
	var a *planner.Applied
	err := call.Finish(sig, func() (err error) {
		a, err = planner.Apply(sig.Ctx, p, store, kinds, o)
		return err
	})
	if errors.Is(err, call.ErrEnded) {
		return nil, call.Refuse("Ended at once", "Running steps were not waited for. The next apply finds out what they did and goes on.")
	}
	return a, err
}

func (s *session) showProgress(p *planner.Plan) func(planner.Event) {
	if s.Stream != nil {
		return s.Stream.Progress(p)
	}
	return s.Out.Progress
}

// upkeep lets the kinds look after what runs although nothing changes: a supervisor that died is started again.
func upkeep(ctx context.Context, p *planner.Plan, kinds []resource.Kind) error {
	if p.Destroy {
		return nil
	}
	for _, k := range kinds {
		if f, ok := k.(resource.Finisher); ok {
			if err := f.Finish(ctx, false, resource.ApplyOptions{Report: func(string) {}, Warn: func(string) {}}); err != nil {
				return fmt.Errorf("look after %s: %w", k.Name(), err)
			}
		}
	}
	return nil
}

// unchanged ends an apply without steps.
func (s *session) unchanged(p *planner.Plan) error {
	if s.Stream != nil {
		s.Stream.Applied(p, &planner.Applied{})
		return nil
	}
	if !p.Destroy {
		s.showOutputs(p)
	}
	if len(p.Protected) > 0 {
		return call.Exit(1)
	}
	return nil
}

// conclude shows how it ended.
func (s *session) conclude(p *planner.Plan, a *planner.Applied) error {
	if s.Stream != nil {
		s.Stream.Applied(p, a)
	} else {
		s.Out.ApplyTable(a)
		if a.OK() && !p.Destroy {
			s.showOutputs(p)
			s.showTries(p)
		}
	}
	if !a.OK() || len(p.Protected) > 0 {
		return call.Exit(1)
	}
	return nil
}

func (s *session) showOutputs(p *planner.Plan) {
	var outs []planner.Output
	for _, o := range p.Outputs {
		if o.Action != resource.Delete {
			outs = append(outs, o)
		}
	}
	if len(outs) > 0 {
		s.Out.Outputs(outs)
	}
}

// showTries ends an apply with what one does next.
func (s *session) showTries(p *planner.Plan) {
	chdir := ""
	if s.Dir != "" {
		chdir = " -chdir=" + s.Dir
	}
	logs := ""
	for _, st := range p.Steps {
		if st.Kind == planner.KindAgent && st.Action != resource.Delete {
			logs = fmt.Sprintf("collect%s logs %s -f", chdir, words.ShellQuote(st.Address))
			break
		}
	}
	tries := []string{fmt.Sprintf("collect%s status", chdir), logs, fmt.Sprintf("collect%s plan", chdir), fmt.Sprintf("collect%s destroy", chdir)}
	tries = slices.DeleteFunc(tries, func(t string) bool { return t == "" })
	between := "     "
	if len("Try:  ")+len(strings.Join(tries, between)) > cmp.Or(s.Width(), 100) {
		between = "\n      "
	}
	fmt.Fprintf(s.Out, "\nTry:  %s\n", strings.Join(tries, between))
}
