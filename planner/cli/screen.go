package cli

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"collect/planner"
	"collect/runtime/supervisor/api"
)

// Screen is the one writer of everything that people read: package render. It escapes control characters and bidirectional
// overrides of whatever passes through it, also through Write, so that no foreign text can steer a terminal.
type Screen interface {
	io.Writer
	// Plan shows a plan and its summary line.
	Plan(p *planner.Plan)
	// Diagnostics shows errors and warnings with the lines of the files that they are about.
	Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File)
	// Progress shows how an apply goes on.
	Progress(e planner.Event)
	// ApplyTable shows how an apply ended: one line when all is done, otherwise what was done, what failed and why, what was skipped.
	ApplyTable(a *planner.Applied)
	// Outputs shows output values.
	Outputs(outputs []planner.Output)
	// Status shows what runs.
	Status(s api.Installation)
}

// look is how to write to a stream.
type look struct {
	color bool
	width int // 0: no terminal
}

// lookOf decides about colour and width: colour only on a terminal, and never with -no-color, NO_COLOR or TERM=dumb.
func (c *command) lookOf(w io.Writer) look {
	var l look
	if !c.isTerminal(w) {
		return l
	}
	l.width = 100
	l.color = !c.noColor && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb"
	if f, ok := beneath(w).(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			l.width = width
		}
	}
	if n, err := strconv.Atoi(strings.TrimSpace(c.getenv("COLUMNS"))); err == nil && n > 0 {
		l.width = n
	}
	return l
}

func (c *command) isTerminal(f any) bool {
	f = beneath(f)
	if c.deps.Terminal != nil {
		return c.deps.Terminal(f)
	}
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
