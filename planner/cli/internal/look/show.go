package look

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/tfjson"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/planner/state"
)

func (c *command) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show a saved plan, or what is remembered of this installation", ArgsUsage: "[PLANFILE]",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "machine-readable output"}, call.NoColorFlag()},
		Action: func(ctx *cli.Context) error {
			if err := call.AtMost(ctx, 1); err != nil {
				return err
			}
			if name := ctx.Args().First(); name != "" {
				return c.showSaved(name, ctx.Bool("json"))
			}
			return c.showState(ctx.Bool("json"))
		},
	}
}

// showSaved shows a plan file. Where its installation is here it is authenticated; elsewhere it is shown with a word about that.
func (c *command) showSaved(name string, asJSON bool) error {
	file, err := planner.ReadPlan(name)
	if err != nil {
		return call.Refuse("Plan cannot be shown", "%s", words.Sentence(err.Error()))
	}
	was := file.Plan.Installation
	if key, err := state.LoadKey(was.DataDir); err == nil && state.Machine() == was.Machine {
		if _, err := file.Open(was, key); err != nil {
			return call.Refuse("Plan cannot be shown", "%s", words.Sentence(err.Error()))
		}
	} else {
		fmt.Fprintf(c.Err, "Made for %q in %s, which is not here: nobody can say whether the file is as it was written.\n", was.Name, was.DataDir)
	}
	if asJSON {
		return c.PrintJSON(tfjson.Plan(file.Plan))
	}
	c.Out.Plan(file.Plan)
	return nil
}

// remembered reads the state of the installation here.
func (c *command) remembered() (*call.Place, *state.State, error) {
	p, err := c.Find()
	if err != nil {
		return nil, nil, err
	}
	st, err := state.Load(p.Layout.Data)
	if err != nil {
		return nil, nil, call.Refuse("State cannot be read", "%s", words.Sentence(err.Error()))
	}
	return p, st, nil
}

func (c *command) showState(asJSON bool) error {
	p, st, err := c.remembered()
	if err != nil {
		return err
	}
	if asJSON {
		return c.PrintJSON(tfjson.State(st))
	}
	if st.Serial == 0 {
		fmt.Fprintf(c.Out, "Nothing was applied yet in installation %q.\n", p.Name)
		return nil
	}
	fmt.Fprintf(c.Out, "%s · revision %d%s · data in %s\n", p.Name, st.Revision, words.CommitClause(st.Commit), p.Layout.Data)
	for _, o := range st.Objects {
		fmt.Fprintf(c.Out, "\n%s\n", o.Address)
		c.showObject(o)
	}
	if outs := outputsOf(st); len(outs) > 0 {
		c.Out.Outputs(outs)
	}
	return nil
}

func (c *command) showObject(o state.Object) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(c.Out, "  %-12s %s\n", name, value)
		}
	}
	line("origin", string(o.Origin))
	line("revision", fmt.Sprint(o.Revision))
	line("begun", string(o.Intent))
	if o.Protect {
		line("protected", "prevent_destroy")
	}
	for _, k := range words.Sorted(o.Identity) {
		line(k, o.Identity[k])
	}
	line("refers to", strings.Join(o.DependsOn, ", "))
}

func outputsOf(st *state.State) []planner.Output {
	var out []planner.Output
	for _, o := range st.Outputs {
		out = append(out, planner.Output{Name: o.Name, Value: o.Value, Type: o.Type, Sensitive: o.Sensitive, Description: o.Description, Action: resource.NoOp})
	}
	return out
}

func (c *command) stateCommand() *cli.Command {
	return &cli.Command{
		Name: "state", Usage: "what is remembered of this installation",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "addresses of all objects that run or are remembered", ArgsUsage: "[ADDRESS]...", Flags: []cli.Flag{call.NoColorFlag()},
				Action: c.stateList,
			},
			{
				Name: "show", Usage: "one object", ArgsUsage: "ADDRESS", Flags: []cli.Flag{call.NoColorFlag()},
				Action: c.stateShow,
			},
		},
	}
}

// stateList lists what is remembered and what runs: with a lost state file the agents are still there.
func (c *command) stateList(ctx *cli.Context) error {
	p, st, err := c.remembered()
	if err != nil {
		return err
	}
	all := map[string]bool{}
	for _, o := range st.Objects {
		all[o.Address] = true
	}
	seen, err := c.Survey(ctx.Context, p.Layout)
	if err != nil {
		return err
	}
	for _, a := range seen.Agents {
		all[a.Address] = true
	}
	if seen.Broker != nil {
		all[planner.BrokerAddress] = true
	}
	for _, a := range words.Sorted(all) {
		if args := ctx.Args().Slice(); len(args) == 0 || words.CoveredBy(args, a) {
			fmt.Fprintln(c.Out, a)
		}
	}
	return nil
}

func (c *command) stateShow(ctx *cli.Context) error {
	if ctx.NArg() != 1 {
		return call.Refuse("Which object?", "Give one address; \"collect state list\" lists them.")
	}
	_, st, err := c.remembered()
	if err != nil {
		return err
	}
	for _, o := range st.Objects {
		if o.Address == ctx.Args().First() {
			fmt.Fprintln(c.Out, o.Address)
			c.showObject(o)
			return nil
		}
	}
	hint := ""
	if near := words.Nearest(ctx.Args().First(), st.Addresses()); near != "" {
		hint = fmt.Sprintf(" Did you mean %s?", near)
	}
	return call.Refuse("Unknown address", "Nothing is remembered of %s.%s", ctx.Args().First(), hint)
}
