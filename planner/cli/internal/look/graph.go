package look

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/planner/cli/internal/call"
	"collect/planner/graph"
)

func (c *command) graphCommand() *cli.Command {
	return &cli.Command{
		Name: "graph", Usage: "the flow of events as a Mermaid flowchart", Flags: c.ValueFlags(),
		Action: func(ctx *cli.Context) error {
			if err := call.NoArguments(ctx); err != nil {
				return err
			}
			cfg, diags := hclspec.Load(hclspec.Options{
				Dir: c.Directory(), Types: c.Deps.Types, Values: c.Vars, Environ: c.Env, Version: c.Deps.Version, DataDir: c.DataDir,
				Fingerprint: func(string) string { return "" },
			})
			if diags.HasErrors() {
				return &call.DiagnosticsError{Diagnostics: diags, Files: cfg.Files}
			}
			return picture(cfg).Mermaid(c.Out)
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
