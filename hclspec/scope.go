package hclspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
)

// state is how far a value is: each is worked out once, when it is first asked for.
type state uint8

const (
	untouched state = iota
	running
	done
	failed // and reported
)

// step is one value that is being worked out.
type step struct {
	what string
	at   hcl.Range
}

// maxChain bounds how many values may wait for each other; the stack could not hold many more.
const maxChain = 20000

// enter notes that a value is being worked out.
func (l *loader) enter(what string, at hcl.Range) bool {
	if len(l.stack) >= maxChain {
		l.fail(at, "Chain of references is too long", "More than %d values depend on each other in a row here.", maxChain)
		return false
	}
	l.stack = append(l.stack, step{what, at})
	return true
}

func (l *loader) leave() { l.stack = l.stack[:len(l.stack)-1] }

// cycle reports that a value depends on itself, with every step of the way.
func (l *loader) cycle(what string) {
	i := len(l.stack) - 1
	for i > 0 && l.stack[i].what != what {
		i--
	}
	var b strings.Builder
	for _, s := range l.stack[i:] {
		fmt.Fprintf(&b, "\n  %s (%s:%d) needs", s.what, s.at.Filename, s.at.Start.Line)
	}
	l.fail(l.stack[i].at, "Value depends on itself", "%s cannot be worked out:%s\n  %s", what, b.String(), what)
}

// scope is what names mean at a place.
type scope struct {
	label string    // the block, for messages
	each  cty.Value // each, as an object; NilVal: there is none
	count cty.Value
	iters map[string]iterator // of dynamic blocks
	agent *instance           // the agent whose channels, sinks and sources are visible
}

type iterator struct {
	value    cty.Value
	implicit bool // named after its block
}

// with gives the scope inside a dynamic block.
func (sc *scope) with(name string, it iterator) *scope {
	c := *sc
	c.iters = make(map[string]iterator, len(sc.iters)+1)
	for k, v := range sc.iters {
		c.iters[k] = v
	}
	c.iters[name] = it
	return &c
}

// names are the values that an expression uses, by root name.
type names struct {
	parts map[string]map[string]cty.Value // root -> name -> value
	whole map[string]cty.Value
	plain bool // without the references inside of topics and sources: for expressions that outlive this program
	refs  []*ref

	layouts []hclsyntax.Expression // what formatdate is called with
}

func (n *names) put(root, name string, v cty.Value) {
	if n.parts == nil {
		n.parts = map[string]map[string]cty.Value{}
	}
	if n.parts[root] == nil {
		n.parts[root] = map[string]cty.Value{}
	}
	n.parts[root][name] = v
}

func (n *names) putWhole(root string, v cty.Value) {
	if n.whole == nil {
		n.whole = map[string]cty.Value{}
	}
	n.whole[root] = v
}

func (n *names) context(base *hcl.EvalContext) *hcl.EvalContext {
	if n.parts == nil && n.whole == nil {
		return base
	}
	ctx := base.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(n.parts)+len(n.whole))
	for root, m := range n.parts {
		ctx.Variables[root] = cty.ObjectVal(m)
	}
	for root, v := range n.whole {
		ctx.Variables[root] = v
	}
	return ctx
}

// eval evaluates an expression that must not depend on the event. Not ok: reported, here or where the cause is.
func (l *loader) eval(e hclsyntax.Expression, sc *scope) (cty.Value, bool) {
	if lit, ok := e.(*hclsyntax.LiteralValueExpr); ok {
		return lit.Val, true
	}
	n := names{}
	if !l.gather(e, sc, &n, false) {
		return cty.DynamicVal, false
	}
	return l.value(e, &n)
}

func (l *loader) value(e hclsyntax.Expression, n *names) (cty.Value, bool) {
	ctx := n.context(l.base)
	v, diags := l.meter.Value(e, ctx)
	l.checkLayouts(n, ctx)
	if len(diags) > 0 {
		l.add(diags)
	}
	return v, !diags.HasErrors()
}

// gather finds the values of all names in an expression, and checks the names of functions: both also where try and can
// would hide that they do not exist.
func (l *loader) gather(e hclsyntax.Expression, sc *scope, n *names, event bool) bool {
	ok := l.checkCalls(e, n)
	for _, t := range e.Variables() {
		if event && t.RootName() == "event" {
			continue
		}
		if !l.resolve(t, sc, n) {
			ok = false
		}
	}
	return ok
}

func (l *loader) checkCalls(e hclsyntax.Expression, names *names) bool {
	switch e.(type) {
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.LiteralValueExpr:
		return true
	}
	ok := true
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		call, is := n.(*hclsyntax.FunctionCallExpr)
		if !is {
			return nil
		}
		if call.Name == "formatdate" && len(call.Args) > 0 {
			names.layouts = append(names.layouts, call.Args[0])
		}
		if _, known := l.funcs[call.Name]; !known {
			ok = false
			l.unknownFunction(call)
		}
		return nil
	})
	return ok
}

func (l *loader) unknownFunction(call *hclsyntax.FunctionCallExpr) {
	if call.Name == "timestamp" || call.Name == "plantimestamp" {
		l.fail(call.NameRange, "No function for the current time", "A plan says exactly what will be done, so it cannot depend on the time at which it is made. The time of an event is event.time.")
		return
	}
	l.fail(call.NameRange, "Unknown function", "There is no function %q.%s", call.Name, diag.NearOnly(call.Name, sortedKeys(l.funcs), "%q"))
}
