package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/planner/graph"
)

func (c *command) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "nothing to do: all components are built in", Flags: []cli.Flag{noColorFlag(), &cli.BoolFlag{Name: "upgrade", Hidden: true}, &cli.BoolFlag{Name: "input", Hidden: true}},
		Action: func(*cli.Context) error {
			fmt.Fprintln(c.out, "Nothing to initialise: all components are built in. Go on with  collect plan")
			return nil
		},
	}
}

func (c *command) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "version of this program and of what is linked into it",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "machine-readable output"}, noColorFlag()},
		Action: func(ctx *cli.Context) error {
			if ctx.Bool("json") {
				return c.printJSON(map[string]any{
					"collect_version": c.deps.Version, "platform": runtime.GOOS + "_" + runtime.GOARCH, "go_version": runtime.Version(), "libraries": c.deps.Libraries,
				})
			}
			fmt.Fprintf(c.out, "collect %s\non %s_%s, %s\n", c.deps.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			for _, name := range sorted(c.deps.Libraries) {
				fmt.Fprintf(c.out, "%s %s\n", name, c.deps.Libraries[name])
			}
			return nil
		},
	}
}

func (c *command) providersCommand() *cli.Command {
	return &cli.Command{
		Name: "providers", Usage: "the component types that exist",
		Flags:  []cli.Flag{noColorFlag()},
		Action: c.listTypes,
		Subcommands: []*cli.Command{{
			Name: "schema", Usage: "arguments of all component types", Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "machine-readable output (the only form)"}},
			Action: c.typeSchemas,
		}},
	}
}

var allKinds = [...]schema.Kind{schema.Source, schema.Interceptor, schema.Channel, schema.Sink, schema.Provider, schema.Topic}

func (c *command) listTypes(ctx *cli.Context) error {
	if name := ctx.Args().First(); name != "" {
		return c.unknownCommand(ctx.Command.HelpName, name, ctx.Command.Subcommands)
	}
	for _, kind := range allKinds {
		if names := c.deps.Types.Names(kind); len(names) > 0 {
			fmt.Fprintf(c.out, "%-12s %s\n", kind, strings.Join(names, ", "))
		}
	}
	return nil
}

func (c *command) typeSchemas(*cli.Context) error {
	types := map[string]any{}
	add := func(name, doc string, b *schema.Block, about any) {
		m := map[string]any{"version": 0, "block": blockSchema(b, doc)}
		if about != nil {
			m["about"] = about
		}
		types[name] = m
	}
	for _, kind := range allKinds {
		for _, name := range c.deps.Types.Names(kind) {
			if t, ok := c.deps.Types.Lookup(kind, name); ok {
				add(string(kind)+"."+name, t.About.Doc, t.Block, t.About)
			}
		}
	}
	add("agent", "One process of sources, channels and sinks.", schema.Of(schema.DefaultAgentSettings()), nil)
	add("source", "What every source has.", schema.Of(schema.DefaultSourceSettings()), nil)
	add("sink", "What every sink has.", schema.Of(schema.DefaultSinkSettings()), nil)
	add("sink_group", "Sinks that share a channel.", schema.Of(schema.DefaultGroupSettings()), nil)
	return c.printJSON(map[string]any{
		"format_version":   "1.0",
		"provider_schemas": map[string]any{"collect": map[string]any{"provider": map[string]any{"version": 0}, "resource_schemas": types}},
	})
}

// blockSchema gives a block in the shape of Terraform's provider schemas.
func blockSchema(b *schema.Block, doc string) map[string]any {
	attrs, blocks := map[string]any{}, map[string]any{}
	for _, a := range b.Attrs {
		m := map[string]any{"type": typeJSON(a.Type), "description": a.Doc, "description_kind": "plain", "effect": a.Effect}
		if a.Required {
			m["required"] = true
		} else {
			m["optional"] = true
		}
		if a.Secret {
			m["sensitive"] = true
		}
		if a.Event {
			m["per_event"] = true
		}
		if a.Default != nil && !a.Secret {
			m["default"] = a.Default
		}
		if len(a.Enum) > 0 {
			m["enum"] = a.Enum
		}
		attrs[a.Name] = m
	}
	for _, n := range b.Blocks {
		mode := "single"
		if n.Multiple {
			mode = "list"
		}
		blocks[n.Name] = map[string]any{"nesting_mode": mode, "block": blockSchema(n.Block, n.Doc)}
	}
	m := map[string]any{"attributes": attrs, "description": doc, "description_kind": "plain"}
	if len(blocks) > 0 {
		m["block_types"] = blocks
	}
	return m
}

// typeJSON gives a type as cty writes it.
func typeJSON(t schema.ValueType) any {
	switch t {
	case schema.Bool:
		return "bool"
	case schema.Int, schema.Float:
		return "number"
	case schema.StringList, schema.References:
		return []any{"list", "string"}
	case schema.StringMap, schema.ExprMap:
		return []any{"map", "string"}
	}
	return "string"
}

func (c *command) graphCommand() *cli.Command {
	return &cli.Command{
		Name: "graph", Usage: "the flow of events as a Mermaid flowchart", Flags: c.valueFlags(),
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			cfg, diags := hclspec.Load(hclspec.Options{
				Dir: c.directory(), Types: c.deps.Types, Values: c.vars.values, Environ: c.env, Version: c.deps.Version, DataDir: c.dataDir,
				Fingerprint: func(string) string { return "" },
			})
			if diags.HasErrors() {
				return &diagError{diags: diags, files: cfg.Files}
			}
			return picture(cfg).Mermaid(c.out)
		},
	}
}

// picture draws a configuration: a frame for each agent, topics between them.
func picture(cfg *hclspec.Config) graph.Picture {
	var p graph.Picture
	topics := graph.Group{}
	for _, t := range cfg.Topics {
		topics.Boxes = append(topics.Boxes, graph.Box{ID: t.Address, Label: t.Address, Shape: graph.Queue})
	}
	for _, a := range cfg.Agents {
		g := graph.Group{Title: a.Spec.Address}
		box := func(kind schema.Kind, typ, name string, shape graph.Shape) {
			g.Boxes = append(g.Boxes, graph.Box{ID: fmt.Sprintf("%s.%s.%s", a.Spec.Address, kind, name), Label: typ + "." + name, Shape: shape})
		}
		for _, s := range a.Spec.Sources {
			box(schema.Source, s.Type, s.Name, graph.Round)
		}
		for _, ch := range a.Spec.Channels {
			box(schema.Channel, ch.Type, ch.Name, graph.Cylinder)
		}
		for _, grp := range a.Spec.Groups {
			box(schema.SinkGroup, "group", grp.Name, graph.Rect)
		}
		for _, s := range a.Spec.Sinks {
			box(schema.Sink, s.Type, s.Name, graph.Rect)
		}
		p.Groups = append(p.Groups, g)
	}
	if len(topics.Boxes) > 0 {
		p.Groups = append(p.Groups, topics)
	}
	for _, e := range cfg.Edges {
		p.Arrows = append(p.Arrows, graph.Arrow{From: e.From, To: e.To, Label: e.Label, Dotted: e.Kind == "optional" || e.Kind == "dead_letter"})
	}
	return p
}
