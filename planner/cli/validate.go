package cli

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"collect/hclspec"
)

func (c *command) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration without looking at what runs",
		Flags:  append(c.valueFlags(), &cli.BoolFlag{Name: "json", Usage: "machine-readable output"}),
		Action: c.validate,
	}
}

func (c *command) validate(ctx *cli.Context) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: c.directory(), Types: c.deps.Types, Values: c.vars.values, Environ: c.env, Partial: true, Version: c.deps.Version,
		DataDir: c.dataDir, Fingerprint: func(string) string { return "" },
	})
	if ctx.Bool("json") {
		return c.validateJSON(cfg, diags)
	}
	if diags.HasErrors() {
		return &diagError{diags: diags, files: cfg.Files}
	}
	c.diagnostics(diags, cfg.Files)
	fmt.Fprintf(c.out, "The configuration is valid: %s, %s.\n", plural(len(cfg.Agents), "agent"), plural(len(cfg.Topics), "topic"))
	return nil
}

func (c *command) validateJSON(cfg *hclspec.Config, diags hcl.Diagnostics) error {
	out := struct {
		FormatVersion string           `json:"format_version"`
		Valid         bool             `json:"valid"`
		ErrorCount    int              `json:"error_count"`
		WarningCount  int              `json:"warning_count"`
		Diagnostics   []jsonDiagnostic `json:"diagnostics"`
	}{FormatVersion: "1.0", Valid: !diags.HasErrors(), Diagnostics: []jsonDiagnostic{}}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			out.ErrorCount++
		} else {
			out.WarningCount++
		}
		out.Diagnostics = append(out.Diagnostics, diagnosticJSON(d, cfg.Files))
	}
	if err := c.printJSON(out); err != nil {
		return err
	}
	if !out.Valid {
		return exitError(1)
	}
	return nil
}

// printJSON prints a JSON document.
func (c *command) printJSON(v any) error {
	enc := jsonTo(c.stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
