package timestamp

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
		"set":               {Config{Header: name}, nil, "1800000000123"},
		"replaced":          {Config{Header: name}, map[string]string{name: "old"}, "1800000000123"},
		"preserved":         {Config{Header: name, Preserve: true}, map[string]string{name: "old"}, "old"},
		"nothing to keep":   {Config{Header: name, Preserve: true}, map[string]string{"other": "x"}, "1800000000123"},
		"others stay as is": {Config{Header: name}, map[string]string{"other": "x"}, "1800000000123"},
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

func TestEventsWithTimesOfTheirOwn(t *testing.T) {
	env := providertest.Env(t)
	b := env.Pool.GetSized(16)
	defer b.Release()
	b.Begin("k", 0, nil)
	for i := range 3 {
		b.AddBody([]byte("x"), uint64(i+1))
	}
	b.SetTime(1, 5_000_000)
	b.SetTime(2, 6_999_999)
	k := &flow.Keep{}
	k.Reset(3)
	if err := newInterceptor(t, Defaults(), env).Intercept(b, 0, 3, k); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"0", "5", "6"} {
		if got, _ := b.Header(i, "timestamp"); string(got) != want {
			t.Errorf("event %d has %q, want %q", i, got, want)
		}
	}
}
