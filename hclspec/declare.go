package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// topBlocks are the blocks that may stand at the top of a file, with their labels.
var topBlocks = map[string][]string{
	"collect":  nil,
	"variable": {"NAME"},
	"locals":   nil,
	"output":   {"NAME"},
	"provider": {"TYPE"},
	"topic":    {"NAME"},
	"agent":    {"NAME"},
}

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
	for _, name := range sortedKeys(body.Attributes) {
		a := body.Attributes[name]
		l.fail(a.NameRange, "Argument outside of a block", "%q stands in no block. A value with a name is written locals { %s = … }; a value from outside is a variable block, and is given in collect.hclvars.", name, name)
	}
	for _, b := range body.Blocks {
		labels, ok := topBlocks[b.Type]
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
			l.duplicate(b, "collect block", l.collect.DefRange())
			return
		}
		l.collect = b
	case "variable":
		l.declareVariable(b)
	case "locals":
		l.declareLocals(b)
	case "output":
		for _, o := range l.outputs {
			if o.Labels[0] == b.Labels[0] {
				l.duplicate(b, "output "+quote(b.Labels[0]), o.DefRange())
				return
			}
		}
		l.outputs = append(l.outputs, b)
	case "provider":
		l.declareProvider(b)
	case "topic":
		l.declareResource(l.topics, schema.Topic, b)
	case "agent":
		l.declareResource(l.agents, schema.Agent, b)
	}
}

func (l *loader) declareResource(into map[string]*resource, kind schema.Kind, b *hclsyntax.Block) {
	name := b.Labels[0]
	if old := into[name]; old != nil {
		l.duplicate(b, string(kind)+" "+quote(name), old.block.DefRange())
		return
	}
	into[name] = &resource{kind: kind, name: name, block: b}
}

func (l *loader) duplicate(b *hclsyntax.Block, what string, first hcl.Range) {
	l.fail(b.DefRange(), "Declared twice", "The %s is already declared at %s:%d.", what, first.Filename, first.Start.Line)
}

func (l *loader) unknownTopBlock(b *hclsyntax.Block) {
	switch {
	case b.Type == "resource" || b.Type == "terraform" || b.Type == "data" || b.Type == "module":
		l.fail(b.DefRange(), "This looks like a Terraform file", "collect has no %q blocks. Its blocks are collect, variable, locals, output, provider, topic and agent; keep Terraform's files in a directory of their own.", b.Type)
	case insideAgent[b.Type] != "":
		l.fail(b.TypeRange, "Block outside of an agent", "%s", insideAgent[b.Type])
	default:
		l.fail(b.TypeRange, "Unknown block", "There are no %q blocks here.%s", b.Type, diag.DidYouMean(b.Type, sortedKeys(topBlocks), "%q"))
	}
}

// checkLabels says whether a block has the labels it needs, and whether its names can be names.
func (l *loader) checkLabels(b *hclsyntax.Block, want []string) bool {
	form := b.Type
	for _, w := range want {
		form += " " + quote(w)
	}
	form += " { … }"
	if len(b.Labels) < len(want) {
		l.fail(b.DefRange(), "Missing name", "This block needs %s after %q: %s.", plural(len(want), "a name", "a type and a name"), b.Type, form)
		return false
	}
	if len(b.Labels) > len(want) {
		l.fail(b.LabelRanges[len(want)], "Too many names", "This block is written %s.", form)
		return false
	}
	for i, w := range want {
		if w == "NAME" && !validName(b.Labels[i]) {
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

const maxName = 100

func (l *loader) invalidName(name string, at hcl.Range) {
	if len(name) > maxName {
		l.fail(at, "Invalid name", "A name has %d characters at most.", maxName)
		return
	}
	l.fail(at, "Invalid name", "%q cannot be a name: names are made of letters, digits, \"_\" and \"-\", and begin with a letter or \"_\".", name)
}

// validName says whether a name can be written in a reference.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
