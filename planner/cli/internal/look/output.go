package look

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/planner/state"
)

func (c *command) outputCommand() *cli.Command {
	return &cli.Command{
		Name: "output", Usage: "output values of the last apply", ArgsUsage: "[NAME]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "as JSON"}, &cli.BoolFlag{Name: "raw", Usage: "a string as it is, for scripts"}, call.NoColorFlag(),
		},
		Action: c.output,
	}
}

func (c *command) output(ctx *cli.Context) error {
	if err := call.AtMost(ctx, 1); err != nil {
		return err
	}
	p, st, err := c.remembered()
	if err != nil {
		return err
	}
	name := ctx.Args().First()
	if name == "" {
		if ctx.Bool("raw") {
			return call.Refuse("Which output?", "-raw needs the name of one output.")
		}
		if ctx.Bool("json") {
			all := map[string]any{}
			for _, o := range st.Outputs {
				all[o.Name] = map[string]any{"sensitive": o.Sensitive, "type": o.Type, "value": o.Value}
			}
			return c.PrintJSON(all)
		}
		if len(st.Outputs) == 0 {
			fmt.Fprintf(c.Err, "No outputs: the configuration has none, or nothing was applied yet in installation %q.\n", p.Name)
			return nil
		}
		c.Out.Outputs(outputsOf(st))
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
	switch near := words.Nearest(name, names); {
	case near != "":
		return call.Refuse("Unknown output", "There is no output %q. Did you mean %q?", name, near)
	case st.Revision == 0:
		return call.Refuse("Unknown output", "There is no output %q: nothing was applied yet.", name)
	}
	return call.Refuse("Unknown output", "There is no output %q in revision %d. \"collect output\" lists them.", name, st.Revision)
}

func (c *command) oneOutput(ctx *cli.Context, o state.Output) error {
	if o.Sensitive {
		return call.Refuse("Output is sensitive", "The value of %q is stored nowhere, and is not printed.", o.Name)
	}
	text, isText := o.Value.(string)
	switch {
	case ctx.Bool("json"):
		return c.PrintJSON(o.Value)
	case ctx.Bool("raw"):
		if !isText {
			raw, err := json.Marshal(o.Value)
			if err != nil || len(raw) == 0 || strings.ContainsAny(string(raw[0]), "{[") {
				return call.Refuse("Output is no string", "-raw prints strings, numbers and bools; use -json for %q.", o.Name)
			}
			text = string(raw)
		}
		if c.IsTerminal(c.Stdout) {
			_, err := fmt.Fprint(c.Out, text)
			return err
		}
		_, err := fmt.Fprint(c.Stdout, text)
		return err
	case isText:
		fmt.Fprintf(c.Out, "%q\n", text)
		return nil
	}
	return c.PrintJSON(o.Value)
}
