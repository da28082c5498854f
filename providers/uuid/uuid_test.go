package uuid

import (
	"regexp"
	"slices"
	"strings"
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
}

func TestSuite(t *testing.T) { suite.Test(t) }

func BenchmarkSet(b *testing.B) { suite.Bench(b) }

// names gives the uuids of events at some positions of a key.
func names(t testing.TB, key string, from uint64, n int) []string {
	t.Helper()
	env := providertest.Env(t)
	b := env.Pool.GetSized(16)
	defer b.Release()
	b.Begin(key, from, nil)
	for i := range n {
		b.AddBody([]byte("x"), from+uint64(i+1)*2)
	}
	k := &flow.Keep{}
	k.Reset(n)
	if err := providertest.Make(t, New, Defaults(), env).Intercept(b, 0, n, k); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range providertest.Copy(b) {
		out = append(out, e.Headers["id"])
	}
	return out
}

const source = "0f0e0d0c-0b0a-4908-8706-050403020100"

func TestAReplayGivesTheSameNames(t *testing.T) {
	all := names(t, source+"/abc/file1", 0, 10)
	if again := names(t, source+"/abc/file1", 8, 6); !slices.Equal(again, all[4:]) {
		t.Errorf("%v\n%v", again, all[4:])
	}
	if other := names(t, source+"/another-route/file1", 0, 10); !slices.Equal(other, all) {
		t.Error("a change of routes changes the names")
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, key := range []string{source + "/a/file1", source + "/a/file2", strings.Replace(source, "0", "1", 1) + "/a/file1", "plain"} {
		for _, id := range names(t, key, 0, 100) {
			if seen[id] || !form.MatchString(id) {
				t.Fatalf("%s came twice, or is no uuid", id)
			}
			seen[id] = true
		}
	}
}
