package functions

import (
	"regexp/syntax"

	"github.com/zclconf/go-cty/cty"
)

// Cost gives the steps that a call takes besides going through its arguments once; nil: none.
func Cost(name string) func(args []cty.Value) int {
	switch name {
	case "regex", "regexall":
		return func(args []cty.Value) int { return patternCost(args[0], args[1]) }
	case "regexreplace", "replace":
		return func(args []cty.Value) int { return patternCost(args[1], args[0]) }
	}
	return nil
}

// patternCost estimates a search: each byte may have to be held against each instruction of the pattern.
func patternCost(pattern, text cty.Value) int {
	const small = 64 << 10 // not worth an estimate
	if !pattern.IsKnown() || !text.IsKnown() || pattern.IsNull() || text.IsNull() || len(text.AsString()) < small || len(pattern.AsString()) > small {
		return 0
	}
	tree, err := syntax.Parse(pattern.AsString(), syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst) * (len(text.AsString()) / 16)
}
