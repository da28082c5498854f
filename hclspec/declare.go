package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// insideAgent are blocks that people write at the top though they belong into an agent.
var insideAgent = map[string]string{
	"source":      `A source belongs to an agent: put this block inside agent "NAME" { … }.`,
	"channel":     `A channel belongs to an agent: put this block inside agent "NAME" { … }.`,
	"sink":        `A sink belongs to an agent: put this block inside agent "NAME" { … }.`,
	"sink_group":  `A sink_group belongs to an agent: put this block inside agent "NAME" { … }.`,
	"interceptor": `An interceptor belongs to a source: put this block inside source "TYPE" "NAME" { … } of an agent.`,
	"route":       `A route belongs to a source: put this block inside source "TYPE" "NAME" { … } of an agent.`,
}

// declare takes in the blocks of one file.
func (l *loader) declare(body *hclsyntax.Body) {
	for _, name := range sorted.Keys(body.Attributes) {
		a := body.Attributes[name]
		l.Fail(a.NameRange, "Argument outside of a block", "%q stands in no block. A value with a name is written locals { %s = … }; a value from outside is a variable block, and is given in collect.hclvars.", name, name)
	}
	for _, b := range body.Blocks {
		labels, ok := decode.TopBlocks[b.Type]
		if !ok {
			l.unknownTopBlock(b)
			continue
		}
		if !l.checkLabels(b, labels) {
			continue
		}
		l.declareBlock(b)
	}
}

func (l *loader) declareBlock(b *hclsyntax.Block) {
	switch b.Type {
	case "collect":
		if l.collect != nil {
			l.Duplicate(b, "collect block", l.collect.DefRange())
			return
		}
		l.collect = b
	case "variable":
		l.Variables.Declare(b)
	case "locals":
		l.DeclareLocals(b)
	case "output":
		for _, o := range l.outputs {
			if o.Labels[0] == b.Labels[0] {
				l.Duplicate(b, "output "+diag.Quote(b.Labels[0]), o.DefRange())
				return
			}
		}
		l.outputs = append(l.outputs, b)
	case "provider":
		l.DeclareProvider(b)
	case "topic":
		l.declareResource(l.Topics, schema.Topic, b)
	case "agent":
		l.declareResource(l.Agents, schema.Agent, b)
	}
}

func (l *loader) declareResource(into map[string]*names.Resource, kind schema.Kind, b *hclsyntax.Block) {
	name := b.Labels[0]
	if old := into[name]; old != nil {
		l.Duplicate(b, string(kind)+" "+diag.Quote(name), old.Block.DefRange())
		return
	}
	into[name] = &names.Resource{Kind: kind, Name: name, Block: b}
}

func (l *loader) unknownTopBlock(b *hclsyntax.Block) {
	switch {
	case b.Type == "resource" || b.Type == "terraform" || b.Type == "data" || b.Type == "module":
		l.Fail(b.DefRange(), "This looks like a Terraform file", "collect has no %q blocks. Its blocks are collect, variable, locals, output, provider, topic and agent; keep Terraform's files in a directory of their own.", b.Type)
	case insideAgent[b.Type] != "":
		l.Fail(b.TypeRange, "Block outside of an agent", "%s", insideAgent[b.Type])
	default:
		l.Fail(b.TypeRange, "Unknown block", "There are no %q blocks here.%s", b.Type, diag.DidYouMean(b.Type, sorted.Keys(decode.TopBlocks), "%q"))
	}
}

// checkLabels says whether a block has the labels it needs, and whether its names can be names.
func (l *loader) checkLabels(b *hclsyntax.Block, want []string) bool {
	form := b.Type
	for _, w := range want {
		form += " " + diag.Quote(w)
	}
	form += " { … }"
	if len(b.Labels) < len(want) {
		l.Fail(b.DefRange(), "Missing name", "This block needs %s after %q: %s.", plural(len(want), "a name", "a type and a name"), b.Type, form)
		return false
	}
	if len(b.Labels) > len(want) {
		l.Fail(b.LabelRanges[len(want)], "Too many names", "This block is written %s.", form)
		return false
	}
	for i, w := range want {
		if w == "NAME" && !ref.ValidName(b.Labels[i]) {
			l.invalidName(b.Labels[i], b.LabelRanges[i])
			return false
		}
	}
	return true
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (l *loader) invalidName(name string, at hcl.Range) {
	if len(name) > ref.MaxName {
		l.Fail(at, "Invalid name", "A name has %d characters at most.", ref.MaxName)
		return
	}
	l.Fail(at, "Invalid name", "%q cannot be a name: names are made of letters, digits, \"_\" and \"-\", and begin with a letter or \"_\".", name)
}
