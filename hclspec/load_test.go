package hclspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/schema"
)

// files writes a configuration in txtar-like form: a line "-- NAME --" before each file; without one it is main.hcl.
func writeFiles(t testing.TB, dir, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "-- ") {
		text = "-- main.hcl --\n" + text
	}
	for _, part := range strings.Split("\n"+text, "\n-- ")[1:] {
		head, body, _ := strings.Cut(part, "\n")
		name := strings.TrimSuffix(head, " --")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func options(dir string) Options {
	return Options{
		Dir: dir, Types: types(), Version: "0.3.0",
		Environ:     []string{"HOME=/home/user", "PASSWORD=hunter2", "PORT=7001"},
		DataDir:     func(name, declared string) (string, error) { return "/var/lib/collect/" + name, nil },
		Fingerprint: func(s string) string { return "fp" + strings.Repeat("x", len(s)) },
	}
}

// load loads a configuration given as text.
func load(t testing.TB, text string) (*Config, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, text)
	o := options(dir)
	return Load(o)
}

func mustLoad(t testing.TB, text string) *Config {
	t.Helper()
	cfg, diags := load(t, text)
	for _, d := range diags {
		t.Errorf("%s", say(d))
	}
	if diags.HasErrors() {
		t.FailNow()
	}
	return cfg
}

func say(d *hcl.Diagnostic) string {
	at := "-"
	if d.Subject != nil {
		at = d.Subject.String()
	}
	return at + ": " + d.Summary + ": " + d.Detail
}

// view is what a golden file shows of a configuration.
func view(cfg *Config) string {
	type out struct {
		Name      string
		Agents    []any
		Topics    []any
		Providers []any
		Outputs   map[string]string
		Edges     []string
	}
	o := out{Name: cfg.Name, Outputs: map[string]string{}}
	for _, a := range cfg.Agents {
		o.Agents = append(o.Agents, map[string]any{"spec": a.Spec, "depends_on": a.DependsOn, "secrets": a.Secrets, "lifecycle": a.Lifecycle})
	}
	for _, t := range cfg.Topics {
		o.Topics = append(o.Topics, map[string]any{"address": t.Address, "config": t.Config, "cluster": t.Cluster, "secrets": t.Secrets, "depends_on": t.DependsOn, "lifecycle": t.Lifecycle})
	}
	for _, p := range cfg.Providers {
		o.Providers = append(o.Providers, map[string]any{"type": p.Type, "alias": p.Alias, "config": p.Config, "secrets": p.Secrets, "development": p.Development})
	}
	for _, x := range cfg.Outputs {
		o.Outputs[x.Name] = x.Value.GoString()
	}
	for _, e := range cfg.Edges {
		o.Edges = append(o.Edges, e.From+" -"+e.Kind+"-> "+e.To+" "+e.Label)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err.Error()
	}
	raw, _ = json.MarshalIndent(schema.WithoutPlaces(tree), "", "  ")
	return strings.ReplaceAll(string(raw), cfg.Root, "ROOT") + "\n"
}

// golden compares with a file in testdata, or writes it with UPDATE=1.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
}

func TestConfigurationsGiveTheirSpecs(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.hcl")
	if err != nil || len(paths) == 0 {
		t.Fatal("no configurations", err)
	}
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), ".hcl")
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "good/"+name+".json", view(mustLoad(t, string(src))))
		})
	}
}
