package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
)

// arrange puts flags before arguments, since the library takes everything behind the first argument as arguments: "apply
// PLANFILE -auto-approve" would silently not approve. Everything behind "--" stays an argument.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{app.Name}, nil
	}
	if len(args) == 2 && slices.Contains([]string{"-version", "--version", "-v"}, args[1]) { // as people ask any program
		args = []string{args[0], "version"}
	}
	out := []string{args[0]}
	flags, commands := app.Flags, app.Commands
	rest := args[1:]
	for {
		var front, back []string
		var cmd *cli.Command
		front, back, cmd, rest = takeFlags(flags, commands, rest)
		out = append(out, front...)
		if cmd == nil && len(back) > 0 && back[0] == "help" && len(commands) == len(app.Commands) { // help plan: plan -help
			return arrange(app, slices.Concat(out, back[1:], []string{"-help"}))
		}
		if cmd == nil {
			return append(out, back...), nil
		}
		out = append(out, cmd.Name)
		flags, commands = cmd.Flags, cmd.Subcommands
	}
}

// takeFlags takes what belongs to one command: flags to the front, arguments to the back, until a subcommand begins.
func takeFlags(flags []cli.Flag, commands []*cli.Command, args []string) (front, back []string, sub *cli.Command, rest []string) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return front, append(append(back, "--"), args[i+1:]...), nil, nil
		}
		if len(a) < 2 || a[0] != '-' {
			if cmd := find(commands, a); cmd != nil && len(back) == 0 {
				return front, nil, cmd, args[i+1:]
			}
			back = append(back, a)
			continue
		}
		front = append(front, a)
		name, _, hasValue := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if f := flagNamed(flags, name); f != nil && !hasValue && takesValue(f) && i+1 < len(args) {
			i++
			front = append(front, args[i])
		}
	}
	if len(back) > 0 && slices.Contains(back, "-") {
		back = append([]string{"--"}, back...)
	}
	return front, back, nil, nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func flagNamed(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}

func hasFlag(args []string, name string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		got, value, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		return strings.HasPrefix(a, "-") && got == name && value != "false"
	})
}

// usageError explains a flag that is wrong.
func (c *command) usageError(ctx *cli.Context, err error, _ bool) error {
	c.StreamFor(ctx)
	text := err.Error()
	name, unknown := strings.CutPrefix(text, "flag provided but not defined: -")
	help := "collect -help"
	if ctx.Command != nil && ctx.Command.Name != "" && ctx.Command.Name != "collect" {
		help = ctx.Command.HelpName + " -help"
	}
	if !unknown {
		return call.Refuse("Wrong option", "%s \"%s\" lists the options.", words.Sentence(wrongValue(text)), help)
	}
	var names []string
	if ctx.Command != nil {
		for _, f := range ctx.Command.Flags {
			names = append(names, f.Names()[0])
		}
	}
	if near := words.Nearest(name, names); near != "" {
		return call.Refuse("Unknown option", "There is no option -%s here. Did you mean -%s?", name, near)
	}
	if name == "chdir" {
		return call.Refuse("Unknown option", "-chdir stands before the command: collect -chdir=DIR %s.", ctx.Command.Name)
	}
	return call.Refuse("Unknown option", "There is no option -%s here. \"%s\" lists the options.", name, help)
}

// wrongValue says what is wrong with the value of an option, where the library only says that it cannot be read.
func wrongValue(text string) string {
	said, ok := strings.CutSuffix(text, ": parse error")
	switch {
	case !ok:
		return text
	case strings.HasPrefix(said, "invalid boolean value"):
		return said + ": write true or false"
	case strings.HasSuffix(said, "-wait") || strings.HasSuffix(said, "-lock-timeout"):
		return said + ": write a time such as 30s or 5m"
	}
	return said + ": write a whole number"
}

func (c *command) unknownCommand(parent, name string, commands []*cli.Command) error {
	var names []string
	for _, cmd := range commands {
		if !cmd.Hidden {
			names = append(names, cmd.Name)
		}
	}
	if near := words.Nearest(name, names); near != "" {
		return call.Refuse("Unknown command", "%s has no command %q. Did you mean %q?", parent, name, near)
	}
	return call.Refuse("Unknown command", "%s has no command %q. \"%s -help\" lists the commands.", parent, name, parent)
}

// checkFigures refuses figures that mean nothing, before anything is done.
func (c *command) checkFigures(ctx *cli.Context) error {
	err := wrongFigure(ctx)
	if err != nil {
		c.StreamFor(ctx)
	}
	return err
}

func wrongFigure(ctx *cli.Context) error {
	for _, name := range []string{"lock-timeout", "wait"} {
		if d := ctx.Duration(name); d < 0 {
			return call.Refuse("Wrong option", "-%s=%s: a time to wait is not negative.", name, d)
		}
	}
	if n := ctx.Int("parallelism"); ctx.IsSet("parallelism") && n < 1 {
		return call.Refuse("Wrong option", "-parallelism=%d: there is at least one step at a time.", n)
	}
	return nil
}
