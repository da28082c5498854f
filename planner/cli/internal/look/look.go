// Package look holds the commands that show what runs and what is remembered: show, output, status, logs, channel, state and graph.
// None but channel repair changes anything.
package look

import (
	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
)

// Commands gives the commands, in the order in which help lists them.
func Commands(of *call.Call) []*cli.Command {
	c := &command{of}
	return []*cli.Command{
		c.showCommand(), c.outputCommand(), c.statusCommand(), c.logsCommand(), c.channelCommand(), c.stateCommand(), c.graphCommand(),
	}
}

// command is a call of one of the commands here.
type command struct{ *call.Call }
