package timestamp

import (
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

var suite = providertest.HeaderSetter{
	New: func(header string, preserve bool, env flow.Env) (flow.Interceptor, error) {
		return New(Config{Header: header, Preserve: preserve}, env)
	},
	Validate: func(header string) error { return Config{Header: header}.Validate() },
	Default:  Defaults().Header,
	Want:     "1800000000123",
}

func TestSuite(t *testing.T) { suite.Test(t) }

func BenchmarkSet(b *testing.B) { suite.Bench(b) }

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
	if err := providertest.Make(t, New, Defaults(), env).Intercept(b, 0, 3, k); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"0", "5", "6"} {
		if got, _ := b.Header(i, "timestamp"); string(got) != want {
			t.Errorf("event %d has %q, want %q", i, got, want)
		}
	}
}
