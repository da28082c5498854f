package bounded

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func context() *hcl.EvalContext {
	return &hcl.EvalContext{
		Variables: map[string]cty.Value{
			"list": cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
			"map":  cty.MapVal(map[string]cty.Value{"x": cty.StringVal("1"), "y": cty.StringVal("2")}),
			"objs": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"n": cty.NumberIntVal(1)}), cty.ObjectVal(map[string]cty.Value{"n": cty.NumberIntVal(2)})}),
			"none": cty.NullVal(cty.String),
			"some": cty.UnknownVal(cty.String),
		},
		Functions: map[string]function.Function{
			"join": stdlib.JoinFunc, "concat": stdlib.ConcatFunc, "upper": stdlib.UpperFunc, "max": stdlib.MaxFunc,
			"try": tryfunc.TryFunc, "can": tryfunc.CanFunc, "range": stdlib.RangeFunc, "length": stdlib.LengthFunc,
		},
	}
}

func parse(t *testing.T, src string) hclsyntax.Expression {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(src), "x.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(src, diags)
	}
	return e
}

// TestCountingChangesNoValue holds what is counted against the library's own evaluation.
func TestCountingChangesNoValue(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`1 + 2 * 3`, `-(1 - 2)`, `!true`, `"a${1}b${true}"`, `"${list}"`, `"%{for x in list}${x}, %{endfor}"`, `"%{if true}a%{else}b%{endif}"`,
		`[1, "a", true, null]`, `{ a = 1, "b c" = 2, (upper("d")) = 3 }`, `{ list = list }`, `{ for k, v in map : upper(k) => v if v != "2" }`,
		`{ for v in ["a", "b", "a"] : v => upper(v)... }`, `[for i, v in list : "${i}${v}"]`, `[for a in list : [for b in list : "${a}${b}"]]`,
		`list[0]`, `list[1 - 1]`, `map["x"]`, `map.y`, `objs[*].n`, `objs.*.n`, `objs[0].n`, `[{ a = 1 }].0.a`, `({ a = 1 }).a`, `none`, `some`, `"${some}x"`,
		`true ? list : []`, `false ? 1 : "a"`, `list == ["a", "b"]`, `1 == 1`, `"a" == list[0]`, `none == null`,
		`join("-", list)`, `join("-", ["a", "b"], list)`, `join("-", [1, 2])`, `join("-", ["a", 1])`, `concat(list, ["c"])`, `max([1, 2]...)`, `length([1, 2])`,
		`try(map.z, "none")`, `can(map.z)`, `try(1, map.z)`, `can([for x in list : tonumber(x)])`, `list...`[:4],
		"<<EOT\n  a ${1}\nEOT\n", "<<-EOT\n  a\n    b ${list[0]}\nEOT\n",
		// and what is wrong
		`map.z`, `list[2]`, `none + 1`, `"${none}"`, `1 + "a"`, `upper()`, `upper(list)`, `nothing`, `nofunc(1)`, `[for x in 1 : x]`, `[for x in list : x + 1]`,
		`{ for x in list : "k" => x }`, `{ (list) = 1 }`, `{ a.b = 1 }`, `true ? [1] : "a"`, `max(list...)`, `max(1...)`, `join("-", [[1]])`,
	} {
		e := parse(t, src)
		want, wantDiags := e.Value(context())
		m := New(Usual())
		m.Functions = context().Functions
		got, diags := m.Value(e, context())
		if !wantDiags.HasErrors() && !got.RawEquals(want) {
			t.Errorf("%s: got %#v, want %#v", src, got, want)
		}
		if diags.HasErrors() != wantDiags.HasErrors() || diags.HasErrors() && diags[0].Error() != wantDiags[0].Error() {
			t.Errorf("%s: got %v, want %v", src, diags, wantDiags)
		}
	}
}

func TestEveryElementWithTheSameErrorIsOneError(t *testing.T) {
	t.Parallel()
	_, diags := New(Usual()).Value(parse(t, `[for x in range(100) : [for y in range(100) : none + x]]`), context())
	if len(diags) != 1 {
		t.Errorf("got %d: %v", len(diags), diags)
	}
}

// TestTheWholeConfigurationIsBounded evaluates small things again and again.
func TestTheWholeConfigurationIsBounded(t *testing.T) {
	t.Parallel()
	limits := Usual()
	limits.Work = 100_000
	m := New(limits)
	e := parse(t, `length([for x in range(100) : x])`)
	n := 0
	for ; n < 10_000 && !m.Spent(); n++ {
		_, diags := m.Value(e, context())
		if diags.HasErrors() != m.Spent() {
			t.Fatal(n, diags)
		}
		if m.Spent() && !strings.Contains(diags[0].Detail, "million steps") {
			t.Fatal(diags)
		}
	}
	if n < 10 || n > 1000 {
		t.Errorf("%d evaluations of a hundred elements took %d steps", n, m.work)
	}
	if _, diags := m.Value(parse(t, `1`), context()); !diags.HasErrors() {
		t.Error("after the end more is evaluated")
	}
}

func TestUniformTuplesBecomeLists(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`["a", "b"]`: true, `[1, 2, 3]`: true, `[[1], [2]]`: true, `["a", 1]`: false, `[null, "a"]`: false, `[]`: false, `["a"]`: false, `"a"`: false, `{ a = 1 }`: false,
	} {
		v, _ := parse(t, src).Value(nil)
		if got := Uniform(v); got.Type().IsListType() != want {
			t.Errorf("%s: got %#v", src, got)
		}
		if got := Uniform(v.Mark("m")); !got.HasMark("m") {
			t.Errorf("%s: the mark is lost", src)
		}
	}
}
