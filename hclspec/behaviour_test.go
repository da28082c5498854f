package hclspec

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

func outputText(t *testing.T, cfg *Config, name string) string {
	t.Helper()
	for _, o := range cfg.Outputs {
		if o.Name == name && o.Value.Type() == cty.String {
			return o.Value.AsString()
		}
	}
	t.Fatalf("no output %q", name)
	return ""
}

func TestSecretsStandNowhereInASpec(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/good/everything.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, string(src))
	for _, a := range cfg.Agents {
		raw, err := a.Spec.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"s3cret", "hunter2"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s holds the secret %q", a.Spec.Address, secret)
			}
		}
	}
}

func TestARotatedSecretChangesTheHash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, "agent \"a\" {\n  env = { P = env(\"PASSWORD\") }\n  source \"generator\" \"g\" { channels = [channel.c] }\n  channel \"memory\" \"c\" {}\n  sink \"null\" \"n\" { channel = channel.c }\n}\n")
	hash := func(password string) string {
		o := options(dir)
		o.Environ = []string{"PASSWORD=" + password}
		cfg, diags := Load(o)
		if len(diags) > 0 {
			t.Fatal(say(diags[0]))
		}
		return cfg.Agents[0].Spec.Hash()
	}
	if hash("a") != hash("b") || hash("a") == hash("longer") {
		t.Error("the hash does not follow the fingerprint")
	}
}

func TestAHundredLoadsAreEqual(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/good/everything.hcl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, string(src))
	var first string
	for range 100 {
		cfg, diags := Load(options(dir))
		if diags.HasErrors() {
			t.Fatal(say(diags[0]))
		}
		if got := view(cfg); first == "" {
			first = got
		} else if got != first {
			t.Fatal("two loads differ")
		}
	}
}

func TestAnotherCheckoutGivesTheSameSpecs(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/good/smartcar.hcl")
	if err != nil {
		t.Fatal(err)
	}
	hashes := func(prefix string) (out []string) {
		cfg := mustLoad(t, prefix+string(src))
		for _, a := range cfg.Agents {
			out = append(out, a.Spec.Address, a.Spec.Hash())
		}
		return out
	}
	if a, b := hashes(""), hashes("# a comment moves every line\n\n\n"); !slices.Equal(a, b) {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestFilesOutsideOfTheDirectoryAreListed(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(outside, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, "output \"a\" { value = file("+diag.Quote(outside)+") }\noutput \"b\" { value = file(\"in.txt\") }\noutput \"c\" { value = file(\"link\") }\n-- in.txt --\ninside")
	if err := os.WriteFile(filepath.Join(dir, "in.txt"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"linked.hcl": "locals { l = 1 }\n", "linked.auto.hclvars": "\n"} { // configuration files may be links too
		aim := filepath.Join(filepath.Dir(outside), name)
		if err := errors.Join(os.WriteFile(aim, []byte(text), 0o600), os.Symlink(aim, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	cfg, diags := Load(options(dir))
	if len(diags) > 0 {
		t.Fatal(say(diags[0]))
	}
	want := []string{outside, filepath.Join(cfg.Root, "link"), filepath.Join(cfg.Root, "linked.hcl"), filepath.Join(cfg.Root, "linked.auto.hclvars")}
	slices.Sort(want)
	if !slices.Equal(cfg.OutsideReads, want) {
		t.Errorf("got %q, want %q", cfg.OutsideReads, want)
	}
}

// A configuration that is wrong, and one that is only validated, says too what it read outside: no plan will.
func TestFilesOutsideAreNamedWithoutAPlan(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(outside, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(diags hcl.Diagnostics) bool {
		return slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool {
			return d.Summary == "Files outside of the directory" && strings.Contains(d.Detail, outside)
		})
	}
	text := "output \"a\" { value = file(" + diag.Quote(outside) + ") }\n"
	dir := t.TempDir()
	writeFiles(t, dir, text)
	opts := options(dir)
	opts.Partial = true
	if _, diags := Load(opts); diags.HasErrors() || !named(diags) {
		t.Errorf("validated: %v", diags)
	}
	writeFiles(t, dir, text+"output \"b\" { value = nosuch }\n")
	if _, diags := Load(options(dir)); !diags.HasErrors() || !named(diags) {
		t.Errorf("wrong: %v", diags)
	}
}

// A pipe under a configuration file's name does not hold up a plan.
func TestAPipeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "main.hcl"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, diags := Load(options(dir))
	if !diags.HasErrors() || !strings.Contains(diags[0].Detail, "not a regular file") {
		t.Errorf("got %v", diags)
	}
}

func TestFileFunctions(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		`file("a.txt")`: "hello",
		`templatefile("t.tmpl", { name = "x", l = [1] })`: "x: 1\n",
		`fileexists("a.txt") ? "yes" : "no"`:              "yes",
		`fileexists("b.txt") ? "yes" : "no"`:              "no",
		`join(",", fileset(path.root, "*.t*"))`:           "a.txt,t.tmpl",
		`basename("/a/b.txt")`:                            "b.txt",
		`dirname("/a/b.txt")`:                             "/a",
		`pathexpand("~/x")`:                               "/home/user/x",
		`abspath("x") == "${path.root}/x" ? "y" : "n"`:    "y",
		`nonsensitive(env("PORT"))`:                       "7001",
		`nonsensitive(secretfile("a.txt"))`:               "hello",
		`path.data`:                                       "/var/lib/collect/files/work",
	}
	for src, want := range cases {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, "collect { name = \"files\" }\noutput \"x\" { value = "+src+" }\n")
			for name, text := range map[string]string{"a.txt": "hello", "t.tmpl": "${name}:%{ for x in l } ${x}\n%{ endfor }"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, diags := Load(options(dir))
			if len(diags) > 0 {
				t.Fatal(say(diags[0]))
			}
			if got := outputText(t, cfg, "x"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestOnlyConfigurationFilesAreRead(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, "-- a.hcl --\nlocals { a = 1 }\n-- .hidden.hcl --\nbroken {\n-- x.test.hcl --\nbroken {\n-- x.hclx --\nbroken {\n")
	if got := slices.Sorted(maps.Keys(cfg.Files)); !slices.Equal(got, []string{"a.hcl"}) {
		t.Errorf("got %q", got)
	}
}

func TestRequiredVersions(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		">= 0.1": true, "0.3.0": true, "= 0.3": true, "!= 0.3": false, "> 0.3": false, "< 0.3": false, "<= 0.3.0": true,
		"~> 0.2": true, "~> 0.3.0": true, "~> 0.2.9": false, ">= 0.1, < 0.3": false, ">= 0.1, < 1": true,
	}
	for want, ok := range cases {
		_, diags := load(t, "collect { required_version = "+diag.Quote(want)+" }")
		if diags.HasErrors() == ok {
			t.Errorf("%s: got %v", want, diags)
		}
	}
}

func TestFormatIsStable(t *testing.T) {
	t.Parallel()
	got := string(Format([]byte("agent \"a\" {\nmemory_limit=\"1MiB\"\n  drain =   \"5s\"\n}\n")))
	want := "agent \"a\" {\n  memory_limit = \"1MiB\"\n  drain        = \"5s\"\n}\n"
	if got != want || string(Format([]byte(want))) != want {
		t.Errorf("got %s", got)
	}
}

func TestPlacesAreKnown(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/good/smartcar.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, string(src))
	a := cfg.Agents[2]
	for _, name := range []string{"", "source.log", "source.log.include", "source.log.interceptor[0]", "source.log.interceptor[0].keep", "source.log.route[0]", "source.log.route[0].when", "channel.alerts.max_size", "sink.stream", "sink.stream.key", "sink_group.aggregators.strategy"} {
		if a.Ranges[name].Filename != "main.hcl" {
			t.Errorf("no place for %q", name)
		}
	}
	if a.Spec.At != (schema.Pos{File: "main.hcl", Line: 22, Col: 1}) {
		t.Errorf("got %v", a.Spec.At)
	}
}
