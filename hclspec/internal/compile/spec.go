package compile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/constant"
	"collect/hclspec/internal/functions"
)

// Bounds of an expression in a spec.
const (
	maxSource = 1 << 20
	maxDepth  = 200
)

// specContext holds the constants of a spec and the functions.
func specContext(consts map[string]any) (*hcl.EvalContext, error) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: functions.CtyTable()}
	for k, v := range consts {
		val, err := constant.FromPlain(v)
		if err != nil {
			return nil, fmt.Errorf("constant %s: %w", k, err)
		}
		ctx.Variables[k] = val
	}
	return ctx, nil
}

// checkDepth refuses what would make the parser, which recurses, need much stack. The lexer does not recurse.
func checkDepth(src string) error {
	if len(src) > maxSource {
		return errors.New("it is longer than 1 MiB")
	}
	if strings.Count(src, "(")+strings.Count(src, "[")+strings.Count(src, "{")+strings.Count(src, `"`) <= maxDepth &&
		strings.Count(src, "!")+strings.Count(src, "-") <= maxDepth && strings.Count(src, "?") <= maxDepth && !strings.Contains(src, "<<") {
		return nil // too few of them to nest deeply, whatever they mean
	}
	tokens, _ := hclsyntax.LexExpression([]byte(src), "", hcl.InitialPos)
	depth, run, chain := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
			run = 0
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
			run = 0
		case hclsyntax.TokenBang, hclsyntax.TokenMinus:
			run++
		case hclsyntax.TokenQuestion:
			chain++ // a chain of conditionals nests to the right
		default:
			run = 0
		}
		if depth > maxDepth || run > maxDepth || chain > maxDepth {
			return fmt.Errorf("it is nested deeper than %d levels", maxDepth)
		}
	}
	return nil
}
