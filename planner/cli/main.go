package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/render"
)

// Main runs the command line and gives the exit code. args begins with the program's name; env holds NAME=value.
func Main(ctx context.Context, deps Deps, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &command{deps: deps, env: env, in: stdin, stdout: &output{to: stdout}, stderr: stderr}
	app := c.app()
	args, err := arrange(app, args)
	c.noColor, c.json = hasFlag(args, "no-color"), hasFlag(args, "json")
	c.out, c.err = c.screen(c.stdout), c.screen(stderr)
	defer c.flush()
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if cut := c.stdout.failed(); cut != nil && errors.Is(err, cut) {
		err = nil // told below
	}
	code := c.exit(err)
	c.flush()
	return c.whole(code)
}

// command is one call of the program.
type command struct {
	deps     Deps
	env      []string
	in       io.Reader
	stdout   *output   // for JSON and raw values
	stderr   io.Writer // as given
	out, err Screen    // for people
	noColor  bool
	json     bool   // -json is among the arguments, whatever else is wrong with them
	dir      string // -chdir
	stream   *stream
	vars     valueFlags
	flushes  []func() error
}

func (c *command) screen(w io.Writer) Screen {
	l := c.lookOf(w)
	if c.deps.Screen != nil {
		return c.deps.Screen(w, l.color, l.width)
	}
	return render.New(w, render.Options{Color: l.color, Width: l.width})
}

// flush writes out what is still held back. A failure is a closed pipe: there is nobody left to tell.
func (c *command) flush() {
	for _, f := range c.flushes {
		_ = f()
	}
	for _, s := range []Screen{c.out, c.err} {
		if f, ok := s.(interface{ Flush() error }); ok {
			_ = f.Flush()
		}
	}
}

// exitError ends with a code without saying anything.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// ExitCode gives the code.
func (e exitError) ExitCode() int { return int(e) }

// diagError is a set of diagnostics that end a command.
type diagError struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

func (e *diagError) Error() string { return e.diags.Error() }

// userError is a mistake in how the program was called.
type userError struct{ summary, detail string }

func (e *userError) Error() string { return e.summary + ": " + e.detail }

func refuse(summary, format string, args ...any) error {
	return &userError{summary: summary, detail: fmt.Sprintf(format, args...)}
}

// exit tells about an error and gives the exit code.
func (c *command) exit(err error) int {
	if err == nil {
		return 0
	}
	code := 1
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	var silent exitError
	if errors.As(err, &silent) {
		return code
	}
	var d *diagError
	if errors.As(err, &d) {
		c.diagnostics(d.diags, d.files)
		return code
	}
	c.diagnostics(hcl.Diagnostics{asDiagnostic(err)}, nil)
	return code
}

// asDiagnostic gives any error the form of a diagnostic.
func asDiagnostic(err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "It did not work", Detail: sentence(err.Error())}
	var u *userError
	var unconfirmed *planner.UnconfirmedError
	switch {
	case errors.As(err, &u):
		d.Summary, d.Detail = u.summary, u.detail
	case errors.As(err, &unconfirmed):
		d.Summary = "Events would be lost"
	case errors.Is(err, context.Canceled):
		d.Summary, d.Detail = "Interrupted", "The command was ended before it was done."
	default:
		d.Summary, d.Detail = split(err.Error())
	}
	return d
}

// split makes a summary and a detail of an error's text.
func split(text string) (summary, detail string) {
	head, rest, found := strings.Cut(text, ": ")
	if !found || len(head) > 80 || strings.ContainsAny(head, "\n") {
		return "The command failed", sentence(text)
	}
	return sentence(head)[:len(sentence(head))-1], sentence(rest)
}

func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); s[0] >= 'a' && s[0] <= 'z' && !strings.ContainsAny(word, "./:[\"") {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// diagnostics shows diagnostics: in the stream with -json, otherwise on stderr.
func (c *command) diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	if len(diags) == 0 {
		return
	}
	if c.stream != nil {
		for _, d := range diags {
			c.stream.diagnostic(d, files)
		}
		return
	}
	c.err.Diagnostics(diags, files)
}

func (c *command) getenv(name string) string {
	for i := len(c.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(c.env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func (c *command) now() time.Time {
	if c.deps.Now != nil {
		return c.deps.Now()
	}
	return time.Now()
}

func (c *command) executable() (string, error) {
	if c.deps.Executable != "" {
		return c.deps.Executable, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the running program: %w", err)
	}
	return path, nil
}

func (c *command) app() *cli.App {
	app := &cli.App{
		Name: "collect", HelpName: "collect", Usage: "declare, plan and apply data collection", UsageText: "collect [-chdir=DIR] COMMAND [options]",
		Reader: c.in, Writer: c.stdout, ErrWriter: c.stderr,
		DisableSliceFlagSeparator: true, HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   c.usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", Usage: "directory of the configuration", Destination: &c.dir},
			noColorFlag(),
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
	return []*cli.Command{
		c.planCommand(), c.applyCommand(), c.destroyCommand(), c.runCommand(), c.validateCommand(), c.fmtCommand(), c.showCommand(),
		c.outputCommand(), c.statusCommand(), c.logsCommand(), c.channelCommand(), c.stateCommand(), c.graphCommand(), c.versionCommand(), c.providersCommand(),
		c.initCommand(), c.serviceCommand(), c.agentCommand(), c.superviseCommand(), c.brokerCommand(),
	}
}

func noColorFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-color", Usage: "no colour"}
}
