package expr

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/functions"
)

// fakeEvent is an event for tests; reading it does not allocate.
type fakeEvent struct {
	body    []byte
	headers map[string][]byte
	time    int64
	text    map[string]string
	number  map[string]int64
}

func newEvent(body string, headers map[string]string) *fakeEvent {
	ev := &fakeEvent{
		body: []byte(body), headers: map[string][]byte{}, time: 1795369162123456789, // 2026-11-22T17:39:22.123456789Z
		text: map[string]string{"file": "/var/log/x.log", "host": "h1"}, number: map[string]int64{"offset": 4711},
	}
	for k, v := range headers {
		ev.headers[k] = []byte(v)
	}
	return ev
}

func (f *fakeEvent) Body() []byte { return f.body }

func (f *fakeEvent) Header(n string) ([]byte, bool) {
	v, ok := f.headers[n]
	return v, ok
}

func (f *fakeEvent) Headers(yield func(n, v []byte) bool) {
	for _, k := range slices.Sorted(maps.Keys(f.headers)) {
		if !yield([]byte(k), f.headers[k]) {
			return
		}
	}
}

func (f *fakeEvent) Time() int64 { return f.time }

func (f *fakeEvent) MetaText(n string) (string, bool) {
	v, ok := f.text[n]
	return v, ok
}

func (f *fakeEvent) MetaNumber(n string) (int64, bool) {
	v, ok := f.number[n]
	return v, ok
}

// testContext has a few variables and all functions.
func testContext() *hcl.EvalContext {
	return &hcl.EvalContext{
		Functions: functions.CtyTable(),
		Variables: map[string]cty.Value{
			"var": cty.ObjectVal(map[string]cty.Value{
				"limit":  cty.NumberIntVal(120),
				"cars":   cty.ListVal([]cty.Value{cty.StringVal("A1"), cty.StringVal("B2")}),
				"zone":   cty.StringVal("Asia/Seoul"),
				"none":   cty.NullVal(cty.Number),
				"secret": cty.StringVal("x").Mark(Sensitive),
				"later":  cty.UnknownVal(cty.String),
				"long":   cty.StringVal(longText()),
				"by_car": cty.MapVal(map[string]cty.Value{"B2": cty.StringVal("bus"), "A1": cty.StringVal("auto")}),
			}),
			"channel": cty.ObjectVal(map[string]cty.Value{"a": testRef(), "b": testRef()}),
		},
	}
}

func longText() string {
	b := make([]byte, 300)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}

func testRef() cty.Value {
	t := cty.Capsule("reference", reflect.TypeFor[int]())
	n := 1
	return cty.CapsuleVal(t, &n)
}

func parse(t testing.TB, src string) hclsyntax.Expression {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(src), "main.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %s", src, diags)
	}
	return e
}

// program takes an expression the way it goes in production: residual at plan time, program in the agent.
func program(t testing.TB, src string, want Type) *Program {
	t.Helper()
	r, diags := Residual(parse(t, src), []byte(src), testContext(), want)
	if diags.HasErrors() {
		t.Fatalf("%.300s: %.300s", src, diags)
	}
	p, err := Compile(r, want)
	if err != nil {
		t.Fatalf("%.300s: residual %.300s: %s", src, r.Src, err)
	}
	return p
}
