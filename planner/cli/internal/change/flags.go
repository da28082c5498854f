package change

import (
	"time"

	"github.com/urfave/cli/v2"
)

// planFlags are the options of plan, apply and destroy.
func (c *command) planFlags() []cli.Flag {
	return append(c.ValueFlags(),
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

func (c *command) applyFlags() []cli.Flag {
	return append(c.planFlags(),
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"},
		&cli.DurationFlag{Name: "wait", Value: 10 * time.Second, Usage: "how long to wait for sinks to connect before that is only a warning"},
		&cli.IntFlag{Name: "parallelism", Value: 4, Usage: "steps at the same time"},
	)
}
