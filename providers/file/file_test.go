package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func constant(path string) Config {
	c := Defaults()
	c.Path = schema.Expr{Const: path}
	return c
}

func perEvent(src string) Config {
	c := Defaults()
	c.Path = schema.Expr{Src: src}
	return c
}

func start(t *testing.T, cfg Config, env flow.Env) *providertest.Delivery {
	t.Helper()
	return providertest.Open(t, providertest.Make(t, New, cfg, env), env)
}

func TestConformanceGrowing(t *testing.T) {
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		dir := t.TempDir()
		return providertest.Sink{
			New: func(t *testing.T, env flow.Env) flow.Sink {
				return providertest.Make(t, New, constant(dir+"/out/all.log"), env)
			},
			Received: func(t *testing.T) []string { return providertest.Contents(t, dir) },
			Form:     providertest.Escaped,
		}
	})
}

func TestConformanceRolling(t *testing.T) {
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		dir := t.TempDir()
		return providertest.Sink{
			New: func(t *testing.T, env flow.Env) flow.Sink {
				cfg := constant(dir + "/out/all.log")
				cfg.Roll = &Roll{Size: 1 << 20}
				return providertest.Make(t, New, cfg, env)
			},
			Received: func(t *testing.T) []string { return providertest.Contents(t, dir) },
			Form:     providertest.Escaped,
		}
	})
}

func TestConformancePerEventPath(t *testing.T) {
	for _, roll := range []*Roll{nil, {Size: 1 << 20}} {
		t.Run(fmt.Sprint(roll != nil), func(t *testing.T) {
			providertest.TestSink(t, func(t *testing.T) providertest.Sink {
				dir := t.TempDir()
				return providertest.Sink{
					New: func(t *testing.T, env flow.Env) flow.Sink {
						cfg := perEvent(`"` + dir + `/x-${try(event.headers.a, "none")}/all.log"`)
						cfg.Roll = roll
						return providertest.Make(t, New, cfg, env)
					},
					Received: func(t *testing.T) []string { return providertest.Contents(t, dir) },
					Form:     providertest.Escaped,
				}
			})
		})
	}
}

// Paths from events: neither a growing nor a rolled file is made, or added to, outside of the constant directory, also where links to
// the outside lie below it.
func TestPathsFromEventsStayBelowTheConstantDirectory(t *testing.T) {
	for _, roll := range []*Roll{nil, {Size: 1 << 20}} {
		t.Run(fmt.Sprint(roll != nil), func(t *testing.T) {
			top := t.TempDir()
			root, outside := filepath.Join(top, "root"), filepath.Join(top, "outside")
			err := errors.Join(os.Mkdir(root, 0o700), os.Mkdir(outside, 0o700), os.WriteFile(filepath.Join(outside, "all.log"), []byte("precious"), 0o600),
				os.Symlink(outside, filepath.Join(root, "link")), os.Mkdir(filepath.Join(root, "in"), 0o700),
				os.Symlink(filepath.Join(outside, "all.log"), filepath.Join(root, "in", "all.log")))
			if err != nil {
				t.Fatal(err)
			}
			cfg := perEvent(`"` + root + `/${event.body}/all.log"`)
			cfg.Roll = roll
			d := start(t, cfg, providertest.Env(t))
			good := []string{"../outside", "/etc", "..", ".", "a/../../outside", "%2e%2e", "\x00", "x\ny", "\xff", "~", "$HOME", strings.Repeat("é", 300)}
			bad := []string{"link"} // nothing below the root can have this name
			if roll == nil {
				bad = append(bad, "in")
			}
			for _, body := range append(bad, good...) {
				d.Must([]string{body})
			}
			d.Flush()
			d.Close()
			for i := range len(bad) + len(good) {
				r, ok := d.Result(uint64(i + 1))
				if refused := len(r.Events) == 1 && flow.IsPermanent(r.Events[0].Err); !ok || r.Err != nil || refused != (i < len(bad)) {
					t.Errorf("event %d: %+v", i, r)
				}
			}
			if raw, err := os.ReadFile(filepath.Join(outside, "all.log")); err != nil || string(raw) != "precious" {
				t.Errorf("outside: %q, %v", raw, err)
			}
			for dir, want := range map[string]int{top: 2, outside: 1} {
				if all, err := os.ReadDir(dir); err != nil || len(all) != want {
					t.Errorf("%s: %v, %v", dir, all, err)
				}
			}
		})
	}
}

func TestMoreFilesThanMayBeOpen(t *testing.T) {
	for name, roll := range map[string]*Roll{"growing": nil, "rolling": {Size: 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := perEvent(`"` + dir + `/${event.body}.log"`)
			cfg.MaxOpen, cfg.Roll = 3, roll
			d := start(t, cfg, providertest.Env(t))
			var want []string
			for i := range 40 {
				bodies := []string{fmt.Sprint(i % 10), fmt.Sprint(i % 7), "a", "b", "c", "d", "e"}
				want = append(want, bodies...)
				d.Must(bodies)
			}
			d.Flush()
			d.Close()
			got := providertest.Contents(t, dir)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	with := func(c Config, f func(*Config)) Config { f(&c); return c }
	ok := constant("/tmp/x/y.log")
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no path":                   {Defaults(), "path is missing"},
		"relative path":             {constant("data/x.log"), "absolute"},
		"no constant directory":     {perEvent(`"${event.headers.a}/x"`), "constant, absolute directory"},
		"root as directory":         {perEvent(`"/${event.headers.a}/x"`), "would be /"},
		"directory":                 {constant("/tmp/x/"), "must end in a file name"},
		"dots":                      {constant("/tmp/../x"), `must not hold ".."`},
		"dots behind an event":      {perEvent(`"/tmp/a/${event.headers.a}/../x"`), `must not hold ".."`},
		"hdfs":                      {constant("hdfs://nn:8020/x"), "another sink"},
		"unknown scheme":            {constant("s3://b/x"), "s3://"},
		"compression and growing":   {with(ok, func(c *Config) { c.Compression = "gzip" }), "needs a roll block"},
		"avro and growing":          {with(ok, func(c *Config) { c.Format = "avro" }), "needs a roll block"},
		"keep and growing":          {with(ok, func(c *Config) { c.Keep = &Keep{} }), "needs a roll block"},
		"avro and lz4":              {with(ok, func(c *Config) { c.Format, c.Compression, c.Roll = "avro", "lz4", &Roll{} }), "lz4"},
		"no open files":             {with(ok, func(c *Config) { c.MaxOpen = 0 }), "max_open"},
		"a condition that is const": {with(ok, func(c *Config) { c.CloseWhen = schema.Expr{Const: true} }), "close_when"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAnUnwritableDirectoryIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := providertest.Make(t, New, constant(dir+"/file/x.log"), providertest.Env(t))
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), dir+"/file") {
		t.Errorf("got %v", err)
	}
	_ = s.Close(context.Background())
}

func TestSchemaIsWellFormed(t *testing.T) {
	if b := schema.Of(Defaults()); len(b.Attrs) == 0 {
		t.Error("no attributes")
	}
}
