package hclspec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
