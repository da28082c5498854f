package functions

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

type mark string

// Sensitive marks values that no output, plan or per-event expression may show.
const Sensitive = mark("sensitive")

// sensitiveFunc marks a value.
func sensitiveFunc() function.Function {
	return markFunc(func(v cty.Value) cty.Value { return v.Mark(Sensitive) })
}

// nonsensitiveFunc takes the mark off.
func nonsensitiveFunc() function.Function {
	return markFunc(func(v cty.Value) cty.Value {
		v, marks := v.Unmark()
		delete(marks, Sensitive)
		return v.WithMarks(marks)
	})
}

func markFunc(f func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]), nil },
	})
}

// tryFunc is the library's, which evaluates its expressions twice: calls in calls would take twice as long for each level.
func tryFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) == 0 {
				return cty.NilVal, errors.New("at least one expression is needed")
			}
			var first string
			for _, a := range args {
				v, diags := customdecode.ExpressionClosureFromVal(a).Value()
				if !diags.HasErrors() {
					if !v.IsWhollyKnown() {
						return cty.DynamicVal, nil // once it is known it may be another type, or an error
					}
					return v, nil
				}
				if first == "" {
					first = firstError(diags)
				}
			}
			return cty.NilVal, fmt.Errorf("none of the expressions has a value; the first: %s", first)
		},
	})
}

func firstError(diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d.Summary + ": " + strings.TrimSuffix(d.Detail, ".")
		}
	}
	return ""
}
