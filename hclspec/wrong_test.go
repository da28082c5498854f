package hclspec

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// shorthand keeps the wrong configurations short.
var shorthand = strings.NewReplacer(
	"%OK%", "\n  source \"generator\" \"g\" { channels = [channel.c] }\n  channel \"memory\" \"c\" {}\n  sink \"null\" \"n\" { channel = channel.c }\n",
	"%SRC%", `source "generator" "g" { channels = [channel.c] }`,
	"%CH%", `channel "memory" "c" {}`,
	"%SINK%", `sink "null" "n" { channel = channel.c }`,
	"%NUL%", "\x00", "%BAD%", "\xff\xfe", "%LONG%", strings.Repeat("long", 100),
)

// TestWrongConfigurationsAreExplained holds every diagnostic of every wrong configuration, as it is written, in a golden file.
func TestWrongConfigurationsAreExplained(t *testing.T) {
	for _, name := range []string{"wrong", "wrong_more"} {
		t.Run(name, func(t *testing.T) { explained(t, name) })
	}
}

func explained(t *testing.T, file string) {
	src, err := os.ReadFile("testdata/" + file + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	cases := strings.Split("\n"+string(src), "\n### ")[1:]
	for _, c := range cases {
		name, text, _ := strings.Cut(c, "\n")
		cfg, diags := load(t, shorthand.Replace(text))
		if cfg == nil || len(diags) == 0 {
			t.Errorf("%s: nothing is wrong", name)
		}
		got.WriteString("### " + name + "\n")
		seen := map[string]bool{}
		for _, d := range diags {
			s := strings.ReplaceAll(say(d), cfg.Root, "ROOT")
			if d.Severity == hcl.DiagWarning {
				s = "warning: " + s
			}
			if seen[s] {
				t.Errorf("%s: reported twice: %s", name, s)
			}
			seen[s] = true
			for _, inner := range []string{"panic", "goroutine", "cty.", "hclsyntax", "dynamic required", "of dynamic", "%!", "0x", "interface", "/root/"} {
				if strings.Contains(s, inner) {
					t.Errorf("%s: says %q, which means nothing to users: %.300s", name, inner, s)
				}
			}
			got.WriteString(s + "\n")
		}
		got.WriteString("\n")
	}
	golden(t, file+".golden", got.String())
}
