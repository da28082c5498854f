package host

import (
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func newInterceptor(t testing.TB, cfg Config, env flow.Env) flow.Interceptor {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ic, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return ic
}

func suite(cfg Config) providertest.Interceptor {
	return providertest.Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return newInterceptor(t, cfg, env) },
		Body: "body", Headers: map[string]string{"kind": "x"},
	}
}

func TestConformance(t *testing.T) {
	t.Run("set", suite(Defaults()).Test)
	t.Run("preserve", suite(Config{Header: "kind", Preserve: true}).Test)
}

func one(t testing.TB, cfg Config, headers map[string]string) map[string]string {
	t.Helper()
	env := providertest.Env(t)
	e, _ := providertest.One(t, newInterceptor(t, cfg, env), env.Pool, "body", headers)
	return e.Headers
}

func TestValidate(t *testing.T) {
	for _, name := range []string{"", "collect.x"} {
		if (Config{Header: name}).Validate() == nil {
			t.Errorf("%q: accepted", name)
		}
	}
}

func BenchmarkSet(b *testing.B) { suite(Defaults()).Bench(b) }

func TestTheHeaderIsSet(t *testing.T) {
	name := Defaults().Header
	for what, tt := range map[string]struct {
		cfg     Config
		headers map[string]string
		want    string
	}{
		"set":               {Config{Header: name}, nil, "testhost"},
		"replaced":          {Config{Header: name}, map[string]string{name: "old"}, "testhost"},
		"preserved":         {Config{Header: name, Preserve: true}, map[string]string{name: "old"}, "old"},
		"nothing to keep":   {Config{Header: name, Preserve: true}, map[string]string{"other": "x"}, "testhost"},
		"others stay as is": {Config{Header: name}, map[string]string{"other": "x"}, "testhost"},
	} {
		got := one(t, tt.cfg, tt.headers)
		if got[name] != tt.want {
			t.Errorf("%s: %q, want %q", what, got[name], tt.want)
		}
		if tt.headers["other"] != got["other"] {
			t.Errorf("%s: another header is lost", what)
		}
	}
}
