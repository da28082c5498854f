package compile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/closure"
	"collect/hclspec/internal/diag"
)

// Native is a function's own way of working on events.
type Native struct {
	Build Builder
	// Typed says that Build finds the type of the result and what is wrong with the arguments.
	Typed bool
}

// Builder makes the closures of a call whose arguments are checked; nil means that a diagnostic says why not.
type Builder func(*Call) *closure.Node

// Call is a call of a function, as the builder of its closures sees it. Arguments are known by their numbers.
type Call struct {
	Name string
	Type cty.Type          // of what the plan-time function gives for such arguments
	Func function.Function // the plan-time function
	args []*closure.Node
	c    *compiler
	e    *hclsyntax.FunctionCallExpr
}

// Len counts the arguments.
func (c *Call) Len() int { return len(c.args) }

// Text gives argument i as text, or nil when it cannot be one, which is reported then.
func (c *Call) Text(i int) closure.StrFn { return c.c.asText(c.args[i], c.at(i)) }

// Number gives argument i as a number, as Text does.
func (c *Call) Number(i int) closure.NumFn { return c.c.asNumber(c.args[i], c.at(i)) }

// Boolean gives argument i as true or false, as Text does.
func (c *Call) Boolean(i int) closure.BoolFn { return c.c.asBool(c.args[i], c.at(i)) }

// Time gives argument i as an instant, as Text does.
func (c *Call) Time(i int) closure.TimeFn { return c.c.asTime(c.args[i], c.at(i)) }

// Value gives argument i as it is.
func (c *Call) Value(i int) closure.ValFn { return c.args[i].Val }

// Converted gives argument i converted to the type of the result.
func (c *Call) Converted(i int) closure.ValFn { return closure.As(c.Type, c.args[i]) }

// ArgType is what is known of the type of argument i.
func (c *Call) ArgType(i int) cty.Type { return c.args[i].Type }

// Nullable says whether argument i may be null although its type says otherwise.
func (c *Call) Nullable(i int) bool { return c.args[i].Nullable }

// Total says whether argument i has a value for every event.
func (c *Call) Total(i int) bool { return c.args[i].Total }

// Constant gives the value of argument i when it does not depend on the event.
func (c *Call) Constant(i int) (cty.Value, bool) { return c.args[i].Const, c.args[i].IsConst }

// Literal gives argument i when it is a constant text.
func (c *Call) Literal(i int) (string, bool) { return c.args[i].Text() }

// Headers says whether argument i is event.headers itself.
func (c *Call) Headers(i int) bool { return isHeaders(c.e.Args[i]) }

func (c *Call) at(i int) hcl.Range { return c.e.Args[i].Range() }

// Fail reports what is wrong with the call.
func (c *Call) Fail(summary, detail string, args ...any) {
	c.c.errorf(c.e.Range(), summary, detail, args...)
}

// FailAt reports what is wrong with argument i.
func (c *Call) FailAt(i int, summary, detail string, args ...any) {
	c.c.errorf(c.at(i), summary, detail, args...)
}

// Refuse reports an error of argument i.
func (c *Call) Refuse(i int, summary string, err error) {
	c.FailAt(i, summary, "%s.", diag.UpperFirst(err.Error()))
}

// WrongType reports that argument i is not what is needed.
func (c *Call) WrongType(i int, need string) { c.c.typeError(c.args[i], c.at(i), need) }

// WarnAt reports a doubt about argument i.
func (c *Call) WarnAt(i int, summary, detail string) {
	c.c.diags = append(c.c.diags, diag.Warning(c.at(i), summary, detail))
}

// NeverIn reports that no element of type t, in argument list, can equal argument x.
func (c *Call) NeverIn(list int, t cty.Type, x int) bool {
	return c.c.differ(c.e.Range(), c.at(list), c.at(x), &closure.Node{Type: t, IsConst: true}, c.args[x])
}

// PerEvent calls the plan-time function for each event: slower, and with its normalisation of text.
func (c *Call) PerEvent() *closure.Node { return closure.ViaCty(c.Name, c.Type, c.Func, c.args) }
