package filter

import (
	"testing"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func source(src string) schema.Expr { return schema.Expr{Src: src} }

func suite(cfg Config, body string) providertest.Interceptor {
	return providertest.Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return providertest.Make(t, New, cfg, env) },
		Body: body, Headers: map[string]string{"speed": "130"},
	}
}

const line = "20260101000000,B0042,93,88,97,80,1,1,1,1,A,B,91"

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]Config{
		"keep": {Keep: source(`can(regex("^\\d{14}", event.body))`)},
		"drop": {Drop: source(`event.headers.speed > 120`)},
	} {
		t.Run(name, suite(cfg, line).Test)
	}
}

func TestFilter(t *testing.T) {
	headers := map[string]string{"speed": "130", "car": "B0042"}
	for name, tt := range map[string]struct {
		cfg  Config
		body string
		kept bool
	}{
		"keep what matches":                 {Config{Keep: source(`can(regex("^\\d{14}", event.body))`)}, line, true},
		"drop what does not":                {Config{Keep: source(`can(regex("^\\d{14}", event.body))`)}, "SmartCar Status Information", false},
		"drop by a header":                  {Config{Drop: source(`event.headers.speed > 120`)}, line, false},
		"keep by a header":                  {Config{Keep: source(`event.headers.car == "B0042"`)}, line, true},
		"keep needs a decision":             {Config{Keep: source(`event.headers.missing > 120`)}, line, false},
		"drop needs a decision":             {Config{Drop: source(`event.headers.missing > 120`)}, line, true},
		"a header that is no number":        {Config{Drop: source(`event.headers.car > 120`)}, line, true},
		"the file is known":                 {Config{Keep: source(`event.meta.file == "/var/log/x"`)}, line, true},
		"the host is known":                 {Config{Keep: source(`event.meta.host == "testhost"`)}, line, true},
		"an empty body is a body like any":  {Config{Keep: source(`event.body == ""`)}, "", true},
		"several conditions, short circuit": {Config{Keep: source(`event.headers.speed > 120 && strlen(event.body) > 3`)}, line, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, providertest.Make(t, New, tt.cfg, env), env.Pool, tt.body, headers)
			if (e != nil) != tt.kept {
				t.Errorf("kept is %v, want %v", e != nil, tt.kept)
			}
		})
	}
}

func TestUndecidedEventsAreCounted(t *testing.T) {
	env := providertest.Env(t)
	ic := providertest.Make(t, New, Config{Drop: source(`event.headers.missing > 1`)}, env)
	providertest.One(t, ic, env.Pool, line, nil)
	providertest.One(t, ic, env.Pool, line, nil)
	if f := env.Stats.Snapshot().Facts; len(f) != 1 || f[0].Label != "undecided" || f[0].Value != "2" {
		t.Errorf("facts are %v", f)
	}
}

func TestDropsAreCountedByReason(t *testing.T) {
	env := providertest.Env(t)
	_, k := providertest.One(t, providertest.Make(t, New, Config{Keep: source(`event.body == "x"`)}, env), env.Pool, line, nil)
	b := env.Pool.GetSized(16)
	defer b.Release()
	b.Begin("k", 0, nil)
	b.AddBody([]byte(line), 1)
	counted := map[string]int{}
	k.Apply(b, func(reason string, n int) { counted[reason] += n })
	if b.Len() != 0 || counted["filter"] != 1 {
		t.Errorf("%d events are left, counted %v", b.Len(), counted)
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing": {},
		"both":    {Keep: source("event.body == \"\""), Drop: source("event.body == \"\"")},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(Config{Keep: source(`event.hedaers.x == "1"`)}, providertest.Env(t)); err == nil {
		t.Error("a misspelled path was accepted")
	}
}

func BenchmarkRegex(b *testing.B) {
	suite(Config{Keep: source(`can(regex("^\\d{14}", event.body))`)}, line).Bench(b)
}
