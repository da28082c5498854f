package json

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func fields(pairs ...string) Config {
	c := Defaults()
	c.Fields = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		c.Fields[pairs[i]] = pairs[i+1]
	}
	return c
}

var suite = providertest.Interceptor{
	New: func(t testing.TB, env flow.Env) flow.Interceptor {
		return providertest.Make(t, New, fields("car", "car.num", "speed", "speed"), env)
	},
	Body: `{"car":{"num":"B0042"},"speed":130,"tires":[90,91]}`, Headers: map[string]string{"kind": "x"},
}

func TestConformance(t *testing.T) { suite.Test(t) }

func TestExtract(t *testing.T) {
	body := `{"car":{"num":"B0042","a.b":1},"speed":130.50,"tires":[90,{"x":"y"}],"text":"\"ä\"\n","yes":true,"none":null}`
	for name, tt := range map[string]struct {
		cfg  Config
		body string
		want map[string]string
	}{
		"a path":                  {fields("n", "car.num"), body, map[string]string{"n": "B0042"}},
		"numbers keep their form": {fields("n", "speed"), body, map[string]string{"n": "130.50"}},
		"an index":                {fields("n", "tires.0"), body, map[string]string{"n": "90"}},
		"escapes":                 {fields("n", "text"), body, map[string]string{"n": "\"ä\"\n"}},
		"a bool":                  {fields("n", "yes"), body, map[string]string{"n": "true"}},
		"a dot in a name":         {fields("n", `car.a\.b`), body, map[string]string{"n": "1"}},
		"objects stay JSON":       {fields("n", "tires.1"), body, map[string]string{"n": `{"x":"y"}`}},
		"null sets nothing":       {fields("n", "none", "m", "yes"), body, map[string]string{"m": "true"}},
		"missing sets nothing":    {fields("n", "no.such"), body, map[string]string{}},
		"no JSON":                 {fields("n", "x"), `{"x":`, map[string]string{"collect.error": invalid}},
		"an empty body":           {fields("n", "x"), "", map[string]string{"collect.error": invalid}},
		"deep":                    {fields("n", "x"), strings.Repeat("[", 65) + strings.Repeat("]", 65), map[string]string{"collect.error": tooDeep}},
		"brackets in a text":      {fields("n", "x"), `{"x":"` + strings.Repeat("[", 100) + `"}`, map[string]string{"n": strings.Repeat("[", 100)}},
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

func TestErrorsFollowOnError(t *testing.T) {
	providertest.TestOnError(t, "no json", func(env flow.Env, policy string) flow.Interceptor {
		cfg := fields("n", "x")
		cfg.OnError = policy
		return providertest.Make(t, New, cfg, env)
	})
}

// The largest body is refused for its nesting, before anything recursive reads it.
func TestAHostileBodyIsRefused(t *testing.T) {
	ic := providertest.Make(t, New, fields("n", "x"), providertest.Env(t)).(*Interceptor)
	for name, body := range map[string]string{
		"brackets": strings.Repeat("[", flow.MaxBody), "braces": strings.Repeat(`{"a":`, flow.MaxBody/5),
	} {
		if reason := ic.extract([]byte(body)); reason != tooDeep {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing": fields(), "reserved": fields("collect.x", "x"), "no path": fields("x", ""),
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(`{"car":{"num":"B0042"},"speed":1}`))
	f.Add([]byte(`[[[["`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ic := &Interceptor{fields: []field{{"a", "car.num"}, {"b", "speed"}, {"c", "0.1"}}}
		if reason := ic.extract(body); reason != "" && reason != invalid && reason != tooDeep {
			t.Error(reason)
		}
	})
}

func BenchmarkExtract(b *testing.B) { suite.Bench(b) }
