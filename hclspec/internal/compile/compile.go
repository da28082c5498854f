// Package compile turns the syntax tree of an expression into a tree of closures over an event, and says what is wrong with it. The
// functions that may be called are given to it: package native has those with closures of their own.
package compile

import (
	"fmt"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/printer"
)

const eventName = "event"

// maxOperators bounds chains such as a || b || …, which are as deep as they are long.
const maxOperators = 10_000

// compiler turns a syntax tree into nodes, collecting everything that is wrong.
type compiler struct {
	ctx     *hcl.EvalContext
	eval    Evaluate
	funcs   map[string]functions.Function
	natives map[string]Native
	diags   hcl.Diagnostics
	bound   []boundVar                        // variables of the for expressions around
	anon    map[*hclsyntax.AnonSymbolExpr]int // slots of splat items, indexes of bound
	folded  printer.Folded                    // expressions that do not depend on the event
	reads   map[hclsyntax.Expression]reads
	unknown bool   // a constant is not known yet
	src     []byte // text of the file, for advice
}

// boundVar is a variable of a for expression; its value is in Scratch.Vars at its index in compiler.bound.
type boundVar struct {
	name string
	typ  cty.Type
}

func (l *Language) compiler(ctx *hcl.EvalContext) *compiler {
	c := &compiler{
		eval:    hclsyntax.Expression.Value,
		funcs:   functions.Table(),
		natives: l.Natives,
		anon:    map[*hclsyntax.AnonSymbolExpr]int{},
		folded:  printer.Folded{},
		reads:   map[hclsyntax.Expression]reads{},
	}
	if ctx == nil {
		ctx = &hcl.EvalContext{Functions: functions.CtyTable()}
	}
	c.ctx = ctx
	return c
}

func (c *compiler) errorf(at hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  &at,
	})
}

// top compiles a whole expression and holds it against the wanted type.
func (c *compiler) top(e hclsyntax.Expression, want Type) *closure.Node {
	if c.scan(e); c.diags.HasErrors() {
		return nil
	}
	n := c.expr(e)
	if n == nil || c.unknown {
		return n
	}
	if n.IsConst && n.Const.IsNull() {
		c.errorf(e.Range(), "No value", "The value is null.")
		return nil
	}
	switch want {
	case TypeBool:
		if n.IsConst {
			c.errorf(e.Range(), "Constant condition", "This is %s for every event. A condition must depend on the event.", constText(n.Const))
			return nil
		}
		c.asBool(n, e.Range())
	case TypeNumber:
		c.asNumber(n, e.Range())
	case TypeString:
		c.asText(n, e.Range())
	default:
		if !n.Type.IsPrimitiveType() && n.Type != cty.DynamicPseudoType {
			c.errorf(e.Range(), "Wrong type", "This is %s. A text, number or bool is needed here; jsonencode() makes a text of it.", constant.TypeName(n.Type))
		}
	}
	return n
}

func constText(v cty.Value) string {
	if p, ok := constant.Plain(v); ok {
		return fmt.Sprint(p)
	}
	return "the same"
}

// expr compiles any expression; nil means that a diagnostic says why not.
func (c *compiler) expr(e hclsyntax.Expression) *closure.Node {
	if !c.depends(e) {
		return c.constant(e)
	}
	switch x := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.expr(x.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return c.expr(x.Wrapped)
	case *hclsyntax.ObjectConsKeyExpr:
		return c.expr(x.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		return c.traversal(x)
	case *hclsyntax.RelativeTraversalExpr:
		return c.steps(c.expr(x.Source), x.Traversal)
	case *hclsyntax.IndexExpr:
		return c.index(x)
	case *hclsyntax.TemplateExpr:
		return c.template(x)
	case *hclsyntax.TemplateJoinExpr:
		return c.templateJoin(x)
	case *hclsyntax.BinaryOpExpr:
		return c.binary(x)
	case *hclsyntax.UnaryOpExpr:
		return c.unary(x)
	case *hclsyntax.ConditionalExpr:
		return c.conditional(x)
	case *hclsyntax.FunctionCallExpr:
		return c.call(x)
	case *hclsyntax.TupleConsExpr:
		return c.tuple(x)
	case *hclsyntax.ObjectConsExpr:
		return c.object(x)
	case *hclsyntax.ForExpr:
		return c.forExpr(x)
	case *hclsyntax.SplatExpr:
		return c.splat(x)
	case *hclsyntax.AnonSymbolExpr:
		return c.variable(c.anon[x])
	}
	c.errorf(e.Range(), "Unsupported expression", "This form of expression cannot depend on the event.")
	return nil
}

// reads says what an expression refers to, found in one walk over the whole tree.
type reads struct{ event, bound bool }

// depends says whether an expression reads the event or a variable that was bound from it.
func (c *compiler) depends(e hclsyntax.Expression) bool {
	r, known := c.reads[e]
	if !known {
		c.scan(e)
		r = c.reads[e]
	}
	if r.event || !r.bound || len(c.bound) == 0 {
		return r.event
	}
	w := &anonWalker{c: c}
	_ = hclsyntax.Walk(e, w)
	return w.found || slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return c.lookup(t.RootName()) >= 0 })
}

// scan fills reads for an expression and everything in it.
func (c *compiler) scan(e hclsyntax.Expression) {
	w := &readsWalker{c: c, names: map[string]bool{}, stack: []reads{{}}}
	for _, n := range printer.LoopVariables(e) {
		w.names[n] = true
	}
	_ = hclsyntax.Walk(e, w)
	if w.ops > maxOperators {
		c.errorf(e.Range(), "Expression too long", "An expression may hold %d operators at most.", maxOperators)
	}
}

type readsWalker struct {
	c     *compiler
	names map[string]bool
	stack []reads
	ops   int
}

func (w *readsWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	var r reads
	switch x := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		r.event = x.Traversal.RootName() == eventName
		r.bound = w.names[x.Traversal.RootName()]
	case *hclsyntax.AnonSymbolExpr:
		r.bound = true
	case *hclsyntax.BinaryOpExpr:
		w.ops++
	}
	w.stack = append(w.stack, r)
	return nil
}

func (w *readsWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	last := len(w.stack) - 1
	r := w.stack[last]
	w.stack = w.stack[:last]
	w.stack[last-1].event = w.stack[last-1].event || r.event
	w.stack[last-1].bound = w.stack[last-1].bound || r.bound
	if e, ok := n.(hclsyntax.Expression); ok {
		w.c.reads[e] = r
	}
	return nil
}

// anonWalker finds the items of splat expressions around, which have no name.
type anonWalker struct {
	c     *compiler
	found bool
}

func (w *anonWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if a, ok := n.(*hclsyntax.AnonSymbolExpr); ok {
		if _, ok := w.c.anon[a]; ok {
			w.found = true
		}
	}
	return nil
}

func (w *anonWalker) Exit(hclsyntax.Node) hcl.Diagnostics { return nil }

// lookup gives the slot of a bound variable, or -1.
func (c *compiler) lookup(name string) int {
	for i := len(c.bound) - 1; i >= 0; i-- {
		if c.bound[i].name == name {
			return i
		}
	}
	return -1
}

// constant evaluates an expression that does not depend on the event.
func (c *compiler) constant(e hclsyntax.Expression) *closure.Node {
	v, diags := c.eval(e, c.ctx)
	c.diags = append(c.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	return c.fold(e, v)
}

// fold remembers a constant and makes its node.
func (c *compiler) fold(e hclsyntax.Expression, v cty.Value) *closure.Node {
	if v.ContainsMarked() {
		c.errorf(e.Range(), "Sensitive value per event", "A sensitive value cannot be used in an expression that depends on the event: it would have to be stored with the expression.")
		return nil
	}
	if !v.IsWhollyKnown() {
		c.unknown = true
		return closure.UnknownNode(v.Type())
	}
	if why := usable(v); why != "" {
		c.errorf(e.Range(), "Unsuitable value per event", "%s", why)
		return nil
	}
	c.folded[e] = v
	return closure.ConstNode(v)
}

// usable says why a constant cannot be written into a spec, or "".
func usable(v cty.Value) (why string) {
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		switch {
		case v.Type().IsCapsuleType():
			why = "A reference cannot be used in an expression that depends on the event, since the connections of the configuration must be " +
				"known beforehand. Use one of its attributes, such as topic.NAME.name."
		case v.Type() == cty.String && !v.IsNull() && !utf8.ValidString(v.AsString()):
			why = "The value is not valid UTF-8 text."
		}
		return why == "", nil
	})
	return why
}

// suggest gives " Did you mean X?" for the name that is nearest, or "".
func suggest(given string, names []string) string {
	sort.Strings(names)
	best, dist := "", len(given)/2+1
	for _, n := range names {
		if d := levenshtein.Distance(given, n, nil); d < dist && d <= 3 {
			best, dist = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %s?", best)
}
