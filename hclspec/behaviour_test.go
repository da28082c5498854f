package hclspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

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

func TestLaterValuesWin(t *testing.T) {
	t.Parallel()
	const main = "variable \"v\" {\n  default = \"default\"\n}\noutput \"v\" { value = var.v }\n"
	cases := map[string]struct {
		files   string
		environ []string
		values  []Value
		want    string
	}{
		"the default stands":                        {want: "default"},
		"the environment wins over the default":     {environ: []string{"COLLECT_VAR_v=env"}, want: "env"},
		"collect.hclvars wins over the environment": {environ: []string{"COLLECT_VAR_v=env"}, files: "-- collect.hclvars --\nv = \"file\"\n", want: "file"},
		"auto files win over collect.hclvars":       {files: "-- collect.hclvars --\nv = \"file\"\n-- a.auto.hclvars --\nv = \"auto\"\n", want: "auto"},
		"auto files go by name":                     {files: "-- b.auto.hclvars --\nv = \"b\"\n-- a.auto.hclvars --\nv = \"a\"\n", want: "b"},
		"-var wins over files":                      {files: "-- a.auto.hclvars --\nv = \"auto\"\n", values: []Value{{Name: "v", Text: "var"}}, want: "var"},
		"the last of -var and -var-file wins":       {files: "-- x.hclvars --\nv = \"x\"\n", values: []Value{{Name: "v", Text: "var"}, {File: "x.hclvars"}}, want: "x"},
		"-var after -var-file wins":                 {files: "-- x.hclvars --\nv = \"x\"\n", values: []Value{{File: "x.hclvars"}, {Name: "v", Text: "var"}}, want: "var"},
		"hidden auto files are not read":            {files: "-- .a.auto.hclvars --\nv = \"hidden\"\n", want: "default"},
		"a text in -var needs no quotes":            {values: []Value{{Name: "v", Text: "a = [b"}}, want: "a = [b"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, main)
			if c.files != "" {
				writeFiles(t, dir, c.files)
			}
			o := options(dir)
			o.Environ, o.Values = c.environ, c.values
			for i, v := range o.Values {
				if v.File != "" {
					o.Values[i].File = filepath.Join(dir, v.File)
				}
			}
			cfg, diags := Load(o)
			if len(diags) > 0 {
				t.Fatal(say(diags[0]))
			}
			if got := outputText(t, cfg, "v"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestValuesOfTheCommandLineAreReadAsTheirType(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, "variable \"l\" { type = list(string) }\nvariable \"n\" { type = number }\noutput \"x\" { value = \"${var.l[1]}${var.n + 1}\" }\n")
	o := options(dir)
	o.Values = []Value{{Name: "l", Text: `["a", "b"]`}, {Name: "n", Text: "41"}}
	cfg, diags := Load(o)
	if len(diags) > 0 {
		t.Fatal(say(diags[0]))
	}
	if got := outputText(t, cfg, "x"); got != "b42" {
		t.Errorf("got %q, want b42", got)
	}
}

func TestWrongValuesOfTheCommandLineAreErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		value Value
		want  string
	}{
		"an undeclared name":       {Value{Name: "ll", Text: "1"}, `-: Undeclared variable: -var gives a value to "ll", which no variable block declares. Did you mean "l"?`},
		"not an expression":        {Value{Name: "l", Text: "[a"}, `<value of -var l>:1,1-3: Value is not usable: Variable "l" has the type list(string), so its value is written as in a file, for example l='["a", "b"]'.`},
		"another type":             {Value{Name: "l", Text: "true"}, `main.hcl:1,1-13: Wrong type: The value of variable "l" from -var l does not fit its type list(string): list of string required, but have bool.`},
		"nested too deeply":        {Value{Name: "l", Text: strings.Repeat("[", 10000)}, `<value of -var l>:1,1-1: Value is not usable: The value of variable "l" is nested too deeply or too long.`},
		"a file that is not there": {Value{File: "/nowhere/x.hclvars"}, `/nowhere/x.hclvars:1,1-1: File cannot be read: /nowhere/x.hclvars: no such file or directory.`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, "variable \"l\" {\n  type = list(string)\n  default = []\n}\n")
			o := options(dir)
			o.Values = []Value{c.value}
			_, diags := Load(o)
			if len(diags) != 1 || say(diags[0]) != c.want {
				for _, d := range diags {
					t.Errorf("got  %s", say(d))
				}
				t.Errorf("want %s", c.want)
			}
		})
	}
}

const partial = `
variable "cars" { type = set(string) }
variable "port" { type = number }
variable "topic" {}
locals { n = var.port + 1 }
topic "t" { name = var.topic }
agent "a" {
  for_each = var.cars
  source "agent" "in" {
    listen   = "127.0.0.1:${local.n}"
    channels = [channel.c]
  }
  channel "memory" "c" {}
  sink "kafka" "k" {
    channel = channel.c
    topic   = topic.t
    key     = "${each.key}${event.headers.x}"
    properties = { password = env("UNSET") }
  }
}
agent "b" {
  source "generator" "g" { channels = [channel.c] }
  channel "memory" "c" {}
  sink "agent" "k" {
    channel = channel.c
    to      = agent.a["x"].source.in
  }
}
`

func TestPartialLoadsWithoutValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, partial)
	o := options(dir)
	o.Partial = true
	cfg, diags := Load(o)
	if len(diags) != 1 || diags[0].Severity != hcl.DiagWarning {
		for _, d := range diags {
			t.Error(say(d))
		}
		t.Fatalf("got %d diagnostics, want one warning", len(diags))
	}
	if !cfg.Incomplete {
		t.Error("the configuration says that it is complete")
	}
}

func TestPartialStillChecksTypesAndReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.NewReplacer("topic   = topic.t", "topic   = topic.tt", "memory\" \"c\" {}\n  sink \"kafka", "memory\" \"c\" { max_size = \"big\" }\n  sink \"kafka").Replace(partial)
	writeFiles(t, dir, text)
	o := options(dir)
	o.Partial = true
	_, diags := Load(o)
	var got []string
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			got = append(got, d.Summary)
		}
	}
	if want := []string{"Invalid size", "Undeclared topic"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
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
	writeFiles(t, dir, "output \"a\" { value = file("+quote(outside)+") }\noutput \"b\" { value = file(\"in.txt\") }\noutput \"c\" { value = file(\"link\") }\n-- in.txt --\ninside")
	if err := os.WriteFile(filepath.Join(dir, "in.txt"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	cfg, diags := Load(options(dir))
	if len(diags) > 0 {
		t.Fatal(say(diags[0]))
	}
	want := []string{outside, filepath.Join(cfg.Root, "link")}
	slices.Sort(want)
	if !slices.Equal(cfg.OutsideReads, want) {
		t.Errorf("got %q, want %q", cfg.OutsideReads, want)
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
	if got := sortedKeys(cfg.Files); !slices.Equal(got, []string{"a.hcl"}) {
		t.Errorf("got %q", got)
	}
}

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

func TestRequiredVersions(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		">= 0.1": true, "0.3.0": true, "= 0.3": true, "!= 0.3": false, "> 0.3": false, "< 0.3": false, "<= 0.3.0": true,
		"~> 0.2": true, "~> 0.3.0": true, "~> 0.2.9": false, ">= 0.1, < 0.3": false, ">= 0.1, < 1": true,
	}
	for want, ok := range cases {
		_, diags := load(t, "collect { required_version = "+quote(want)+" }")
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

func TestLongChainsNeedNoDeepStack(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("locals {\n  l0 = 1\n")
	for i := 1; i < 30000; i++ {
		b.WriteString("  l" + itoa(i) + " = local.l" + itoa(i-1) + "\n")
	}
	b.WriteString("}\noutput \"x\" { value = \"n${local.l29999}\" }\n")
	if got := outputText(t, mustLoad(t, b.String()), "x"); got != "n1" {
		t.Errorf("got %q", got)
	}
}

func itoa(i int) string {
	raw, _ := json.Marshal(i)
	return string(raw)
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
