package providers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"collect/hclspec"
	"collect/providers"
)

// load evaluates a configuration that stands in dir, and fails the test on any error.
func load(t *testing.T, dir string) {
	t.Helper()
	cfg, diags := hclspec.Load(hclspec.Options{
		Dir: dir, Types: providers.Registry(), Version: "0.1.0",
		DataDir:     func(name, declared string) (string, error) { return filepath.Join(t.TempDir(), name), nil },
		Fingerprint: func(string) string { return "fp" },
		Environ:     []string{"KAFKA_PASSWORD=secret", "PASSWORD=secret", "TOKEN=secret"},
	})
	for _, d := range diags {
		if d.Severity == 1 {
			t.Errorf("%s: %s: %s", d.Subject, d.Summary, d.Detail)
		}
	}
	if !diags.HasErrors() && len(cfg.Agents) == 0 && len(cfg.Topics) == 0 {
		t.Error("it declares nothing")
	}
}

func TestEveryComponentHasAnExampleThatLoads(t *testing.T) {
	reg := providers.Registry()
	for _, kind := range kinds {
		for _, name := range reg.Names(kind) {
			folder := strings.ReplaceAll(name, "_", "")
			raw, err := os.ReadFile(filepath.Join(folder, "example.hcl"))
			if err != nil {
				if _, err := os.Stat(folder); err == nil {
					t.Errorf("%s %q has no example.hcl", kind, name)
				}
				continue
			}
			t.Run(fmt.Sprintf("%s_%s", kind, name), func(t *testing.T) { loadText(t, string(raw)) })
		}
	}
}

func TestEveryExampleLoads(t *testing.T) {
	dirs, err := filepath.Glob("../examples/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no examples", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { load(t, dir) })
	}
}

var fence = regexp.MustCompile("(?s)\n```hcl\n(.*?)```")

func TestEveryConfigurationInTheDocumentsLoads(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../README.md", "../CONTRIBUTING.md") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllStringSubmatch(string(raw), -1) {
			t.Run(fmt.Sprintf("%s_%d", filepath.Base(file), i+1), func(t *testing.T) { loadText(t, m[1]) })
		}
	}
}

func loadText(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.hcl": text, "ca.pem": "certificates that examples name"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load(t, dir)
}
