package ref

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/functions"
	"collect/hclspec/schema"
)

func TestReferencesAreFoundInValues(t *testing.T) {
	t.Parallel()
	r := &Ref{Kind: schema.Topic, Addr: "topic.a", Local: "topic.a"}
	object := cty.ObjectVal(map[string]cty.Value{Attr: r.Value(), "name": cty.StringVal("a")})
	for name, v := range map[string]cty.Value{
		"a bare one":             r.Value(),
		"a marked one":           r.Value().Mark(functions.Sensitive),
		"an object that has one": object,
	} {
		if got, ok := Of(v); !ok || got != r {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
	for name, v := range map[string]cty.Value{
		"text": cty.StringVal("topic.a"), "null": cty.NullVal(Type), "unknown": cty.UnknownVal(Type), "a list": cty.TupleVal([]cty.Value{r.Value()}),
	} {
		if got, ok := Of(v); ok {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if list := cty.TupleVal([]cty.Value{object}); !HasRef(list) || HasRef(StripRefs(list)) {
		t.Error("a reference inside of a list is not found, or not taken out")
	}
	if got := VisibleAttrs(object.Type()); len(got) != 1 || got[0] != "name" {
		t.Errorf("got %q, want name only", got)
	}
}

func TestASecretInsideIsASecret(t *testing.T) {
	t.Parallel()
	secret := cty.StringVal("x").Mark(functions.Sensitive)
	if !IsSecret(secret) || !IsSecret(cty.TupleVal([]cty.Value{secret})) || IsSecret(cty.StringVal("x")) {
		t.Error("secrets and others are taken for each other")
	}
}

func TestReferencesAreWrittenAsInAFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"topic.a", `agent.a["k"].source.s`, "agent.a[1].source.s"} {
		tr, diags := hclsyntax.ParseTraversalAbs([]byte(text), "", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if got := TraversalText(tr); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	if got := KeyText(cty.UnknownVal(cty.String)); got != "[…]" {
		t.Errorf("an unknown key is %s", got)
	}
}

func TestNamesThatReferencesCanHold(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "_a-1": true, strings.Repeat("x", MaxName): true,
		"": false, "1a": false, "-a": false, "a.b": false, "é": false, strings.Repeat("x", MaxName+1): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}
