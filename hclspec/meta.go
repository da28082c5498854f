package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/diag"
)

// lifecycle reads the lifecycle block.
func (l *loader) lifecycle(cont *contents, sc *scope, known []string) Lifecycle {
	var out Lifecycle
	var first *block
	for _, b := range cont.blocks {
		if b.typ != "lifecycle" {
			continue
		}
		if first != nil {
			l.fail(b.at, "Declared twice", "There is one lifecycle block already, at %s:%d.", first.at.Filename, first.at.Start.Line)
			continue
		}
		first = b
		d := &decoding{l: l, sc: sc, what: "lifecycle block", args: []string{"prevent_destroy", "ignore_changes"}, plain: true}
		c := l.open(b)
		d.block(c)
		out.PreventDestroy = d.boolean(c, "prevent_destroy")
		if a := c.attrs["ignore_changes"]; a != nil {
			out.IgnoreChanges = l.ignoreChanges(a, known)
		}
	}
	return out
}

// ignoreChanges reads a list of argument names, as names or in quotes.
func (l *loader) ignoreChanges(a *hclsyntax.Attribute, known []string) []string {
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		l.fail(a.Expr.Range(), "Wrong type", "ignore_changes is a list of arguments, such as [config].")
		return nil
	}
	var out []string
	for _, e := range list {
		var s string
		t, diags := hcl.AbsTraversalForExpr(e)
		ok := !diags.HasErrors()
		if ok {
			s = traversalText(t)
		} else {
			s, ok = l.constantText(e)
		}
		if root, _, _ := strings.Cut(s, "."); ok && !contains(known, root) {
			l.fail(e.Range(), "Unknown argument", "There is no argument %q that ignore_changes could mean.%s", s, diag.DidYouMean(root, known, "%q"))
			continue
		}
		if !ok {
			l.fail(e.Range(), "Wrong type", "ignore_changes is a list of arguments, such as [config].")
			continue
		}
		out = append(out, s)
	}
	return out
}

// dependencies reads depends_on of a block.
func (l *loader) dependencies(from string, a *hclsyntax.Attribute) []string {
	list := l.dependsOn(a)
	for _, to := range list {
		l.graph.Depend(from, to, a.Range())
	}
	return list
}

// dependsOn reads a list of topics and agents.
func (l *loader) dependsOn(a *hclsyntax.Attribute) []string {
	if a == nil {
		return nil
	}
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		l.fail(a.Expr.Range(), "Wrong type", "depends_on is a list of topics and agents, such as [topic.NAME, agent.NAME].")
		return nil
	}
	var out []string
	for _, e := range list {
		t, diags := hcl.AbsTraversalForExpr(e)
		if diags.HasErrors() || t.RootName() != "topic" && t.RootName() != "agent" || len(t) < 2 {
			l.fail(e.Range(), "Wrong reference", "depends_on takes topics and agents, such as topic.NAME or agent.NAME.")
			continue
		}
		out = append(out, l.dependency(t)...)
	}
	return out
}

// dependency gives the address of one instance, or those of all instances of a block.
func (l *loader) dependency(t hcl.Traversal) []string {
	all := l.topics
	if t.RootName() == "agent" {
		all = l.agents
	}
	name, _ := stepName(t[1])
	r := all[name]
	if r == nil {
		l.fail(t.SourceRange(), "Undeclared "+t.RootName(), "No %s block declares %q.%s", t.RootName(), name, diag.DidYouMean(name, sortedKeys(all), t.RootName()+".%s"))
		return nil
	}
	var out []string
	for _, inst := range r.expand(l) {
		if len(t) == 2 || inst.addr == traversalText(t[:3]) {
			out = append(out, inst.addr)
		}
	}
	if len(t) > 2 && len(out) == 0 && !r.unknown {
		l.fail(t.SourceRange(), "Unknown instance", "%s has no such instance.", r.address())
	}
	return out
}
