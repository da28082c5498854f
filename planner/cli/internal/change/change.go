// Package change holds the commands that change what runs, and plan, which shows what they would change: plan, apply, destroy and run.
package change

import (
	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
)

// Commands gives the commands, in the order in which help lists them.
func Commands(of *call.Call) []*cli.Command {
	c := &command{of}
	return []*cli.Command{c.planCommand(), c.applyCommand(), c.destroyCommand(), c.runCommand()}
}

// command is a call of one of the commands here.
type command struct{ *call.Call }

// session is the installation that it is about.
type session struct{ *call.Session }

func (c *command) load() (*session, error) {
	s, err := c.Load()
	return &session{s}, err
}

func (c *command) sessionOf(file *planner.PlanFile) (*session, error) {
	s, err := c.SessionOf(file)
	return &session{s}, err
}
