package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner/cli/internal/call"
	"collect/planner/state"
)

func (c *command) fmtCommand() *cli.Command {
	return &cli.Command{
		Name: "fmt", Usage: "format configuration files", ArgsUsage: "[FILE|DIR|-]...",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "write nothing; exit 3 when a file is not formatted"},
			&cli.BoolFlag{Name: "diff", Usage: "show the differences"},
			&cli.BoolFlag{Name: "recursive", Usage: "directories below too"},
			&cli.BoolFlag{Name: "write", Value: true, Usage: "-write=false: do not change files"},
			&cli.BoolFlag{Name: "list", Value: true, Usage: "-list=false: do not list files"},
			call.NoColorFlag(),
		},
		Action: c.format,
	}
}

// maxFormat bounds the files that are formatted, as the loader does.
const maxFormat = 1 << 20

func (c *command) format(ctx *cli.Context) error {
	args := ctx.Args().Slice()
	if len(args) == 1 && args[0] == "-" {
		return c.formatStream(ctx)
	}
	if len(args) == 0 {
		args = []string{c.Directory()}
	}
	var files []string
	for _, a := range args {
		found, err := hclFiles(a, ctx.Bool("recursive"))
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	changed := false
	var bad []error
	for _, name := range files {
		did, err := c.formatFile(ctx, name)
		changed = changed || did
		bad = append(bad, err)
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	if changed && ctx.Bool("check") {
		return call.Exit(3)
	}
	return nil
}

func (c *command) formatStream(ctx *cli.Context) error {
	src, err := io.ReadAll(io.LimitReader(c.In, maxFormat))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	out, err := formatted("<stdin>", src)
	if err != nil {
		return err
	}
	if ctx.Bool("check") {
		if !bytes.Equal(src, out) {
			return call.Exit(3)
		}
		return nil
	}
	var to io.Writer = c.Stdout
	if c.IsTerminal(to) { // what stands in the file must not steer it
		to = c.Out
	}
	_, err = to.Write(out)
	return err
}

func (c *command) formatFile(ctx *cli.Context, name string) (changed bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, unreadable(name, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFormat {
		return false, call.Refuse("File cannot be read", "%s is no regular file of at most 1 MiB.", name)
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return false, unreadable(name, err)
	}
	out, err := formatted(name, src)
	if err != nil || bytes.Equal(src, out) {
		return false, err
	}
	if ctx.Bool("list") {
		fmt.Fprintln(c.Out, name)
	}
	if ctx.Bool("diff") {
		if _, err := c.Out.Write(diff.Diff("old/"+name, src, "new/"+name, out)); err != nil {
			return true, err
		}
	}
	if ctx.Bool("check") || !ctx.Bool("write") {
		return true, nil
	}
	return true, state.WriteFile(name, out, info.Mode().Perm())
}

// formatted formats a file that can be parsed; formatting another one could change what it says.
func formatted(name string, src []byte) ([]byte, error) {
	f, diags := hclspec.Parse(name, src)
	if diags.HasErrors() {
		return nil, &call.DiagnosticsError{Diagnostics: diags, Files: map[string]*hcl.File{name: f}}
	}
	return hclspec.Format(src), nil
}

// hclFiles lists the files of an argument.
func hclFiles(arg string, recursive bool) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, unreadable(arg, err)
	}
	if !info.IsDir() {
		if !formats(arg) {
			return nil, call.Refuse("Not a configuration file", "%s is neither *.hcl nor *.hclvars.", arg)
		}
		return []string{arg}, nil
	}
	var files []string
	err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != arg && (!recursive || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !d.IsDir() && formats(path) && !strings.HasPrefix(d.Name(), "."):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, unreadable(arg, err)
	}
	return files, nil
}

// unreadable says which file or directory cannot be formatted.
func unreadable(name string, err error) error {
	return call.Refuse("File cannot be read", "%s: %v.", name, call.Cause(err))
}

func formats(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".hcl" || ext == ".hclvars"
}
