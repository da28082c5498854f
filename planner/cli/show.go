package cli

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/resource"
	"collect/planner/state"
)

func (c *command) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show a saved plan, or what is remembered of this installation", ArgsUsage: "[PLANFILE]",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "machine-readable output"}, noColorFlag()},
		Action: func(ctx *cli.Context) error {
			if err := atMost(ctx, 1); err != nil {
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
		return refuse("Plan cannot be shown", "%s", sentence(err.Error()))
	}
	was := file.Plan.Installation
	if key, err := state.LoadKey(was.DataDir); err == nil && state.Machine() == was.Machine {
		if _, err := file.Open(was, key); err != nil {
			return refuse("Plan cannot be shown", "%s", sentence(err.Error()))
		}
	} else {
		fmt.Fprintf(c.err, "Made for %q in %s, which is not here: nobody can say whether the file is as it was written.\n", was.Name, was.DataDir)
	}
	if asJSON {
		return c.printJSON(planJSON(file.Plan))
	}
	c.out.Plan(file.Plan)
	return nil
}

// remembered reads the state of the installation here.
func (c *command) remembered() (*place, *state.State, error) {
	p, err := c.find()
	if err != nil {
		return nil, nil, err
	}
	st, err := state.Load(p.layout.Data)
	if err != nil {
		return nil, nil, refuse("State cannot be read", "%s", sentence(err.Error()))
	}
	return p, st, nil
}

func (c *command) showState(asJSON bool) error {
	p, st, err := c.remembered()
	if err != nil {
		return err
	}
	if asJSON {
		return c.printJSON(stateJSON(st))
	}
	if st.Serial == 0 {
		fmt.Fprintf(c.out, "Nothing was applied yet in installation %q.\n", p.name)
		return nil
	}
	fmt.Fprintf(c.out, "%s · revision %d%s · data in %s\n", p.name, st.Revision, commitClause(st.Commit), p.layout.Data)
	for _, o := range st.Objects {
		fmt.Fprintf(c.out, "\n%s\n", o.Address)
		c.showObject(o)
	}
	if outs := outputsOf(st); len(outs) > 0 {
		c.out.Outputs(outs)
	}
	return nil
}

func (c *command) showObject(o state.Object) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(c.out, "  %-12s %s\n", name, value)
		}
	}
	line("origin", string(o.Origin))
	line("revision", fmt.Sprint(o.Revision))
	line("begun", string(o.Intent))
	if o.Protect {
		line("protected", "prevent_destroy")
	}
	for _, k := range sorted(o.Identity) {
		line(k, o.Identity[k])
	}
	line("refers to", strings.Join(o.DependsOn, ", "))
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
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
				Name: "list", Usage: "addresses of all objects that run or are remembered", ArgsUsage: "[ADDRESS]...", Flags: []cli.Flag{noColorFlag()},
				Action: c.stateList,
			},
			{
				Name: "show", Usage: "one object", ArgsUsage: "ADDRESS", Flags: []cli.Flag{noColorFlag()},
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
	seen, err := c.survey(ctx.Context, p.layout)
	if err != nil {
		return err
	}
	for _, a := range seen.Agents {
		all[a.Address] = true
	}
	if seen.Broker != nil {
		all[planner.BrokerAddress] = true
	}
	for _, a := range sorted(all) {
		if args := ctx.Args().Slice(); len(args) == 0 || coveredBy(args, a) {
			fmt.Fprintln(c.out, a)
		}
	}
	return nil
}

func coveredBy(args []string, address string) bool {
	for _, a := range args {
		if a == address || strings.HasPrefix(address, a+"[") || strings.HasPrefix(address, a+".") {
			return true
		}
	}
	return false
}

func (c *command) stateShow(ctx *cli.Context) error {
	if ctx.NArg() != 1 {
		return refuse("Which object?", "Give one address; \"collect state list\" lists them.")
	}
	_, st, err := c.remembered()
	if err != nil {
		return err
	}
	for _, o := range st.Objects {
		if o.Address == ctx.Args().First() {
			fmt.Fprintln(c.out, o.Address)
			c.showObject(o)
			return nil
		}
	}
	hint := ""
	if near := nearest(ctx.Args().First(), st.Addresses()); near != "" {
		hint = fmt.Sprintf(" Did you mean %s?", near)
	}
	return refuse("Unknown address", "Nothing is remembered of %s.%s", ctx.Args().First(), hint)
}

func (c *command) outputCommand() *cli.Command {
	return &cli.Command{
		Name: "output", Usage: "output values of the last apply", ArgsUsage: "[NAME]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "as JSON"}, &cli.BoolFlag{Name: "raw", Usage: "a string as it is, for scripts"}, noColorFlag(),
		},
		Action: c.output,
	}
}

func (c *command) output(ctx *cli.Context) error {
	if err := atMost(ctx, 1); err != nil {
		return err
	}
	p, st, err := c.remembered()
	if err != nil {
		return err
	}
	name := ctx.Args().First()
	if name == "" {
		if ctx.Bool("raw") {
			return refuse("Which output?", "-raw needs the name of one output.")
		}
		if ctx.Bool("json") {
			all := map[string]any{}
			for _, o := range st.Outputs {
				all[o.Name] = map[string]any{"sensitive": o.Sensitive, "type": o.Type, "value": o.Value}
			}
			return c.printJSON(all)
		}
		if len(st.Outputs) == 0 {
			fmt.Fprintf(c.err, "No outputs: the configuration has none, or nothing was applied yet in installation %q.\n", p.name)
			return nil
		}
		c.out.Outputs(outputsOf(st))
		return nil
	}
	for _, o := range st.Outputs {
		if o.Name == name {
			return c.oneOutput(ctx, o)
		}
	}
	return c.noOutput(name, st)
}

func (c *command) noOutput(name string, st *state.State) error {
	var names []string
	for _, o := range st.Outputs {
		names = append(names, o.Name)
	}
	switch near := nearest(name, names); {
	case near != "":
		return refuse("Unknown output", "There is no output %q. Did you mean %q?", name, near)
	case st.Revision == 0:
		return refuse("Unknown output", "There is no output %q: nothing was applied yet.", name)
	}
	return refuse("Unknown output", "There is no output %q in revision %d. \"collect output\" lists them.", name, st.Revision)
}

func (c *command) oneOutput(ctx *cli.Context, o state.Output) error {
	if o.Sensitive {
		return refuse("Output is sensitive", "The value of %q is stored nowhere, and is not printed.", o.Name)
	}
	text, isText := o.Value.(string)
	switch {
	case ctx.Bool("json"):
		return c.printJSON(o.Value)
	case ctx.Bool("raw"):
		if !isText {
			raw, err := json.Marshal(o.Value)
			if err != nil || len(raw) == 0 || strings.ContainsAny(string(raw[0]), "{[") {
				return refuse("Output is no string", "-raw prints strings, numbers and bools; use -json for %q.", o.Name)
			}
			text = string(raw)
		}
		if c.isTerminal(c.stdout) {
			_, err := fmt.Fprint(c.out, text)
			return err
		}
		_, err := fmt.Fprint(c.stdout, text)
		return err
	case isText:
		fmt.Fprintf(c.out, "%q\n", text)
		return nil
	}
	return c.printJSON(o.Value)
}
