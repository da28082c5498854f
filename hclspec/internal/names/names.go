// Package names says what names mean: it finds what a reference begins with, and works out local values, count, for_each, dynamic
// blocks and what others may read of topics and agents. Each is evaluated when it is first asked for and remembered, so the order
// of blocks does not matter and nothing is evaluated twice.
package names

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/variable"
	"collect/hclspec/schema"
)

// Names is everything that an expression can refer to.
type Names struct {
	*reading.Reading
	Types         schema.Types
	Variables     *variable.Set
	locals        map[string]*local
	Topics        map[string]*Resource
	Agents        map[string]*Resource
	ProviderTypes map[string]bool // the types that have a provider, for advice

	// path gives path.*, which the collect block settles; NilVal while that block is being evaluated.
	path  func() cty.Value
	Funcs map[string]function.Function
	Base  *hcl.EvalContext
	stack []step // what is being evaluated, for cycles
	memos memo
}

// memo holds values that are built once.
type memo struct{ topics, agents cty.Value }

// New knows the functions and no name yet.
func New(rd *reading.Reading, types schema.Types, path func() cty.Value) *Names {
	ns := &Names{
		Reading:       rd,
		Types:         types,
		locals:        map[string]*local{},
		Topics:        map[string]*Resource{},
		Agents:        map[string]*Resource{},
		ProviderTypes: map[string]bool{},
		path:          path,
	}
	ns.Variables = variable.New(rd, func(e hclsyntax.Expression) (cty.Value, bool) { return ns.Eval(e, &Scope{}) })
	ns.Funcs = ns.functions()
	ns.Meter.Functions = ns.Funcs
	ns.Base = &hcl.EvalContext{Functions: ns.Funcs}
	return ns
}

// functions gives the functions that exist before anything runs.
func (ns *Names) functions() map[string]function.Function {
	out := maps.Clone(functions.CtyTable())
	ns.Machine.AddFunctions(out)
	for name, f := range out {
		if cost := functions.Cost(name); cost != nil {
			out[name] = ns.Meter.Costly(f, cost)
		}
	}
	return out
}
