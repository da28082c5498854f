package regexextract

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func pattern(p, header string) Config {
	c := Defaults()
	c.Pattern, c.Header = p, header
	return c
}

var suite = providertest.Interceptor{
	New: func(t testing.TB, env flow.Env) flow.Interceptor {
		return providertest.Make(t, New, pattern(`^(?P<time>\d{14}),(?P<car>[A-Z]\d{4}),`, ""), env)
	},
	Body: "20260101000000,B0042,93,88", Headers: map[string]string{"kind": "x"},
	Allocs: 2, // the standard library's places of groups
}

func TestConformance(t *testing.T) { suite.Test(t) }

func TestExtract(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  Config
		want map[string]string
	}{
		"groups":                      {pattern(`(?P<car>[A-Z]\d+),(?P<speed>\d+)`, ""), map[string]string{"car": "B0042", "speed": "130", "path": "/a/b"}},
		"groups without a name":       {pattern(`([A-Z])(?P<no>\d+)`, ""), map[string]string{"no": "0042", "path": "/a/b"}},
		"a group that takes no part":  {pattern(`(?P<x>nothing)?(?P<car>[A-Z]\d+)`, ""), map[string]string{"car": "B0042", "path": "/a/b"}},
		"an empty group":              {pattern(`(?P<x>z*)B`, ""), map[string]string{"x": "", "path": "/a/b"}},
		"from a header":               {pattern(`/(?P<last>[^/]*)$`, "path"), map[string]string{"last": "b", "path": "/a/b"}},
		"over the header itself":      {pattern(`/(?P<path>[^/]*)$`, "path"), map[string]string{"path": "b"}},
		"no match":                    {pattern(`(?P<x>zzz)`, ""), map[string]string{"path": "/a/b", "collect.error": noMatch}},
		"a header that is not there":  {pattern(`(?P<x>.)`, "nix"), map[string]string{"path": "/a/b", "collect.error": noHeader}},
		"the bytes are as they stand": {pattern(`(?s)(?P<x>,\d+)`, ""), map[string]string{"x": ",130", "path": "/a/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, providertest.Make(t, New, tt.cfg, env), env.Pool, "B0042,130", map[string]string{"path": "/a/b"})
			if diff := cmp.Diff(tt.want, e.Headers); diff != "" || e.Body != "B0042,130" {
				t.Errorf("body %q, headers %s", e.Body, diff)
			}
		})
	}
}

func TestErrorsFollowOnError(t *testing.T) {
	providertest.TestOnError(t, "body", func(env flow.Env, policy string) flow.Interceptor {
		cfg := pattern("(?P<x>zzz)", "")
		cfg.OnError = policy
		return providertest.Make(t, New, cfg, env)
	})
}

func TestValidate(t *testing.T) {
	for name, p := range map[string]string{
		"no pattern": "", "broken": "(?P<x>", "no group": "abc", "no named group": "(abc)", "long": "(?P<x>" + strings.Repeat("x", 5000) + ")",
	} {
		if pattern(p, "").Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkExtract(b *testing.B) { suite.Bench(b) }
