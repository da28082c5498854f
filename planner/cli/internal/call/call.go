package call

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner/cli/internal/tfjson"
	"collect/planner/render"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

// Call is one call of the program: its streams, its environment and the options that all commands share.
type Call struct {
	Deps     Deps
	Env      []string // NAME=value
	In       io.Reader
	Stdout   *Output         // for JSON and raw values
	Stderr   io.Writer       // as given
	Out, Err Screen          // for people
	Dir      string          // -chdir; "" is the working directory
	Stream   *tfjson.Stream  // with -json, of the commands that have a stream
	Vars     []hclspec.Value // -var and -var-file, in their order

	noColor bool
	json    bool // -json is among the arguments, whatever else is wrong with them
}

// New begins a call. asJSON says that -json is among its arguments.
func New(deps Deps, env []string, stdin io.Reader, stdout, stderr io.Writer, noColor, asJSON bool) *Call {
	c := &Call{Deps: deps, Env: env, In: stdin, Stdout: &Output{to: stdout}, Stderr: stderr, noColor: noColor, json: asJSON}
	c.Out, c.Err = c.screen(c.Stdout), c.screen(stderr)
	return c
}

// End ends a call with what its command came to: it tells about an error, writes out what is held back, and gives the exit code.
func (c *Call) End(err error) int {
	defer c.flush()
	if cut := c.Stdout.failed(); cut != nil && errors.Is(err, cut) {
		err = nil // told below
	}
	code := c.exitCode(err)
	c.flush()
	return c.whole(code)
}

func (c *Call) screen(w io.Writer) Screen {
	l := c.lookOf(w)
	if c.Deps.Screen != nil {
		return c.Deps.Screen(w, l.color, l.width)
	}
	return render.New(w, render.Options{Color: l.color, Width: l.width})
}

// flush writes out what is still held back. A failure is a closed pipe: there is nobody left to tell.
func (c *Call) flush() {
	for _, s := range []Screen{c.Out, c.Err} {
		FlushScreen(s)
	}
}

// Getenv gives the value of an environment variable, "" when it is not set.
func (c *Call) Getenv(name string) string {
	for i := len(c.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(c.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// Now is the time.
func (c *Call) Now() time.Time {
	if c.Deps.Now != nil {
		return c.Deps.Now()
	}
	return time.Now()
}

// Executable is the path of the running program.
func (c *Call) Executable() (string, error) {
	if c.Deps.Executable != "" {
		return c.Deps.Executable, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the running program: %w", err)
	}
	return path, nil
}

// NoColorFlag is the option -no-color.
func NoColorFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-color", Usage: "no colour"}
}

// NoArguments refuses arguments where none belong: an option that was written without its dash would otherwise be ignored.
func NoArguments(ctx *cli.Context) error { return AtMost(ctx, 0) }

// AtMost refuses more than n arguments.
func AtMost(ctx *cli.Context, n int) error {
	if args := ctx.Args().Slice(); len(args) > n {
		return Refuse("Too many arguments", "%s does not take %q.", ctx.Command.HelpName, args[n])
	}
	return nil
}

// PrintJSON prints a JSON document.
func (c *Call) PrintJSON(v any) error {
	enc := tfjson.NewEncoder(c.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// ReadLine reads an answer; an interrupt does not wait for it.
func (c *Call) ReadLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	FlushScreen(c.Out)
	go func() { // ends with the process when nobody answers: a read of a terminal cannot be ended
		line, err := bufio.NewReader(c.In).ReadString('\n')
		answers <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && a.line == "" {
			return "", Refuse("Not approved", "There was no answer. Nothing was changed.")
		}
		return a.line, nil
	case <-ctx.Done():
		return "", context.Canceled
	}
}

// Kinds makes the kinds of resources of the installation.
func (c *Call) Kinds(name string, layout api.Layout, wait time.Duration) ([]resource.Kind, error) {
	program, err := c.Executable()
	if err != nil {
		return nil, err
	}
	return c.Deps.Kinds(KindEnv{
		Installation: name, Layout: layout, Types: c.Deps.Types, Version: c.Deps.Version, Executable: program, Wait: wait,
		Log: c.Logger(c.Err, slog.LevelWarn),
	}), nil
}

// Logger makes the log of a process.
func (c *Call) Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// StartStream begins the stream when -json was given.
func (c *Call) StartStream(ctx *cli.Context) {
	if ctx.Bool("json") {
		c.beginStream()
	}
}

// StreamFor begins it for a command whose options are wrong, so that who reads the stream reads that too.
func (c *Call) StreamFor(ctx *cli.Context) {
	if c.json && ctx.Command != nil && slices.Contains([]string{"plan", "apply", "destroy"}, ctx.Command.Name) {
		c.beginStream()
	}
}

func (c *Call) beginStream() {
	if c.Stream == nil {
		c.Stream = tfjson.NewStream(c.Stdout, c.Deps.Version, c.Now)
	}
}
