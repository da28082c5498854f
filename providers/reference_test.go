package providers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/hclspec"
	"collect/hclspec/schema"
	"collect/providers"
)

var kinds = []schema.Kind{schema.Source, schema.Interceptor, schema.Channel, schema.Sink, schema.Provider, schema.Topic}

// TestReferenceIsGenerated holds docs/reference against the components' structs; UPDATE=1 rewrites it.
func TestReferenceIsGenerated(t *testing.T) {
	dir := filepath.Join("..", "docs", "reference")
	update := os.Getenv("UPDATE") != ""
	if update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := pages(t)
	for name, text := range want {
		path := filepath.Join(dir, name)
		if update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != text {
			t.Errorf("%s is not what the code says: run make generate", path)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want[e.Name()] == "" {
			t.Errorf("docs/reference/%s describes nothing that exists: run make generate", e.Name())
		}
	}
}

func pages(t *testing.T) map[string]string {
	t.Helper()
	reg := providers.Registry()
	out := map[string]string{}
	index := &strings.Builder{}
	index.WriteString("# Reference\n\nGenerated from the components themselves.\n")
	for _, kind := range kinds {
		fmt.Fprintf(index, "\n## %s\n\n", kind)
		for _, name := range reg.Names(kind) {
			typ, _ := reg.Lookup(kind, name)
			file := fmt.Sprintf("%s_%s.md", kind, name)
			out[file] = page(t, typ)
			fmt.Fprintf(index, "- [%s](%s): %s\n", name, file, firstSentence(typ.About.Doc))
		}
	}
	for name, block := range map[string]any{
		"agent": schema.DefaultAgentSettings(), "every source": schema.DefaultSourceSettings(),
		"every sink": schema.DefaultSinkSettings(), "sink_group": schema.DefaultGroupSettings(),
	} {
		file := strings.ReplaceAll(name, " ", "_") + ".md"
		b := &strings.Builder{}
		fmt.Fprintf(b, "# %s\n\nArguments besides those of the type.\n", name)
		table(b, "", schema.Of(block))
		out[file] = b.String()
	}
	index.WriteString("\n## Language\n\n- [functions](functions.md): everything that expressions can call.\n- [collect](collect.md): the block of the installation.\n")
	out["functions.md"] = functions(t)
	out["collect.md"] = collectBlock()
	index.WriteString("\n## Common arguments\n\n- [agent](agent.md), [every source](every_source.md), [every sink](every_sink.md), [sink_group](sink_group.md)\n")
	out["README.md"] = index.String()
	return out
}

// functions is the page of all functions.
func functions(t *testing.T) string {
	t.Helper()
	b := &strings.Builder{}
	b.WriteString("# Functions\n\nThey are Terraform's where the name is the same. Those with ⚡ may be used in expressions on events; a pattern, a layout and a time zone\n" +
		"must not depend on the event there. What a function makes is bounded: a text of 16 MiB, a million elements.\n\n| function | | gives |\n|---|---|---|\n")
	for _, f := range hclspec.FunctionDocs() {
		if f.Doc == "" {
			t.Errorf("the function %s has no description", f.Name)
		}
		mark := ""
		if f.Event {
			mark = "⚡"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Call, mark, strings.ReplaceAll(f.Doc, "|", "\\|"))
	}
	return b.String()
}

// collectBlock is the page of the collect block.
func collectBlock() string {
	b := &strings.Builder{}
	b.WriteString("# collect\n\nThe installation: it may stand once.\n\n| argument | |\n|---|---|\n")
	for _, a := range hclspec.CollectDocs() {
		fmt.Fprintf(b, "| `%s` | %s |\n", a[0], a[1])
	}
	return b.String()
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

func page(t *testing.T, typ *schema.Type) string {
	t.Helper()
	if typ.About.Doc == "" {
		t.Errorf("%s %q says nothing about itself", typ.Kind, typ.Name)
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "# %s \"%s\"\n\n%s\n", typ.Kind, typ.Name, strings.TrimSpace(typ.About.Doc))
	for _, fact := range facts(typ.About) {
		fmt.Fprintf(b, "\n%s\n", fact)
	}
	table(b, "", typ.Block)
	folder := strings.ReplaceAll(typ.Name, "_", "")
	if example, err := os.ReadFile(filepath.Join(folder, "example.hcl")); err == nil {
		fmt.Fprintf(b, "\n## Example\n\n```hcl\n%s\n```\n", strings.TrimSpace(string(example)))
	}
	return b.String()
}

func facts(a schema.About) []string {
	var out []string
	switch a.Replay {
	case schema.Replays:
		out = append(out, "Replays: after a crash it reads again what was not acknowledged.")
	case schema.SenderReplays:
		out = append(out, "Its sender replays: who gets no answer sends again.")
	case schema.CannotReplay:
		out = append(out, "Cannot replay: with a volatile channel a crash loses what the channel held.")
	}
	if a.Durable {
		out = append(out, "Durable: what is acknowledged survives a crash and a power cut.")
	}
	if a.Rolls {
		out = append(out, "Delivers when a file is closed and renamed.")
	}
	if a.Unconfirmed {
		out = append(out, "Gets no answer: delivered means taken by the kernel, and nothing can be dead-lettered.")
	}
	return out
}

func table(b *strings.Builder, path string, block *schema.Block) {
	if len(block.Attrs) > 0 {
		if path != "" {
			fmt.Fprintf(b, "\n## %s\n", strings.TrimSuffix(path, "."))
		}
		b.WriteString("\n| argument | type | default | a change | meaning |\n|---|---|---|---|---|\n")
	}
	for _, a := range block.Attrs {
		name := "`" + a.Name + "`"
		if a.Event {
			name += " ⚡"
		}
		def := "-"
		if a.Required {
			def = "required"
		} else if a.Default != nil {
			def = fmt.Sprintf("`%v`", a.Default)
		}
		doc := a.Doc
		if len(a.Enum) > 0 {
			doc += " One of `" + strings.Join(a.Enum, "`, `") + "`."
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, a.Type, def, a.Effect, strings.ReplaceAll(doc, "|", "\\|"))
	}
	for _, n := range block.Blocks {
		inner := path + n.Name
		fmt.Fprintf(b, "\n`%s` block: %s\n", inner, n.Doc)
		table(b, inner+".", n.Block)
	}
}
