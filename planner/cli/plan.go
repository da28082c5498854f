package cli

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
	if err := noArguments(ctx); err != nil {
		return err
	}
	c.startStream(ctx)
	s, err := c.load()
	if err != nil {
		return err
	}
	out := ctx.String("out")
	if out != "" { // a plan file is authenticated with the installation's key
		if err := s.prepare(); err != nil {
			return err
		}
	}
	if err := s.locked(ctx.Context, false, ctx.Duration("lock-timeout"), "plan"); err != nil {
		return err
	}
	defer s.unlock(false)
	st, err := state.Load(s.layout.Data)
	if err != nil {
		return refuse("State cannot be read", "%s", sentence(err.Error()))
	}
	p, _, err := s.makePlan(ctx, st, ctx.Bool("destroy"))
	if err != nil {
		return err
	}
	if out != "" {
		if err := planner.WritePlan(out, p, s.key); err != nil {
			return refuse("Plan file cannot be written", "%s: %v.", out, cause(err))
		}
	}
	s.showPlan(p, "plan")
	s.savedHint(out)
	switch {
	case len(p.Protected) > 0:
		return exitError(1)
	case ctx.Bool("detailed-exitcode") && p.Differs():
		return exitError(2)
	}
	return nil
}

// makePlan asks reality and compares.
func (s *session) makePlan(ctx *cli.Context, st *state.State, destroy bool) (*planner.Plan, []resource.Kind, error) {
	kinds, err := s.kinds(s.cfg.Name, s.layout, ctx.Duration("wait"))
	if err != nil {
		return nil, nil, err
	}
	p, diags := planner.New(ctx.Context, s.cfg, st, kinds, planner.Options{
		Program: s.deps.Version, Installation: s.installation(), Destroy: destroy,
		Targets: ctx.StringSlice("target"), Excludes: ctx.StringSlice("exclude"), Replace: ctx.StringSlice("replace"),
		NoRefresh: !ctx.Bool("refresh"), ForgetPositions: ctx.Bool("forget-positions"), Confirmed: ctx.StringSlice("confirm-loss"), Now: s.now(),
	})
	if ctx.Context.Err() != nil {
		return nil, nil, context.Canceled
	}
	if diags.HasErrors() {
		return nil, nil, &diagError{diags: diags, files: s.cfg.Files}
	}
	s.diagnostics(diags, s.cfg.Files)
	if _, err := os.Stat(s.layout.AgentsDir()); errors.Is(err, fs.ErrNotExist) && st.Serial == 0 {
		p.Installation.Fresh = true // a saved plan made the directory, and nothing more happened
	}
	if st.Root != "" && st.Root != s.cfg.Root {
		p.Warnings = append(p.Warnings, fmt.Sprintf("last applied from %s%s", st.Root, commitClause(st.Commit)))
	}
	s.otherNames(p)
	return p, kinds, nil
}

// otherNames warns of the same configuration under an earlier name: its agents go on, and both would collect the same.
func (s *session) otherNames(p *planner.Plan) {
	if !p.Installation.Fresh || !s.byName {
		return
	}
	for _, name := range state.Beside(s.layout.Data, s.cfg.Root) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("installation %q was made from this directory, too, and still has agents: they would go on beside these. To rename it, destroy it under its own name first, with collect { name = %q }", name, name))
	}
}

// cause gives what the system said of a file, without the names of the calls.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

func commitClause(commit string) string {
	if commit == "" {
		return ""
	}
	return fmt.Sprintf(" (commit %.7s)", commit)
}

// showPlan shows a plan for people, or in the stream.
func (c *command) showPlan(p *planner.Plan, operation string) {
	if c.stream != nil {
		c.stream.plan(p, operation)
		return
	}
	c.out.Plan(p)
}

func (c *command) savedHint(out string) {
	if out == "" || c.stream != nil {
		return
	}
	name := out
	if abs, err := filepath.Abs(out); err == nil && c.dir != "" {
		name = abs
	}
	fmt.Fprintf(c.out, "\nSaved the plan to %s. To do exactly this:  collect apply %q\n", out, name)
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
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Events would be lost", Detail: sentence(one.Error())})
	}
	return nil, &diagError{diags: diags}
}
