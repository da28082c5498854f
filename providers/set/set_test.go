package set

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func source(src string) schema.Expr { return schema.Expr{Src: src} }

func text(s string) schema.Expr { return schema.Expr{Const: s} }

func newSet(t testing.TB, cfg Config, env flow.Env) flow.Interceptor {
	t.Helper()
	if cfg.OnError == "" {
		cfg.OnError = Defaults().OnError
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ic, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return ic
}

func suite(cfg Config, changesBody bool) providertest.Interceptor {
	return providertest.Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return newSet(t, cfg, env) },
		Body: "20260101000000,B0042,93", Headers: map[string]string{"car": "B0042"}, ChangesBody: changesBody,
	}
}

var configs = map[string]Config{
	"constant headers":  {Headers: map[string]schema.Expr{"kind": text("status"), "n": {Const: 7.0}}},
	"per-event headers": {Headers: map[string]schema.Expr{"copy": source(`event.body`), "kind": text("status")}},
	"body":              {Body: source(`"${event.body},${event.headers.car}"`)},
	"body and headers":  {Body: source(`event.headers.car`), Headers: map[string]schema.Expr{"was": source(`event.body`)}},
	"time":              {Time: source(`parsetime("YYYYMMDDhhmmss", substr(event.body, 0, 14))`)},
}

func TestConformance(t *testing.T) {
	for name, cfg := range configs {
		t.Run(name, suite(cfg, cfg.Body.IsSet()).Test)
	}
}

func TestSet(t *testing.T) {
	headers := map[string]string{"car": "B0042", "kind": "old"}
	for name, tt := range map[string]struct {
		cfg     Config
		body    string
		headers map[string]string
	}{
		"constants": {
			Config{Headers: map[string]schema.Expr{"kind": text("new"), "x": text("y")}},
			"body",
			map[string]string{"car": "B0042", "kind": "new", "x": "y"},
		},
		"body with the day appended": {
			Config{Body: source(`"${event.body},${formatdate("YYYYMMDD", event.time)}"`)},
			"body,20270115",
			headers,
		},
		"values are those from before": {
			Config{Body: source(`event.headers.kind`), Headers: map[string]schema.Expr{"kind": source(`event.body`)}},
			"old",
			map[string]string{"car": "B0042", "kind": "body"},
		},
		"meta becomes a header": {
			Config{Headers: map[string]schema.Expr{"file": source(`event.meta.file`), "at": source(`event.meta.offset`)}},
			"body",
			map[string]string{"car": "B0042", "kind": "old", "file": "/var/log/x", "at": "0"},
		},
		"an error keeps the event as it was": {
			Config{Body: text("x"), Headers: map[string]schema.Expr{"a": text("b"), "c": source(`event.headers.missing`)}},
			"body",
			map[string]string{"car": "B0042", "kind": "old", "collect.error": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, newSet(t, tt.cfg, env), env.Pool, "body", headers)
			if _, ok := e.Headers["collect.error"]; ok {
				e.Headers["collect.error"] = ""
			}
			if diff := cmp.Diff(tt.headers, e.Headers); diff != "" || e.Body != tt.body {
				t.Errorf("body %q, headers %s", e.Body, diff)
			}
		})
	}
}

func TestTheTimeIsSet(t *testing.T) {
	env := providertest.Env(t)
	cfg := Config{Time: source(`parsetime("YYYYMMDDhhmmss", substr(event.body, 0, 14))`)}
	e, _ := providertest.One(t, newSet(t, cfg, env), env.Pool, "20260101000001,B0042", nil)
	if want := int64(1767225601) * 1e9; e.Time != want {
		t.Errorf("the time is %d, want %d", e.Time, want)
	}
}

func TestErrorsFollowOnError(t *testing.T) {
	providertest.TestOnError(t, "body", func(env flow.Env, policy string) flow.Interceptor {
		return newSet(t, Config{Body: source(`event.headers.missing`), OnError: policy}, env)
	})
}

func TestManyEventsThatOutgrowTheBatch(t *testing.T) {
	env := providertest.Env(t)
	ic := newSet(t, configs["body and headers"], env)
	b := env.Pool.GetSized(16)
	defer b.Release()
	b.Begin("k", 0, nil)
	for i := range 1000 {
		b.AddBody([]byte("body that is long enough to make the memory grow"), uint64(i+1))
		b.SetHeaders(i, flow.Header{Name: "car", Value: []byte("B0042")})
	}
	k := &flow.Keep{}
	k.Reset(1000)
	if err := ic.Intercept(b, 0, 1000, k); err != nil {
		t.Fatal(err)
	}
	for i, e := range providertest.Copy(b) {
		if e.Body != "B0042" || e.Headers["was"] != "body that is long enough to make the memory grow" {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing":         {},
		"no time":         {Time: text("yesterday")},
		"reserved header": {Headers: map[string]schema.Expr{"collect.id": text("x")}},
		"empty header":    {Headers: map[string]schema.Expr{"": text("x")}},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	for name, cfg := range map[string]Config{
		"constant": configs["constant headers"], "header": configs["per-event headers"],
		"day": {Body: source(`"${event.body},${formatdate("YYYYMMDD", event.time)}"`)},
	} {
		b.Run(name, suite(cfg, true).Bench)
	}
}
