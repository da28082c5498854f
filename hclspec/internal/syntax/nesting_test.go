package syntax

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FuzzNesting: what the scan of bytes lets through is not nested more deeply than it says, as HCL's own tokens show.
func FuzzNesting(f *testing.F) {
	for _, s := range []string{
		"a = \"${b[\"c\"]}\"", "a = <<E\n${b}\nE\n", "a = \"$${\" # [[[\n/* ((( */", "a = \"\\\"[\"", "a {\n b = [1, 2]\n}", "a = \"%{ if x }${y}%{ endif }\"",
		"a = <<-E\n  x\n  E\nb = [", "// [\n#[\n", "a = \"%%{\"", "\"\n[[[[", "a = \"\r\n${", "<<E\r\n[[\r\nE\r\n[[",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if checkNesting(src) != nil {
			return
		}
		tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
		depth, deepest := 0, 0
		for _, tok := range tokens {
			switch tok.Type {
			case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
				depth++
			case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
				depth = max(0, depth-1)
			}
			deepest = max(deepest, depth)
		}
		if deepest > 2*maxNesting {
			t.Fatalf("%d levels", deepest)
		}
	})
}
