package expr

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

type fakeEvent struct {
	body    string
	headers map[string]string
	time    int64
}

func (f *fakeEvent) Body() []byte { return []byte(f.body) }
func (f *fakeEvent) Header(n string) ([]byte, bool) {
	v, ok := f.headers[n]
	return []byte(v), ok
}

func (f *fakeEvent) Headers(yield func(n, v []byte) bool) {
	for k, v := range f.headers {
		if !yield([]byte(k), []byte(v)) {
			return
		}
	}
}
func (f *fakeEvent) Time() int64                       { return f.time }
func (f *fakeEvent) MetaText(n string) (string, bool)  { return "/var/log/" + n, n == "file" }
func (f *fakeEvent) MetaNumber(n string) (int64, bool) { return 4711, n == "offset" }

func TestSmoke(t *testing.T) {
	ctx := &hcl.EvalContext{Functions: ctyFunctions(Functions()), Variables: map[string]cty.Value{
		"var": cty.ObjectVal(map[string]cty.Value{"limit": cty.NumberIntVal(120), "cars": cty.ListVal([]cty.Value{cty.StringVal("A1"), cty.StringVal("B2")})}),
	}}
	ev := &fakeEvent{body: "20261122173922,B0042,x", headers: map[string]string{"speed": "130", "car": "B2", "kind": "k"}, time: 1795369162123456789}
	for _, src := range []string{
		`event.headers.speed > var.limit`,
		`can(regex("^\\d{14}", event.body))`,
		`contains(var.cars, event.headers.car)`,
		`"x/${event.headers.kind}/wrk_date=${formatdate("YYYYMMDD", event.time)}/${var.limit}"`,
		`split(",", event.body)[1]`,
		`[for x in split(",", event.body) : upper(x) if x != "x"][1]`,
		`join("-", [for x in split(",", event.body) : upper(x) if x != "x"])`,
		`formatdate("hh:mm", intimezone(event.time, "Asia/Seoul"))`,
		`try(event.headers.nix, "d")`,
		`event.headers.nix`,
		`event.hedaers.x`,
		`event.headers.speed == 130`,
		`can(event.bdy)`,
		`can(regex("(", event.body))`,
		`true || event.body == "x"`,
		`jsondecode("{\"a\":[1,2]}").a[1] + event.meta.offset`,
		`format("%05d|%s|%.2f", event.headers.speed, event.headers.car, event.headers.speed)`,
		`lookup({B2="bee"}, event.headers.car, "none")`,
		`regex("(?P<y>\\d{4})(?P<m>\\d{2})", event.body).m`,
		`regex("(\\d{4})(\\d{2})", event.body)[0]`,
		`event.time`,
		`uper(event.body)`,
		`split(",", event.body)[*][0]`,
		`jsonencode({a = event.body, b = event.headers})`,
		`var.limit == 120 && event.headers.car == "B2"`,
		`substr(event.body, 0, 4) == 2026`,
	} {
		e, d := hclsyntax.ParseExpression([]byte(src), "t.hcl", hcl.InitialPos)
		if d.HasErrors() {
			t.Fatal(d)
		}
		r, d := Residual(e, []byte(src), ctx, TypeAny)
		if d.HasErrors() {
			t.Log(src, "=>", d)
			continue
		}
		p, err := Compile(r, TypeAny)
		if err != nil {
			t.Error(src, r, err)
			continue
		}
		b, err := p.Bytes(ev, new(Scratch))
		t.Logf("%s => %s => %s %v", src, r.Src, b, err)
	}
}
