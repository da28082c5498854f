package names

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

// step is one value that is being worked out.
type step struct {
	what string
	at   hcl.Range
}

// maxChain bounds how many values may wait for each other; the stack could not hold many more.
const maxChain = 20000

// Enter notes that a value is being worked out.
func (ns *Names) Enter(what string, at hcl.Range) bool {
	if len(ns.stack) >= maxChain {
		ns.Fail(at, "Chain of references is too long", "More than %d values depend on each other in a row here.", maxChain)
		return false
	}
	ns.stack = append(ns.stack, step{what, at})
	return true
}

// Leave ends what Enter began.
func (ns *Names) Leave() { ns.stack = ns.stack[:len(ns.stack)-1] }

// Cycle reports that a value depends on itself, with every step of the way.
func (ns *Names) Cycle(what string) {
	i := len(ns.stack) - 1
	for i > 0 && ns.stack[i].what != what {
		i--
	}
	var b strings.Builder
	for _, s := range ns.stack[i:] {
		fmt.Fprintf(&b, "\n  %s (%s:%d) needs", s.what, s.at.Filename, s.at.Start.Line)
	}
	ns.Fail(ns.stack[i].at, "Value depends on itself", "%s cannot be worked out:%s\n  %s", what, b.String(), what)
}

// Scope is what names mean at a place.
type Scope struct {
	each  cty.Value // each, as an object; NilVal: there is none
	count cty.Value
	iters map[string]iterator // of dynamic blocks
	Agent *Instance           // the agent whose channels, sinks and sources are visible
}

type iterator struct {
	value    cty.Value
	implicit bool // named after its block
}

// Shadows says whether a name is the iterator of a dynamic block here.
func (sc *Scope) Shadows(name string) bool {
	_, ok := sc.iters[name]
	return ok
}

// with gives the scope inside a dynamic block.
func (sc *Scope) with(name string, it iterator) *Scope {
	c := *sc
	c.iters = make(map[string]iterator, len(sc.iters)+1)
	for k, v := range sc.iters {
		c.iters[k] = v
	}
	c.iters[name] = it
	return &c
}

// Inputs are the values that an expression uses, by root name.
type Inputs struct {
	parts map[string]map[string]cty.Value // root -> name -> value
	whole map[string]cty.Value
	Plain bool // without the references inside of topics and sources: for expressions that outlive this program
	Refs  []*ref.Ref

	layouts []hclsyntax.Expression // what formatdate is called with
}

// put makes one value below a root visible: only what an expression uses, so that a large configuration costs it nothing.
func (n *Inputs) put(root, name string, v cty.Value) {
	if n.parts == nil {
		n.parts = map[string]map[string]cty.Value{}
	}
	if n.parts[root] == nil {
		n.parts[root] = map[string]cty.Value{}
	}
	n.parts[root][name] = v
}

func (n *Inputs) putWhole(root string, v cty.Value) {
	if n.whole == nil {
		n.whole = map[string]cty.Value{}
	}
	n.whole[root] = v
}

// Context gives the values to an evaluation, above what base has for all.
func (n *Inputs) Context(base *hcl.EvalContext) *hcl.EvalContext {
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

// Eval evaluates an expression that must not depend on the event. Not ok: reported, here or where the cause is.
func (ns *Names) Eval(e hclsyntax.Expression, sc *Scope) (cty.Value, bool) {
	if lit, ok := e.(*hclsyntax.LiteralValueExpr); ok {
		return lit.Val, true
	}
	n := Inputs{}
	if !ns.Gather(e, sc, &n, false) {
		return cty.DynamicVal, false
	}
	return ns.value(e, &n)
}

func (ns *Names) value(e hclsyntax.Expression, n *Inputs) (cty.Value, bool) {
	ctx := n.Context(ns.Base)
	v, diags := ns.Meter.Value(e, ctx)
	ns.CheckLayouts(n, ctx)
	if len(diags) > 0 {
		ns.Add(diags)
	}
	return v, !diags.HasErrors()
}

// Gather finds the values of all names in an expression, and checks the names of functions: both also where try and can
// would hide that they do not exist.
func (ns *Names) Gather(e hclsyntax.Expression, sc *Scope, n *Inputs, event bool) bool {
	ok := ns.checkCalls(e, n)
	for _, t := range e.Variables() {
		if event && t.RootName() == "event" {
			continue
		}
		if !ns.resolve(t, sc, n) {
			ok = false
		}
	}
	return ok
}

// checkCalls finds functions that do not exist, and remembers the layouts that formatdate is given.
func (ns *Names) checkCalls(e hclsyntax.Expression, in *Inputs) bool {
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
			in.layouts = append(in.layouts, call.Args[0])
		}
		if _, known := ns.Funcs[call.Name]; !known {
			ok = false
			ns.unknownFunction(call)
		}
		return nil
	})
	return ok
}

func (ns *Names) unknownFunction(call *hclsyntax.FunctionCallExpr) {
	if call.Name == "timestamp" || call.Name == "plantimestamp" {
		ns.Fail(call.NameRange, "No function for the current time", "A plan says exactly what will be done, so it cannot depend on the time at which it is made. The time of an event is event.time.")
		return
	}
	ns.Fail(call.NameRange, "Unknown function", "There is no function %q.%s", call.Name, diag.NearOnly(call.Name, sorted.Keys(ns.Funcs), "%q"))
}
