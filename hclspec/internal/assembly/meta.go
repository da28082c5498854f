package assembly

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

// lifecycle reads the lifecycle block.
func (bl *Builder) lifecycle(cont *names.Contents, sc *names.Scope, known []string) Lifecycle {
	var out Lifecycle
	var first *names.Block
	for _, b := range cont.Blocks {
		if b.Type != "lifecycle" {
			continue
		}
		if first != nil {
			bl.Fail(b.At, "Declared twice", "There is one lifecycle block already, at %s:%d.", first.At.Filename, first.At.Start.Line)
			continue
		}
		first = b
		d := &decode.Decoding{Decoder: bl.Decoder, Scope: sc, What: "lifecycle block", Args: []string{"prevent_destroy", "ignore_changes"}, Plain: true}
		c := bl.Open(b)
		d.Block(c)
		out.PreventDestroy = d.Boolean(c, "prevent_destroy")
		if a := c.Attrs["ignore_changes"]; a != nil {
			out.IgnoreChanges = bl.ignoreChanges(a, known)
		}
	}
	return out
}

// ignoreChanges reads a list of argument names, as names or in quotes.
func (bl *Builder) ignoreChanges(a *hclsyntax.Attribute, known []string) []string {
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		bl.Fail(a.Expr.Range(), "Wrong type", "ignore_changes is a list of arguments, such as [config].")
		return nil
	}
	var out []string
	for _, e := range list {
		var s string
		t, diags := hcl.AbsTraversalForExpr(e)
		ok := !diags.HasErrors()
		if ok {
			s = ref.TraversalText(t)
		} else {
			s, ok = bl.ConstantText(e)
		}
		if root, _, _ := strings.Cut(s, "."); ok && !slices.Contains(known, root) {
			bl.Fail(e.Range(), "Unknown argument", "There is no argument %q that ignore_changes could mean.%s", s, diag.DidYouMean(root, known, "%q"))
			continue
		}
		if !ok {
			bl.Fail(e.Range(), "Wrong type", "ignore_changes is a list of arguments, such as [config].")
			continue
		}
		out = append(out, s)
	}
	return out
}

// dependencies reads depends_on of a block.
func (bl *Builder) dependencies(from string, a *hclsyntax.Attribute) []string {
	list := bl.dependsOn(a)
	for _, to := range list {
		bl.graph.Depend(from, to, a.Range())
	}
	return list
}

// dependsOn reads a list of topics and agents.
func (bl *Builder) dependsOn(a *hclsyntax.Attribute) []string {
	if a == nil {
		return nil
	}
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		bl.Fail(a.Expr.Range(), "Wrong type", "depends_on is a list of topics and agents, such as [topic.NAME, agent.NAME].")
		return nil
	}
	var out []string
	for _, e := range list {
		t, diags := hcl.AbsTraversalForExpr(e)
		if diags.HasErrors() || t.RootName() != "topic" && t.RootName() != "agent" || len(t) < 2 {
			bl.Fail(e.Range(), "Wrong reference", "depends_on takes topics and agents, such as topic.NAME or agent.NAME.")
			continue
		}
		out = append(out, bl.dependency(t)...)
	}
	return out
}

// dependency gives the address of one instance, or those of all instances of a block.
func (bl *Builder) dependency(t hcl.Traversal) []string {
	all := bl.Topics
	if t.RootName() == "agent" {
		all = bl.Agents
	}
	name, _ := ref.StepName(t[1])
	r := all[name]
	if r == nil {
		bl.Fail(t.SourceRange(), "Undeclared "+t.RootName(), "No %s block declares %q.%s", t.RootName(), name, diag.DidYouMean(name, sorted.Keys(all), t.RootName()+".%s"))
		return nil
	}
	var out []string
	for _, inst := range r.Expand(bl.Names) {
		if len(t) == 2 || inst.Addr == ref.TraversalText(t[:3]) {
			out = append(out, inst.Addr)
		}
	}
	if len(t) > 2 && len(out) == 0 && !r.Unknown {
		bl.Fail(t.SourceRange(), "Unknown instance", "%s has no such instance.", r.Address())
	}
	return out
}
