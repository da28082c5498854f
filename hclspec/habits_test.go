package hclspec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADirectoryThatReadsAsAPatternIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		dir, include string
		wrong        bool
	}{
		"relative to the configuration":   {"old [1]", "in/*.log", true},
		"below the installation's data":   {"a{b}", "${path.data}/in/*.log", true},
		"elsewhere":                       {"old [1]", "/var/log/*.log", false},
		"a name without such characters":  {"old (1)", "in/*.log", false},
		"a file of which the name is one": {"old", "in/x[1].log", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tc.dir)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			writeFiles(t, dir, `collect {
  name = "x"
}
agent "a" {
  source "tail" "t" {
    include  = ["`+tc.include+`"]
    channels = [channel.c]
  }
  channel "memory" "c" {}
  sink "null" "n" { channel = channel.c }
}`)
			o := options(dir)
			o.DataDir = func(string, string) (string, error) { return dir + "/data", nil }
			_, diags := Load(o)
			said := false
			for _, d := range diags {
				said = said || strings.Contains(d.Summary, "reads as a pattern")
			}
			if said != tc.wrong || diags.HasErrors() != tc.wrong {
				t.Errorf("got %v, want an error: %v", diags, tc.wrong)
			}
		})
	}
}
