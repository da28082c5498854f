package change

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/planner/state"
)

func (c *command) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "show what apply would change; changes nothing",
		Flags: append(c.planFlags(),
			&cli.StringFlag{Name: "out", Usage: "write the plan to `FILE`, for apply FILE"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 0: no changes, 1: error, 2: changes"}),
		Action: c.plan,
	}
}

func (c *command) plan(ctx *cli.Context) error {
	if err := call.NoArguments(ctx); err != nil {
		return err
	}
	c.StartStream(ctx)
	s, err := c.load()
	if err != nil {
		return err
	}
	out := ctx.String("out")
	if out != "" { // a plan file is authenticated with the installation's key
		if err := s.Prepare(); err != nil {
			return err
		}
	}
	if err := s.Lock(ctx.Context, false, ctx.Duration("lock-timeout"), "plan"); err != nil {
		return err
	}
	defer s.Unlock(false)
	st, err := state.Load(s.Layout.Data)
	if err != nil {
		return call.Refuse("State cannot be read", "%s", words.Sentence(err.Error()))
	}
	p, _, err := s.makePlan(ctx, st, ctx.Bool("destroy"))
	if err != nil {
		return err
	}
	if out != "" {
		if err := planner.WritePlan(out, p, s.Key); err != nil {
			return call.Refuse("Plan file cannot be written", "%s: %v.", out, call.Cause(err))
		}
	}
	s.showPlan(p, "plan")
	s.savedHint(out)
	switch {
	case len(p.Protected) > 0:
		return call.Exit(1)
	case ctx.Bool("detailed-exitcode") && p.Differs():
		return call.Exit(2)
	}
	return nil
}

// makePlan asks reality and compares.
func (s *session) makePlan(ctx *cli.Context, st *state.State, destroy bool) (*planner.Plan, []resource.Kind, error) {
	kinds, err := s.Kinds(s.Config.Name, s.Layout, ctx.Duration("wait"))
	if err != nil {
		return nil, nil, err
	}
	p, diags := planner.New(ctx.Context, s.Config, st, kinds, planner.Options{
		Program: s.Deps.Version, Installation: s.Installation(), Destroy: destroy,
		Targets: ctx.StringSlice("target"), Excludes: ctx.StringSlice("exclude"), Replace: ctx.StringSlice("replace"),
		NoRefresh: !ctx.Bool("refresh"), ForgetPositions: ctx.Bool("forget-positions"), Confirmed: ctx.StringSlice("confirm-loss"), Now: s.Now(),
	})
	if ctx.Context.Err() != nil {
		return nil, nil, context.Canceled
	}
	if diags.HasErrors() {
		return nil, nil, &call.DiagnosticsError{Diagnostics: diags, Files: s.Config.Files}
	}
	s.Diagnostics(diags, s.Config.Files)
	if _, err := os.Stat(s.Layout.AgentsDir()); errors.Is(err, fs.ErrNotExist) && st.Serial == 0 {
		p.Installation.Fresh = true // a saved plan made the directory, and nothing more happened
	}
	if st.Root != "" && st.Root != s.Config.Root {
		p.Warnings = append(p.Warnings, fmt.Sprintf("last applied from %s%s", st.Root, words.CommitClause(st.Commit)))
	}
	s.otherNames(p)
	return p, kinds, nil
}

// otherNames warns of the same configuration under an earlier name: its agents go on, and both would collect the same.
func (s *session) otherNames(p *planner.Plan) {
	if !p.Installation.Fresh || !s.ByName {
		return
	}
	for _, name := range state.Beside(s.Layout.Data, s.Config.Root) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("installation %q was made from this directory, too, and still has agents: they would go on beside these. To rename it, destroy it under its own name first, with collect { name = %q }", name, name))
	}
}

// showPlan shows a plan for people, or in the stream.
func (s *session) showPlan(p *planner.Plan, operation string) {
	if s.Stream != nil {
		s.Stream.Plan(p, operation)
		return
	}
	s.Out.Plan(p)
}

func (s *session) savedHint(out string) {
	if out == "" || s.Stream != nil {
		return
	}
	name := out
	if abs, err := filepath.Abs(out); err == nil && s.Dir != "" {
		name = abs
	}
	fmt.Fprintf(s.Out, "\nSaved the plan to %s. To do exactly this:  collect apply %q\n", out, name)
}

// losses refuses a plan that would lose events without the user's word.
func losses(p *planner.Plan, said []string) (map[string]int64, error) {
	confirmed, open := p.Confirm(said)
	if len(open) == 0 {
		return confirmed, nil
	}
	var diags hcl.Diagnostics
	for _, l := range open {
		one := &planner.UnconfirmedError{Losses: []resource.Loss{l}}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Events would be lost", Detail: words.Sentence(one.Error())})
	}
	return nil, &call.DiagnosticsError{Diagnostics: diags}
}
