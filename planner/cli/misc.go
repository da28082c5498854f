package cli

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
)

func (c *command) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "nothing to do: all components are built in", Flags: []cli.Flag{call.NoColorFlag(), &cli.BoolFlag{Name: "upgrade", Hidden: true}, &cli.BoolFlag{Name: "input", Hidden: true}},
		Action: func(*cli.Context) error {
			fmt.Fprintln(c.Out, "Nothing to initialise: all components are built in. Go on with  collect plan")
			return nil
		},
	}
}

func (c *command) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "version of this program and of what is linked into it",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "machine-readable output"}, call.NoColorFlag()},
		Action: func(ctx *cli.Context) error {
			if ctx.Bool("json") {
				return c.PrintJSON(map[string]any{
					"collect_version": c.Deps.Version, "platform": runtime.GOOS + "_" + runtime.GOARCH, "go_version": runtime.Version(), "libraries": c.Deps.Libraries,
				})
			}
			fmt.Fprintf(c.Out, "collect %s\non %s_%s, %s\n", c.Deps.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			for _, name := range words.Sorted(c.Deps.Libraries) {
				fmt.Fprintf(c.Out, "%s %s\n", name, c.Deps.Libraries[name])
			}
			return nil
		},
	}
}
