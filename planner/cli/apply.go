package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner"
	"collect/planner/resource"
	"collect/planner/state"
	"collect/runtime/supervisor/api"
)

func (c *command) applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "carry out what plan shows", ArgsUsage: "[PLANFILE]", Flags: c.applyFlags(),
		Action: func(ctx *cli.Context) error {
			if err := atMost(ctx, 1); err != nil {
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
			if err := noArguments(ctx); err != nil {
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
		return refuse("Nobody can approve", "-json asks no question: add -auto-approve, or apply a saved plan.")
	case !ctx.Bool("input"), !c.isTerminal(c.in):
		return refuse("Nobody can approve", "There is no terminal to ask on: add -auto-approve, or apply a saved plan.")
	}
	return nil
}

func (c *command) apply(ctx *cli.Context, destroy bool) error {
	c.startStream(ctx)
	if err := c.mayAsk(ctx); err != nil {
		return err
	}
	s, err := c.load()
	if err != nil {
		return err
	}
	if destroy && s.fresh {
		s.nothingToDestroy()
		return nil
	}
	if err := s.prepare(); err != nil {
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
	p := &planner.Plan{Installation: s.installation(), Destroy: true}
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
	fmt.Fprintf(s.out, "\nDo you want to %s this in installation %q? Only 'yes' is accepted: ", what, s.cfg.Name)
	answer, err := readLine(ctx.Context, s.command)
	if err != nil {
		return err
	}
	if answer != "yes" {
		return refuse("Not approved", "Nothing was changed.")
	}
	fmt.Fprintln(s.out)
	return nil
}

// readLine reads an answer; an interrupt does not wait for it.
func readLine(ctx context.Context, c *command) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	flushScreen(c.out)
	go func() { // ends with the process when nobody answers: a read of a terminal cannot be ended
		line, err := bufio.NewReader(c.in).ReadString('\n')
		answers <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && a.line == "" {
			return "", refuse("Not approved", "There was no answer. Nothing was changed.")
		}
		return a.line, nil
	case <-ctx.Done():
		return "", context.Canceled
	}
}

func flushScreen(s Screen) {
	if f, ok := s.(interface{ Flush() error }); ok {
		_ = f.Flush() // a closed pipe: nobody reads
	}
}

// underLock plans and carries out under the exclusive lock, so that nothing changes in between.
func (s *session) underLock(ctx *cli.Context, what string, plan func(*state.Store) (*planner.Plan, []resource.Kind, error)) error {
	signals := s.interrupts(ctx.Context)
	defer signals.stop()
	defer outliveReader()()
	planning, planned := signals.untilFirst()
	defer planned()
	ctx.Context = planning
	if err := s.locked(ctx.Context, true, ctx.Duration("lock-timeout"), what); err != nil {
		return err
	}
	remove := false
	defer func() { s.unlock(remove) }()
	store, err := state.Open(s.layout.Data)
	if err != nil {
		return refuse("State cannot be read", "%s", sentence(err.Error()))
	}
	defer func() {
		if err := store.Close(); err != nil {
			fmt.Fprintf(s.err, "state: %v\n", err)
		}
	}()
	p, kinds, err := plan(store)
	if errors.Is(err, errNothing) {
		return errors.Join(upkeep(ctx.Context, p, kinds), s.unchanged(p))
	}
	if errors.Is(err, context.Canceled) && planning.Err() != nil {
		return refuse("Interrupted", "Nothing was changed.")
	}
	if err != nil {
		return err
	}
	confirmed, err := losses(p, ctx.StringSlice("confirm-loss"))
	if err != nil {
		return err
	}
	a, err := s.carryOut(signals, p, store, kinds, planner.ApplyOptions{
		Parallelism: ctx.Int("parallelism"), Confirmed: confirmed, Program: s.deps.Version, Interrupt: signals.first,
	})
	if err != nil {
		return err
	}
	remove = p.Destroy && a.OK() && len(store.State().Objects) == 0
	return s.conclude(p, a)
}

// carryOut applies, and gives up waiting a moment after the second interrupt.
func (s *session) carryOut(sig *interrupts, p *planner.Plan, store *state.Store, kinds []resource.Kind, o planner.ApplyOptions) (*planner.Applied, error) {
	o.Events = s.showProgress(p)
	var a *planner.Applied
	err := finish(sig, func() (err error) {
		a, err = planner.Apply(sig.ctx, p, store, kinds, o)
		return err
	})
	if errors.Is(err, errEnded) {
		return nil, refuse("Ended at once", "Running steps were not waited for. The next apply finds out what they did and goes on.")
	}
	return a, err
}

func (s *session) showProgress(p *planner.Plan) func(planner.Event) {
	if s.stream != nil {
		return s.stream.progress(p)
	}
	return s.out.Progress
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
	if s.stream != nil {
		s.stream.applied(p, &planner.Applied{})
		return nil
	}
	if !p.Destroy {
		s.showOutputs(p)
	}
	if len(p.Protected) > 0 {
		return exitError(1)
	}
	return nil
}

// conclude shows how it ended.
func (s *session) conclude(p *planner.Plan, a *planner.Applied) error {
	if s.stream != nil {
		s.stream.applied(p, a)
	} else {
		s.out.ApplyTable(a)
		if a.OK() && !p.Destroy {
			s.showOutputs(p)
			s.showTries(p)
		}
	}
	if !a.OK() || len(p.Protected) > 0 {
		return exitError(1)
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
		s.out.Outputs(outs)
	}
}

// showTries ends an apply with what one does next.
func (s *session) showTries(p *planner.Plan) {
	chdir := ""
	if s.dir != "" {
		chdir = " -chdir=" + s.dir
	}
	logs := ""
	for _, st := range p.Steps {
		if st.Kind == planner.KindAgent && st.Action != resource.Delete {
			logs = fmt.Sprintf("collect%s logs %s -f", chdir, shellQuote(st.Address))
			break
		}
	}
	tries := []string{fmt.Sprintf("collect%s status", chdir), logs, fmt.Sprintf("collect%s plan", chdir), fmt.Sprintf("collect%s destroy", chdir)}
	tries = slices.DeleteFunc(tries, func(t string) bool { return t == "" })
	between := "     "
	if len("Try:  ")+len(strings.Join(tries, between)) > cmp.Or(s.lookOf(s.stdout).width, 100) {
		between = "\n      "
	}
	fmt.Fprintf(s.out, "\nTry:  %s\n", strings.Join(tries, between))
}

func shellQuote(a string) string {
	if strings.ContainsAny(a, `"[]$ '`) {
		return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return a
}

// applySaved carries out a plan file.
func (c *command) applySaved(ctx *cli.Context, name string) error {
	c.startStream(ctx)
	for _, f := range []string{"destroy", "target", "exclude", "replace", "forget-positions", "var", "var-file"} {
		if ctx.IsSet(f) {
			return refuse("Option does not fit", "-%s belongs to plan: a saved plan is applied as it is.", f)
		}
	}
	file, err := planner.ReadPlan(name)
	if err != nil {
		return refuse("Plan cannot be applied", "%s", sentence(err.Error()))
	}
	s, err := c.sessionOf(file)
	if err != nil {
		return err
	}
	p, err := file.Open(s.installation(), s.key)
	if err != nil {
		return refuse("Plan cannot be applied", "%s", sentence(err.Error()))
	}
	if err := state.Prepare(s.layout.Data, s.own, s.now()); err != nil {
		return refuse("Data directory cannot be used", "%s", sentence(err.Error()))
	}
	return s.underLock(ctx, "apply "+name, func(store *state.Store) (*planner.Plan, []resource.Kind, error) {
		kinds, err := s.kinds(s.cfg.Name, s.layout, ctx.Duration("wait"))
		if err != nil {
			return nil, nil, err
		}
		if err := planner.CheckBasis(ctx.Context, p, store.State(), kinds); err != nil {
			return nil, nil, refuse("Plan cannot be applied", "%s", sentence(err.Error()))
		}
		if p.Empty() {
			s.showPlan(p, "apply")
			return p, kinds, errNothing
		}
		if s.stream != nil {
			s.stream.plan(p, "apply")
		}
		return p, kinds, nil
	})
}

// sessionOf makes the session of a saved plan. The plan holds its own copy of the configuration; the files here only say
// which installation this is, where there are any.
func (c *command) sessionOf(file *planner.PlanFile) (*session, error) {
	s := &session{command: c}
	was := file.Plan.Installation
	here := planner.Installation{Name: was.Name, NameDeclared: was.NameDeclared, Root: was.Root, DataDir: was.DataDir, Machine: state.Machine()}
	if p, err := c.find(); err == nil {
		here.DataDir = p.layout.Data
		if p.own != "" {
			here.Name = p.own
		}
	} else if dir := c.getenv("COLLECT_DATA_DIR"); dir != "" {
		return nil, err
	}
	if err := file.Fits(here); err != nil {
		return nil, refuse("Plan cannot be applied", "%s", sentence(err.Error()))
	}
	s.cfg = &hclspec.Config{Name: here.Name, NameDeclared: here.NameDeclared, Root: here.Root, DataDir: here.DataDir}
	s.layout = api.NewLayout(here.DataDir, c.getenv("XDG_RUNTIME_DIR"))
	s.own = state.Myself(here.Name, here.NameDeclared, here.Root)
	if err := s.check(); err != nil {
		return nil, err
	}
	key, err := state.LoadKey(here.DataDir)
	if errors.Is(err, fs.ErrNotExist) { // then no plan was ever made here: it is shown as another installation's, or damaged
		key, err = state.TemporaryKey()
	}
	s.key = key
	return s, err
}
