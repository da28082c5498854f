package hclspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	cases := map[string]string{
		"too large":          strings.Repeat("a", 16<<20),
		"brackets":           "locals { a = " + strings.Repeat("[", 1000000),
		"parentheses":        "locals { a = " + strings.Repeat("(", 1000000),
		"braces":             "locals { a = " + strings.Repeat("{", 1000000),
		"blocks":             strings.Repeat("a {\n", 250000),
		"not":                "locals { a = " + strings.Repeat("!", 1000000),
		"minus":              "locals { a = " + strings.Repeat("-", 1000000),
		"plus":               "locals { a = 1" + strings.Repeat("+1", 500000),
		"conditionals":       "locals { a = " + strings.Repeat("b?c:", 250000),
		"templates":          "locals { a = " + strings.Repeat("\"${", 300000),
		"directives":         "locals { a = \"" + strings.Repeat("%{if a}", 140000),
		"here-documents":     "locals { a = <<E\n" + strings.Repeat("${<<E\n", 150000),
		"indexes":            "locals { a = b" + strings.Repeat("[*]", 300000),
		"splats":             "locals { a = b" + strings.Repeat(".*", 500000),
		"strings in strings": "locals { a = " + strings.Repeat("\"%{if \"", 140000),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, diags := Load(options(dir))
			runtime.ReadMemStats(&after)
			if !diags.HasErrors() {
				t.Fatal("accepted")
			}
			if diags[0].Summary != "Nested too deeply" && diags[0].Summary != "File cannot be read" {
				t.Errorf("refused by the parser instead of before it: %s", say(diags[0]))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("used %d MiB", used>>20)
			}
		})
	}
}

func TestParseChecksOneFileWithinTheLimits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"agent \"a\" {}\n":            "",
		"agent {":                     "Unclosed configuration block",
		strings.Repeat("(", 1000):     "Nested too deeply",
		strings.Repeat("# \n", 1<<20): "File cannot be read",
	} {
		f, diags := Parse("x.hcl", []byte(text))
		got := ""
		if len(diags) > 0 {
			got = diags[0].Summary
		}
		if f == nil || got != want {
			t.Errorf("%.20q: got %q, want %q", text, got, want)
		}
	}
}

func TestDeepTemplatesAreRefused(t *testing.T) {
	t.Parallel()
	_, diags := load(t, "output \"x\" { value = templatefile(\"t.tmpl\", {}) }\n-- t.tmpl --\nx")
	if diags.HasErrors() {
		t.Fatal(say(diags[0]))
	}
	dir := t.TempDir()
	writeFiles(t, dir, "-- main.hcl --\noutput \"x\" { value = templatefile(\"t.tmpl\", {}) }\n-- t.tmpl --\n"+strings.Repeat("${[", 100000))
	_, diags = Load(options(dir))
	if !diags.HasErrors() || !strings.Contains(diags[0].Detail, "nested too deeply") {
		t.Errorf("got %v", diags)
	}
}

func TestLongChainsNeedNoDeepStack(t *testing.T) {
	t.Parallel()
	const n = 11000
	var b strings.Builder
	b.WriteString("locals { l0 = 1 }\ntopic \"t0\" {}\n")
	for i := 1; i < n; i++ {
		b.WriteString("locals { l" + itoa(i) + " = topic.t" + itoa(i-1) + ".partitions }\n")
		b.WriteString("topic \"t" + itoa(i) + "\" { partitions = local.l" + itoa(i) + " }\n")
	}
	b.WriteString("output \"x\" { value = \"n${local.l" + itoa(n-1) + "}\" }\n")
	var text strings.Builder
	for i, part := range splitLines(b.String(), 900<<10) {
		text.WriteString("-- f" + itoa(i) + ".hcl --\n" + part)
	}
	if got := outputText(t, mustLoad(t, text.String()), "x"); got != "n1" {
		t.Errorf("got %q", got)
	}
}

// splitLines cuts a text between lines so that no part is larger than max.
func splitLines(text string, max int) []string {
	var parts []string
	for len(text) > max {
		i := strings.LastIndexByte(text[:max], '\n') + 1
		parts, text = append(parts, text[:i]), text[i:]
	}
	return append(parts, text)
}

func itoa(i int) string {
	raw, _ := json.Marshal(i)
	return string(raw)
}
