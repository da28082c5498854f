package hclspec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

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

func TestPartialDoesNotMissNamesThatItCannotKnow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, `
variable "kinds" { type = list(string) }
variable "n" { type = number }
agent "a" {
  count = var.n
  source "generator" "g" { channels = [channel.status, channel[var.kinds[0]]] }
  dynamic "channel" {
    for_each = var.kinds
    labels   = ["disk", channel.value]
    content {}
  }
  dynamic "sink" {
    for_each = ["x"]
    iterator = it
    labels   = ["null", var.kinds[0]]
    content { channel = channel[it.value] }
  }
  sink "null" "all" { channel = channel.status }
}
output "x" { value = agent.a[3].source.g.name }
`)
	o := options(dir)
	o.Partial = true
	cfg, diags := Load(o)
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.Error(say(d))
		}
	}
	if !cfg.Incomplete || len(cfg.Agents) != 0 {
		t.Errorf("got %d agents, of which nobody knows how many there are", len(cfg.Agents))
	}
}

func TestASourceKnowsTheOthersOfItsAgent(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, `
agent "a" {
  source "agent" "in" {
    listen   = "127.0.0.1:7000"
    channels = [channel.c]
  }
  channel "disk" "c" {}
  sink "file" "f" {
    channel = channel.c
    path    = "/out/${source.in.listen}/${source.in.name}"
  }
}
output "x" { value = agent.a.source.in.listen }
`)
	if got := cfg.Agents[0].Spec.Sinks[0].Config["path"]; got != "/out/127.0.0.1:7000/in" {
		t.Errorf("got %v", got)
	}
}

func TestAFileThatCannotBeReadIsTheOnlyMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, "-- a.hcl --\noutput \"x\" { value = local.a }\n")
	if err := os.Symlink("/nowhere", filepath.Join(dir, "b.hcl")); err != nil {
		t.Fatal(err)
	}
	cfg, diags := Load(options(dir))
	if len(diags) != 1 || say(diags[0]) != "b.hcl:1,1-1: File cannot be read: b.hcl: no such file or directory." {
		t.Errorf("got %v", diags)
	}
	if cfg.Files["b.hcl"] == nil || cfg.Files["a.hcl"] == nil {
		t.Error("files are missing that diagnostics name")
	}
}
