package hclspec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FuzzLoad: no input makes the loader panic, hang, or accept the same text differently the second time.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/good/*.hcl")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		src, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	src, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split("\n"+string(src), "\n### ")[1:] {
		_, text, _ := strings.Cut(c, "\n")
		f.Add(shorthand.Replace(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range(") || strings.Contains(text, "count") {
			return // may ask for very many values, which is slow and not wrong
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		one, d1 := Load(o)
		two, d2 := Load(o)
		if one == nil || len(d1) != len(d2) {
			t.Fatal("two loads differ")
		}
		if !d1.HasErrors() && view(one) != view(two) {
			t.Fatal("two loads differ")
		}
		o.Partial = true
		if cfg, _ := Load(o); cfg == nil {
			t.Fatal("no configuration")
		}
	})
}

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
