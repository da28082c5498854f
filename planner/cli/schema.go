package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"collect/hclspec/schema"
	"collect/planner/cli/internal/call"
)

func (c *command) providersCommand() *cli.Command {
	return &cli.Command{
		Name: "providers", Usage: "the component types that exist",
		Flags:  []cli.Flag{call.NoColorFlag()},
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
		if names := c.Deps.Types.Names(kind); len(names) > 0 {
			fmt.Fprintf(c.Out, "%-12s %s\n", kind, strings.Join(names, ", "))
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
		for _, name := range c.Deps.Types.Names(kind) {
			if t, ok := c.Deps.Types.Lookup(kind, name); ok {
				add(string(kind)+"."+name, t.About.Doc, t.Block, t.About)
			}
		}
	}
	add("agent", "One process of sources, channels and sinks.", schema.Of(schema.DefaultAgentSettings()), nil)
	add("source", "What every source has.", schema.Of(schema.DefaultSourceSettings()), nil)
	add("sink", "What every sink has.", schema.Of(schema.DefaultSinkSettings()), nil)
	add("sink_group", "Sinks that share a channel.", schema.Of(schema.DefaultGroupSettings()), nil)
	return c.PrintJSON(map[string]any{
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
