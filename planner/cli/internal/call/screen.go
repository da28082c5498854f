package call

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
func (c *Call) lookOf(w io.Writer) look {
	var l look
	if !c.IsTerminal(w) {
		return l
	}
	l.width = 100
	l.color = !c.noColor && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb"
	if f, ok := beneath(w).(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			l.width = width
		}
	}
	if n, err := strconv.Atoi(strings.TrimSpace(c.Getenv("COLUMNS"))); err == nil && n > 0 {
		l.width = n
	}
	return l
}

// Width is how many columns standard output has, 0 where it is no terminal.
func (c *Call) Width() int { return c.lookOf(c.Stdout).width }

// IsTerminal says whether a stream is a terminal.
func (c *Call) IsTerminal(f any) bool {
	f = beneath(f)
	if c.Deps.Terminal != nil {
		return c.Deps.Terminal(f)
	}
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// FlushScreen writes out what a screen holds back.
func FlushScreen(s Screen) {
	if f, ok := s.(interface{ Flush() error }); ok {
		_ = f.Flush() // a closed pipe: nobody reads
	}
}
