package removeheader

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func suite(cfg Config) providertest.Interceptor {
	return providertest.Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return providertest.Make(t, New, cfg, env) },
		Body: "body", Headers: map[string]string{"a": "1", "b": "2", "x-c": "3"},
	}
}

func TestConformance(t *testing.T) {
	t.Run("names", suite(Config{Names: []string{"a", "shared"}}).Test)
	t.Run("pattern", suite(Config{Pattern: "^x-"}).Test)
}

func TestRemove(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  Config
		want map[string]string
	}{
		"by name":         {Config{Names: []string{"a", "none"}}, map[string]string{"b": "2", "x-c": "3"}},
		"by pattern":      {Config{Pattern: "^x-"}, map[string]string{"a": "1", "b": "2"}},
		"by both":         {Config{Names: []string{"a"}, Pattern: "^x-"}, map[string]string{"b": "2"}},
		"all":             {Config{Pattern: "", Names: []string{"a", "b", "x-c"}}, map[string]string{}},
		"nothing to find": {Config{Names: []string{"none"}}, map[string]string{"a": "1", "b": "2", "x-c": "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, providertest.Make(t, New, tt.cfg, env), env.Pool, "body", map[string]string{"a": "1", "b": "2", "x-c": "3"})
			if diff := cmp.Diff(tt.want, e.Headers); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeadersOfTheRunAreHiddenForTheEventOnly(t *testing.T) {
	env := providertest.Env(t)
	b := env.Pool.GetSized(16)
	defer b.Release()
	meta := &flow.Meta{Headers: flow.AppendHeaderBlock(nil, []flow.Header{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}})}
	b.Begin("k", 0, meta)
	b.AddBody([]byte("x"), 1)
	b.AddBody([]byte("y"), 2)
	b.Begin("l", 0, meta)
	b.AddBody([]byte("z"), 1)
	k := &flow.Keep{}
	k.Reset(3)
	if err := providertest.Make(t, New, Config{Names: []string{"a"}}, env).Intercept(b, 0, 2, k); err != nil {
		t.Fatal(err)
	}
	for i, e := range providertest.Copy(b) {
		want := map[string]string{"b": "2"}
		if i == 2 {
			want["a"] = "1"
		}
		if diff := cmp.Diff(want, e.Headers); diff != "" {
			t.Errorf("event %d: %s", i, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{"nothing": {}, "broken": {Pattern: "("}} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkRemove(b *testing.B) { suite(Config{Names: []string{"a"}}).Bench(b) }
