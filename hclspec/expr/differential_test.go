package expr

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/datetime"
)

// The differential test makes expressions from bytes, runs them as closures and through hcl.Expression.Value, and compares.
// Differences that are meant are in TestDeliberateDifferences; the generator keeps away from them.

// asCty is the event as HCL sees it.
func (f *fakeEvent) asCty() cty.Value {
	headers := map[string]cty.Value{}
	for k, v := range f.headers {
		headers[k] = cty.StringVal(string(v))
	}
	hv := cty.MapValEmpty(cty.String)
	if len(headers) > 0 {
		hv = cty.MapVal(headers)
	}
	now := datetime.Of(f.time).AppendText(nil)
	return cty.ObjectVal(map[string]cty.Value{
		"body": cty.StringVal(string(f.body)), "time": cty.StringVal(string(now)), "headers": hv,
		"meta": cty.ObjectVal(map[string]cty.Value{"file": cty.StringVal(f.text["file"]), "offset": cty.NumberIntVal(f.number["offset"])}),
	})
}

// outcome is what both sides are reduced to.
type outcome struct {
	failed bool
	text   string
	num    float64
	isNum  bool
}

func byHCL(e hclsyntax.Expression, ev *fakeEvent, num bool) outcome {
	ctx := testContext()
	ctx.Variables["event"] = ev.asCty()
	v, diags := e.Value(ctx)
	if diags.HasErrors() || v.IsNull() {
		return outcome{failed: true}
	}
	if num {
		var err error
		if v, err = convert.Convert(v, cty.Number); err != nil {
			return outcome{failed: true}
		}
		f, _ := v.AsBigFloat().Float64()
		return outcome{num: f, isNum: true}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return outcome{failed: true}
	}
	return outcome{text: s.AsString()}
}

func byClosure(p *Program, ev *fakeEvent, num bool) outcome {
	s := new(Scratch)
	if num {
		f, err := p.Number(ev, s)
		return outcome{failed: err != nil, num: f, isNum: err == nil}
	}
	b, err := p.Bytes(ev, s)
	return outcome{failed: err != nil, text: string(b)}
}

func (o outcome) same(p outcome) bool {
	if o.failed || p.failed {
		return o.failed == p.failed
	}
	if o.isNum != p.isNum {
		return false
	}
	if o.isNum {
		return math.Abs(o.num-p.num) <= 1e-12*math.Max(1, math.Abs(o.num))
	}
	return o.text == p.text
}

// compareWithHCL says whether the expression was accepted and depends on the event.
func compareWithHCL(t *testing.T, in []byte) bool {
	m := &maker{in: in}
	ev := m.event()
	var src string
	num := false
	switch m.pick(4) {
	case 0:
		src = m.boolean(4)
	case 1:
		src, num = m.number(4), true
	default:
		src = m.text(4)
	}
	if !Mentions(parse(t, src)) {
		return false
	}
	e := parse(t, src)
	r, diags := Residual(e, []byte(src), testContext(), TypeAny)
	if diags.HasErrors() {
		return false // refused beforehand; the table of wrong expressions tests that
	}
	p, err := Compile(r, TypeAny)
	if err != nil {
		t.Fatalf("%s\nresidual %s\ndoes not compile: %s", src, r.Src, err)
	}
	if want, got := byHCL(e, ev, num), byClosure(p, ev, num); !got.same(want) {
		t.Errorf("%s\nresidual %s\nbody %q headers %q\nHCL     %+v\nclosure %+v", src, r.Src, ev.body, ev.headers, want, got)
	}
	return true
}

func FuzzAgainstHCL(f *testing.F) {
	for i := range 200 {
		seed := make([]byte, 0, 64)
		for j := range 64 {
			seed = append(seed, byte((i*31+j*j*7+i*j*13)>>1))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) { compareWithHCL(t, in) })
}

// TestAgainstHCL runs random expressions; COLLECT_EXPR_SEED starts another series.
func TestAgainstHCL(t *testing.T) {
	t.Parallel()
	seed, _ := strconv.ParseUint(os.Getenv("COLLECT_EXPR_SEED"), 10, 64)
	r := rand.New(rand.NewPCG(seed, 1))
	n := 600
	if v, err := strconv.Atoi(os.Getenv("COLLECT_EXPR_N")); err == nil {
		n = v
	}
	compared := 0
	for range n {
		in := make([]byte, 40+r.IntN(60))
		for i := range in {
			in[i] = byte(r.Uint32())
		}
		if compareWithHCL(t, in) {
			compared++
		}
	}
	if compared < n/3 {
		t.Errorf("only %d of %d expressions could be compared", compared, n)
	}
}

// TestDeliberateDifferences lists what differs from HCL, and how.
func TestDeliberateDifferences(t *testing.T) {
	t.Parallel()
	ev := newEvent("e\u0301\xff", map[string]string{
		"n": "5", "hex": "0x1p4", "inf": "inf", "big": "9007199254740993", "e": "e\u0301", "bad": "\xff", "b64": "/w==", "json": `{ "a" : 1.0 }`,
	})
	for src, want := range map[string]struct{ hcl, closure, why string }{
		`jsonencode(event.headers.n == "5" ? 7 : event.headers.none)`: {"7", `"7"`, "a conditional of a number and a text is a text, also where the other side has no value"},
		`event.headers.n % 0`:                                                         {"5", "error", "a remainder by zero is an error, not the number itself"},
		`event.headers.inf > 1`:                                                       {"true", "error", "texts such as inf are no numbers"},
		`coalesce(event.headers.n, event.headers.none)`:                               {"error", "5", "coalesce stops at the first value"},
		`lookup(event.headers, "n", event.headers.none)`:                              {"error", "5", "a default is evaluated only when it is needed"},
		`"${length([for x in [] : x if event.headers.none == x])}${event.headers.n}"`: {"error", "05", "a condition of no element is not evaluated"},
		`jsonencode(jsondecode(event.headers.json))`:                                  {`{"a":1}`, `{ "a" : 1.0 }`, "JSON that is only passed on stays as it was written"},
		`event.headers.n / 3`:                                                         {"", "1.6666666666666667", "float64 has 17 digits, not 150"},
		`event.headers.big == event.headers.big ? event.headers.big + 0 : 0`:          {"9007199254740993", "9007199254740992", "numbers are float64"},
		`event.headers.e == "\u00e9"`:                                                 {"true", "false", "bytes are not normalised"},
		`strlen(event.headers.e)`:                                                     {"1", "1", "characters are counted the same way"},
		`base64decode(event.headers.b64)`:                                             {"error", "\xff", "decoded bytes need not be UTF-8"},
		`0.1 + 0.2 + 0 * event.headers.n`:                                             {"0.3", "0.3", "constants are folded with HCL's precision"},
		`event.headers.n * 0.1 + 0.2`:                                                 {"0.7", "0.7", "results are the shortest text that reads back"},
	} {
		e := parse(t, src)
		h, c := byHCL(e, ev, false), byClosure(program(t, src, TypeAny), ev, false)
		if got := describe(h); want.hcl != "" && got != want.hcl {
			t.Errorf("%s: HCL gives %s, the table says %s (%s)", src, got, want.hcl, want.why)
		}
		if got := describe(c); got != want.closure {
			t.Errorf("%s: closures give %s, the table says %s (%s)", src, got, want.closure, want.why)
		}
	}
}

func describe(o outcome) string {
	switch {
	case o.failed:
		return "error"
	case o.isNum:
		return strconv.FormatFloat(o.num, 'f', -1, 64)
	}
	return strings.ToValidUTF8(o.text, "\xff")
}
