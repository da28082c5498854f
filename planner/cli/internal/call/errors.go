package call

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"collect/planner"
	"collect/planner/cli/internal/words"
)

// Exit is an error that ends a command with an exit code, without saying anything.
type Exit int

// Error names the code; nobody is shown it.
func (e Exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// ExitCode gives the code.
func (e Exit) ExitCode() int { return int(e) }

// DiagnosticsError is a set of diagnostics that end a command.
type DiagnosticsError struct {
	Diagnostics hcl.Diagnostics
	Files       map[string]*hcl.File
}

// Error gives the first diagnostic, and how many more there are.
func (e *DiagnosticsError) Error() string { return e.Diagnostics.Error() }

// userError is a mistake in how the program was called.
type userError struct{ summary, detail string }

func (e *userError) Error() string { return e.summary + ": " + e.detail }

// Refuse is the error of a command that is not carried out: a mistake in how the program was called, or something that the user must do first.
func Refuse(summary, format string, args ...any) error {
	return &userError{summary: summary, detail: fmt.Sprintf(format, args...)}
}

// exitCode tells about an error and gives the exit code.
func (c *Call) exitCode(err error) int {
	if err == nil {
		return 0
	}
	code := 1
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	var silent Exit
	if errors.As(err, &silent) {
		return code
	}
	var d *DiagnosticsError
	if errors.As(err, &d) {
		c.Diagnostics(d.Diagnostics, d.Files)
		return code
	}
	c.Diagnostics(hcl.Diagnostics{asDiagnostic(err)}, nil)
	return code
}

// asDiagnostic gives any error the form of a diagnostic.
func asDiagnostic(err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "It did not work", Detail: words.Sentence(err.Error())}
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
		return "The command failed", words.Sentence(text)
	}
	return words.Sentence(head)[:len(words.Sentence(head))-1], words.Sentence(rest)
}

// Diagnostics shows diagnostics: in the stream with -json, otherwise on stderr.
func (c *Call) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	if len(diags) == 0 {
		return
	}
	if c.Stream != nil {
		for _, d := range diags {
			c.Stream.Diagnostic(d, files)
		}
		return
	}
	c.Err.Diagnostics(diags, files)
}

// Cause gives what the system said of a file, without the names of the calls.
func Cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}
