package csv

import (
	"bytes"
	stdcsv "encoding/csv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func columns(names ...string) Config {
	c := Defaults()
	c.Columns = names
	return c
}

var suite = providertest.Interceptor{
	New: func(t testing.TB, env flow.Env) flow.Interceptor {
		return providertest.Make(t, New, columns("time", "car", "accel", "brake", "wheel", "signal", "speed", "area"), env)
	},
	Body: `20260101000002,B0042,2,0,F,N,48,"C ""07"""`, Headers: map[string]string{"kind": "driving", "car": "old"},
}

func TestConformance(t *testing.T) { suite.Test(t) }

func TestSplit(t *testing.T) {
	semicolon := columns("a", "b")
	semicolon.Separator = ";"
	for name, tt := range map[string]struct {
		cfg  Config
		body string
		want map[string]string
	}{
		"fields":                         {columns("a", "b", "c"), "1,,3", map[string]string{"a": "1", "b": "", "c": "3"}},
		"quotes":                         {columns("a", "b"), `"x,y","say ""no"""`, map[string]string{"a": "x,y", "b": `say "no"`}},
		"two unquoted fields":            {columns("a", "b"), `"""a""","b""b"`, map[string]string{"a": `"a"`, "b": `b"b`}},
		"a quote inside is kept":         {columns("a", "b"), `x"y,z`, map[string]string{"a": `x"y`, "b": "z"}},
		"a line end inside quotes":       {columns("a", "b"), "\"x\ny\",z", map[string]string{"a": "x\ny", "b": "z"}},
		"more fields than columns":       {columns("a"), "1,2,3", map[string]string{"a": "1"}},
		"a column that nobody wants":     {columns("a", "", "c"), "1,2,3", map[string]string{"a": "1", "c": "3"}},
		"another separator":              {semicolon, "1,5;2", map[string]string{"a": "1,5", "b": "2"}},
		"the last field may be empty":    {columns("a", "b"), "1,", map[string]string{"a": "1", "b": ""}},
		"one column takes an empty body": {columns("a"), "", map[string]string{"a": ""}},
		"fewer fields":                   {columns("a", "b"), "1", map[string]string{"collect.error": tooFew}},
		"fewer fields, quoted":           {columns("a", "b"), `"1"`, map[string]string{"collect.error": tooFew}},
		"a quote without end":            {columns("a", "b"), `"1,2`, map[string]string{"collect.error": noQuote}},
		"text behind a quote":            {columns("a", "b"), `"1"x,2`, map[string]string{"collect.error": junk}},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, providertest.Make(t, New, tt.cfg, env), env.Pool, tt.body, nil)
			if diff := cmp.Diff(tt.want, e.Headers); diff != "" || e.Body != tt.body {
				t.Errorf("body %q, headers %s", e.Body, diff)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	long := columns("a")
	long.Separator = ", "
	for name, cfg := range map[string]Config{
		"no columns": columns(), "only left out": columns("", ""), "twice": columns("a", "a"), "reserved": columns("collect.x"), "separator": long,
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzSplit holds the splitter against the standard library's.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"1,2", `"a""b",c`, `"x`, "", `a"b,c`, "\"a\nb\",c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ic := providertest.Make(t, New, columns("a", "b", "c"), flow.Env{}).(*Interceptor)
		reason := ic.split(body)
		if reason != "" || len(body) == 0 || bytes.ContainsAny(body, "\r\n") {
			return
		}
		r := stdcsv.NewReader(bytes.NewReader(body))
		r.LazyQuotes = true
		r.FieldsPerRecord = -1
		want, err := r.Read()
		if err != nil || len(want) < 3 {
			return
		}
		for i, h := range ic.headers {
			if string(h.Value) != want[i] && !lazy(body) {
				t.Errorf("field %d of %q is %q, want %q", i, body, h.Value, want[i])
			}
		}
	})
}

// lazy says whether a field holds quotes that RFC 4180 does not define.
func lazy(body []byte) bool {
	strict := stdcsv.NewReader(bytes.NewReader(body))
	strict.FieldsPerRecord = -1
	_, err := strict.Read()
	return err != nil
}

func BenchmarkSplit(b *testing.B) { suite.Bench(b) }
