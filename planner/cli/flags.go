package cli

import (
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
)

// valueFlags collects -var and -var-file in the order in which they were given: the last one wins.
type valueFlags struct{ values []hclspec.Value }

type varFlag struct{ into *valueFlags }

// Set takes NAME=VALUE.
func (f varFlag) Set(s string) error {
	name, text, ok := strings.Cut(s, "=")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New("-var takes NAME=VALUE, such as -var 'hours=2'")
	}
	f.into.values = append(f.into.values, hclspec.Value{Name: strings.TrimSpace(name), Text: text})
	return nil
}

func (f varFlag) String() string { return "" }

type varFileFlag struct{ into *valueFlags }

// Set takes a file name.
func (f varFileFlag) Set(s string) error {
	f.into.values = append(f.into.values, hclspec.Value{File: s})
	return nil
}

func (f varFileFlag) String() string { return "" }

func (c *command) valueFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "var", Usage: "value of a variable: `NAME=VALUE` (repeatable)", Value: varFlag{&c.vars}},
		&cli.GenericFlag{Name: "var-file", Usage: "`FILE` with values of variables (repeatable)", Value: varFileFlag{&c.vars}},
		noColorFlag(),
	}
}

// planFlags are the options of plan, apply and destroy.
func (c *command) planFlags() []cli.Flag {
	return append(c.valueFlags(),
		&cli.BoolFlag{Name: "destroy", Usage: "plan to destroy everything"},
		&cli.StringSliceFlag{Name: "target", Usage: "only this `ADDRESS` and what it refers to (repeatable)"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "all but this `ADDRESS` and what refers to it (repeatable)"},
		&cli.StringSliceFlag{Name: "replace", Usage: "drain and start this agent again: `ADDRESS` (repeatable)"},
		&cli.BoolFlag{Name: "refresh", Value: true, Usage: "-refresh=false: topics are neither read nor changed; agents always are"},
		&cli.BoolFlag{Name: "forget-positions", Usage: "read positions of destroyed agents go too: a later apply reads everything again"},
		&cli.StringSliceFlag{Name: "confirm-loss", Usage: "accept the loss that the plan shows for this `ADDRESS` (repeatable)"},
		&cli.DurationFlag{Name: "lock-timeout", Usage: "wait this long for another command to end"},
		&cli.BoolFlag{Name: "input", Value: true, Usage: "-input=false: never ask"},
		&cli.BoolFlag{Name: "json", Usage: "machine-readable output, one JSON object a line"},
	)
}

// checkFigures refuses figures that mean nothing, before anything is done.
func (c *command) checkFigures(ctx *cli.Context) error {
	err := wrongFigure(ctx)
	if err != nil {
		c.streamFor(ctx)
	}
	return err
}

func wrongFigure(ctx *cli.Context) error {
	for _, name := range []string{"lock-timeout", "wait"} {
		if d := ctx.Duration(name); d < 0 {
			return refuse("Wrong option", "-%s=%s: a time to wait is not negative.", name, d)
		}
	}
	if n := ctx.Int("parallelism"); ctx.IsSet("parallelism") && n < 1 {
		return refuse("Wrong option", "-parallelism=%d: there is at least one step at a time.", n)
	}
	return nil
}

func (c *command) applyFlags() []cli.Flag {
	return append(c.planFlags(),
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"},
		&cli.DurationFlag{Name: "wait", Value: 10 * time.Second, Usage: "how long to wait for sinks to connect before that is only a warning"},
		&cli.IntFlag{Name: "parallelism", Value: 4, Usage: "steps at the same time"},
	)
}
