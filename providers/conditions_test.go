package providers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/hclspec"
	"collect/providers"
)

// A number is no condition. It must not take an agent that does not start to find that out.
func TestAConditionThatIsNoneIsRefusedBeforeAnythingRuns(t *testing.T) {
	const file = `agent "a" {
  source "generator" "in" {
    channels = [channel.c]
    %s
  }
  channel "disk" "c" {}
  sink "file" "out" {
    channel = channel.c
    path    = "/var/tmp/out.log"
    %s
  }
  sink "hdfs" "out2" {
    channel = channel.c
    path    = "file:///var/tmp/out"
    %s
  }
}`
	for name, args := range map[string][3]string{
		"file close_when": {"", "close_when = tonumber(event.body)", ""},
		"hdfs close_when": {"", "", "close_when = tonumber(event.body) + 1"},
		"keep":            {`interceptor "filter" { keep = tonumber(event.body) }`, "", ""},
		"drop":            {`interceptor "filter" { drop = tonumber(event.body) }`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := fmt.Sprintf(file, args[0], args[1], args[2])
			if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, diags := hclspec.Load(hclspec.Options{
				Dir: dir, Types: providers.Registry(), Version: "0.1.0",
				DataDir:     func(string, string) (string, error) { return filepath.Join(dir, "data"), nil },
				Fingerprint: func(string) string { return "fp" },
			})
			if !diags.HasErrors() || !strings.Contains(diags.Error(), "true or false") {
				t.Errorf("diagnostics: %v", diags)
			}
		})
	}
}
