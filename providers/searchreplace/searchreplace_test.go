package searchreplace

import (
	"strings"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func suite(cfg Config, allocs float64) providertest.Interceptor {
	return providertest.Interceptor{
		New:  func(t testing.TB, env flow.Env) flow.Interceptor { return providertest.Make(t, New, cfg, env) },
		Body: "user=alice card=1234567890123456", Headers: map[string]string{"user": "alice"}, ChangesBody: cfg.Header == "", Allocs: allocs,
	}
}

func TestConformance(t *testing.T) {
	t.Run("literal", suite(Config{Pattern: "alice", Replace: "***"}, 0).Test)
	t.Run("header", suite(Config{Pattern: "alice", Replace: "***", Header: "user"}, 0).Test)
	t.Run("no match", suite(Config{Pattern: `\d{40}`, Replace: "***"}, 0).Test)
	t.Run("pattern", suite(Config{Pattern: `\d{12}(\d{4})`, Replace: "****$1"}, 5).Test)
}

func TestReplace(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg          Config
		body, header string
	}{
		"literal, everywhere":         {Config{Pattern: "a", Replace: "AA"}, "AAlice+AAlice", "alice"},
		"nothing in its place":        {Config{Pattern: "ali"}, "ce+ce", "alice"},
		"groups":                      {Config{Pattern: `(a)(l)`, Replace: "$2$1"}, "laice+laice", "alice"},
		"named groups":                {Config{Pattern: `(?P<x>ice)`, Replace: "<${x}>"}, "al<ice>+al<ice>", "alice"},
		"a dollar sign":               {Config{Pattern: `\+`, Replace: "$$"}, "alice$alice", "alice"},
		"dots of a pattern":           {Config{Pattern: `^.`, Replace: "_"}, "_lice+alice", "alice"},
		"a header":                    {Config{Pattern: "li", Replace: "-", Header: "user"}, "alice+alice", "a-ce"},
		"a header that is not there":  {Config{Pattern: "li", Replace: "-", Header: "nix"}, "alice+alice", "alice"},
		"an empty match is a match":   {Config{Pattern: "z*", Replace: "-"}, "-a-l-i-c-e-+-a-l-i-c-e-", "alice"},
		"no match leaves all alone":   {Config{Pattern: "bob", Replace: "-"}, "alice+alice", "alice"},
		"from begin to end only":      {Config{Pattern: "^alice$", Replace: "x", Header: "user"}, "alice+alice", "x"},
		"not in the middle":           {Config{Pattern: "^alice$", Replace: "x"}, "alice+alice", "alice"},
		"text in quotes":              {Config{Pattern: `\Q+\E`, Replace: "x"}, "alicexalice", "alice"},
		"upper and lower case differ": {Config{Pattern: "(?i)ALICE", Replace: "x"}, "x+x", "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			env := providertest.Env(t)
			e, _ := providertest.One(t, providertest.Make(t, New, tt.cfg, env), env.Pool, "alice+alice", map[string]string{"user": "alice"})
			if e.Body != tt.body || e.Headers["user"] != tt.header {
				t.Errorf("body %q, header %q", e.Body, e.Headers["user"])
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no pattern": {}, "broken": {Pattern: "("}, "long": {Pattern: strings.Repeat("x", 5000)}, "reserved": {Pattern: "x", Header: "collect.x"},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkReplace(b *testing.B) {
	b.Run("literal", suite(Config{Pattern: "alice", Replace: "***"}, 0).Bench)
	b.Run("pattern", suite(Config{Pattern: `\d{12}(\d{4})`, Replace: "****$1"}, 0).Bench)
}
