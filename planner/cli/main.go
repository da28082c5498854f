// Package cli is the command line. The commands that change what runs are in internal/change, those that look in internal/look, the rest
// is here; internal/call is what they share. It reads flags, environment and terminal, calls the language, the
// planner and the renderer, and turns what they say into an exit code. It decides nothing about agents, topics or events.
//
// Exit codes: 0 done; 1 error, refused, or something is left to do; plan -detailed-exitcode: 2 when there are changes;
// fmt -check: 3 when a file is not formatted; agent run and run: 3 when events were given up at the end of the drain.
package cli

import (
	"context"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/change"
	"collect/planner/cli/internal/look"
)

// What main gives to the command line, and what the command line asks of it.
type (
	Deps         = call.Deps
	KindEnv      = call.KindEnv
	AgentProcess = call.AgentProcess
	Screen       = call.Screen
	Channels     = call.Channels
	DumpOptions  = call.DumpOptions
)

// Main runs the command line and gives the exit code. args begins with the program's name; env holds NAME=value.
func Main(ctx context.Context, deps Deps, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &command{call.New(deps, env, stdin, stdout, stderr, hasFlag(args, "no-color"), hasFlag(args, "json"))}
	app := c.app()
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return c.End(err)
}

// command is a call of one of the commands here.
type command struct{ *call.Call }

func (c *command) app() *cli.App {
	app := &cli.App{
		Name: "collect", HelpName: "collect", Usage: "declare, plan and apply data collection", UsageText: "collect [-chdir=DIR] COMMAND [options]",
		Reader: c.In, Writer: c.Stdout, ErrWriter: c.Stderr,
		DisableSliceFlagSeparator: true, HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   c.usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", Usage: "directory of the configuration", Destination: &c.Dir},
			call.NoColorFlag(),
		},
		Commands: c.commands(),
		Action: func(ctx *cli.Context) error {
			if name := ctx.Args().First(); name != "" {
				return c.unknownCommand("collect", name, ctx.App.Commands)
			}
			return cli.ShowAppHelp(ctx)
		},
	}
	for _, sub := range app.Commands {
		c.dress(sub)
	}
	return app
}

// dress gives every command the same manners.
func (c *command) dress(cmd *cli.Command) {
	cmd.OnUsageError = c.usageError
	cmd.HideHelpCommand = true
	if len(cmd.Subcommands) == 0 {
		cmd.Before = c.checkFigures
	}
	for _, sub := range cmd.Subcommands {
		c.dress(sub)
	}
	if len(cmd.Subcommands) > 0 && cmd.Action == nil {
		subs := cmd.Subcommands
		cmd.Action = func(ctx *cli.Context) error {
			if name := ctx.Args().First(); name != "" {
				return c.unknownCommand(cmd.HelpName, name, subs)
			}
			return cli.ShowSubcommandHelp(ctx)
		}
	}
}

func (c *command) commands() []*cli.Command {
	return slices.Concat(
		change.Commands(c.Call), []*cli.Command{c.validateCommand(), c.fmtCommand()},
		look.Commands(c.Call), []*cli.Command{c.versionCommand(), c.providersCommand(), c.initCommand(), c.serviceCommand()},
		[]*cli.Command{c.agentCommand(), c.superviseCommand(), c.brokerCommand()},
	)
}
