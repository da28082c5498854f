package cli

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/tfjson"
	"collect/planner/cli/internal/words"
)

func (c *command) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration without looking at what runs",
		Flags:  append(c.ValueFlags(), &cli.BoolFlag{Name: "json", Usage: "machine-readable output"}),
		Action: c.validate,
	}
}

func (c *command) validate(ctx *cli.Context) error {
	if err := call.NoArguments(ctx); err != nil {
		return err
	}
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: c.Directory(), Types: c.Deps.Types, Values: c.Vars, Environ: c.Env, Partial: true, Version: c.Deps.Version,
		DataDir: c.DataDir, Fingerprint: func(string) string { return "" },
	})
	if ctx.Bool("json") {
		return c.validateJSON(cfg, diags)
	}
	if diags.HasErrors() {
		return &call.DiagnosticsError{Diagnostics: diags, Files: cfg.Files}
	}
	c.Diagnostics(diags, cfg.Files)
	fmt.Fprintf(c.Out, "The configuration is valid: %s, %s.\n", words.Plural(len(cfg.Agents), "agent"), words.Plural(len(cfg.Topics), "topic"))
	return nil
}

func (c *command) validateJSON(cfg *hclspec.Config, diags hcl.Diagnostics) error {
	out := struct {
		FormatVersion string              `json:"format_version"`
		Valid         bool                `json:"valid"`
		ErrorCount    int                 `json:"error_count"`
		WarningCount  int                 `json:"warning_count"`
		Diagnostics   []tfjson.Diagnostic `json:"diagnostics"`
	}{FormatVersion: "1.0", Valid: !diags.HasErrors(), Diagnostics: []tfjson.Diagnostic{}}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			out.ErrorCount++
		} else {
			out.WarningCount++
		}
		out.Diagnostics = append(out.Diagnostics, tfjson.DiagnosticOf(d, cfg.Files))
	}
	if err := c.PrintJSON(out); err != nil {
		return err
	}
	if !out.Valid {
		return call.Exit(1)
	}
	return nil
}
