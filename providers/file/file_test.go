package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func escape(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

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

func make1(t *testing.T, cfg Config, env flow.Env) flow.Sink {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, cfg Config, env flow.Env) *providertest.Delivery {
	t.Helper()
	s := make1(t, cfg, env)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return providertest.NewDelivery(t, s, env)
}

// visible gives the files below dir that are not hidden, with their content.
func visible(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[rel] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hidden(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	_ = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
		return nil
	})
	return out
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// contents gives all lines in the order of the files' names.
func contents(t *testing.T, dir string) []string {
	t.Helper()
	files := visible(t, dir)
	names := make([]string, 0, len(files))
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	var all []string
	for _, n := range names {
		all = append(all, lines(files[n])...)
	}
	return all
}

func TestConformanceGrowing(t *testing.T) {
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		dir := t.TempDir()
		return providertest.Sink{
			New:      func(t *testing.T, env flow.Env) flow.Sink { return make1(t, constant(dir+"/out/all.log"), env) },
			Received: func(t *testing.T) []string { return contents(t, dir) },
			Form:     escape,
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
				return make1(t, cfg, env)
			},
			Received: func(t *testing.T) []string { return contents(t, dir) },
			Form:     escape,
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
						return make1(t, cfg, env)
					},
					Received: func(t *testing.T) []string { return contents(t, dir) },
					Form:     escape,
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

func TestGrowingFileKeepsWholeLinesOverACrash(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	path := filepath.Join(dir, "all.log")
	if err := os.WriteFile(path, []byte("theirs, without an end"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, constant(path), env)
	d.Must([]string{"one", "two"})
	d.Flush()
	d.Close()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("three, whole\nfour, half of a li"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d = start(t, constant(path), env)
	d.Must([]string{"five"})
	d.Flush()
	d.Close()
	raw, _ := os.ReadFile(path)
	if got, want := string(raw), "theirs, without an end\none\ntwo\nthree, whole\nfive\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGrowingFileIsMadeAnewWhenSomebodyMovesItAway(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	path := filepath.Join(dir, "all.log")
	d := start(t, constant(path), env)
	d.Must([]string{"one"})
	d.Flush()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	n := 1
	providertest.Eventually(t, "the file exists again", func() bool {
		d.Must([]string{"more"})
		d.Flush()
		n++
		_, err := os.Stat(path)
		return err == nil
	})
	d.Close()
	if got := contents(t, dir); len(got) != n {
		t.Errorf("%d lines of %d are there: %q", len(got), n, got)
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
			got := contents(t, dir)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// syncFails is a file layer whose Sync fails when told to.
type syncFails struct {
	flow.FS
	fail *bool
}

type failingDir struct {
	flow.Dir
	fail *bool
}

type failingFile struct {
	flow.File
	fail *bool
}

func (s syncFails) OpenDir(p string) (flow.Dir, error) {
	d, err := s.FS.OpenDir(p)
	return failingDir{d, s.fail}, err
}

func (d failingDir) OpenWrite(name string, create bool, perm os.FileMode) (flow.File, error) {
	f, err := d.Dir.OpenWrite(name, create, perm)
	return failingFile{f, d.fail}, err
}

func (f failingFile) Sync() error {
	if *f.fail {
		return errors.New("input/output error")
	}
	return f.File.Sync()
}

func TestAFailedSyncIsNeverTakenForASuccess(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	fail := false
	env.FS = syncFails{env.FS, &fail}
	d := start(t, constant(dir+"/all.log"), env)
	d.Must([]string{"one"})
	d.Flush()
	fail = true
	d.Must([]string{"two"})
	d.Flush()
	if r, _ := d.Result(2); r.Err == nil || !r.Unknown {
		t.Errorf("result %+v", r)
	}
	fail = false
	d.Retry()
	d.Close()
	if got := contents(t, dir); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q", got)
	}
}

func TestCloseWhenPublishesTheFileUnderItsName(t *testing.T) {
	dir := t.TempDir()
	cfg := perEvent(`"` + dir + `/SmartCarStatusInfo_${event.headers.date}.txt"`)
	cfg.CloseWhen = schema.Expr{Src: "can(event.headers.last)"}
	d := start(t, cfg, providertest.Env(t))
	day := flow.Header{Name: "date", Value: []byte("20260101")}
	last := flow.Header{Name: "last", Value: []byte("true")}
	for range 2 {
		for range 10 {
			d.Must([]string{"line", "line"}, day)
		}
		if _, done := d.Result(1); len(visible(t, dir)) > 1 || !done && len(visible(t, dir)) != 0 {
			t.Fatalf("visible before its end: %v", visible(t, dir))
		}
		d.Must([]string{"end"}, day, last)
		d.Flush()
	}
	d.Close()
	files := visible(t, dir)
	if len(files) != 2 || len(lines(files["SmartCarStatusInfo_20260101.txt"])) != 21 {
		t.Errorf("files: %v", keys(files))
	}
	for name, content := range files {
		if !strings.HasPrefix(name, "SmartCarStatusInfo_20260101") || !strings.HasSuffix(name, ".txt") || len(lines(content)) != 21 {
			t.Errorf("%s has %d lines", name, len(lines(content)))
		}
	}
	if left := hidden(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func keys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestCloseWhenEndsAFileInTheMiddleOfABatch(t *testing.T) {
	dir := t.TempDir()
	cfg := perEvent(`"` + dir + `/all.txt"`)
	cfg.Path = schema.Expr{Const: dir + "/all.txt"}
	cfg.CloseWhen = schema.Expr{Src: `event.body == "end"`}
	env := providertest.Env(t)
	d := start(t, cfg, env)
	d.Must([]string{"a", "end", "b", "c", "end", "d"})
	d.Flush()
	d.Close()
	var got []string
	for _, c := range visible(t, dir) {
		got = append(got, strings.ReplaceAll(c, "\n", " "))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a end ", "b c end ", "d "}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRollByEventsIsExact(t *testing.T) {
	dir := t.TempDir()
	cfg := constant(dir + "/all.txt")
	cfg.Roll = &Roll{Events: 10}
	d := start(t, cfg, providertest.Env(t))
	var all []string
	for i := range 7 {
		b := []string{}
		for k := range 5 {
			b = append(b, fmt.Sprintf("%03d", i*5+k))
		}
		all = append(all, b...)
		d.Must(b)
	}
	d.Flush()
	d.Close()
	sizes := []int{}
	for _, c := range visible(t, dir) {
		sizes = append(sizes, len(lines(c)))
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{5, 10, 10, 10}) || !slices.Equal(contents(t, dir), all) {
		t.Errorf("files of %v events", sizes)
	}
}

func TestKeepRemovesOldFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/other.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := constant(dir + "/all.txt")
	cfg.Roll, cfg.Keep = &Roll{Events: 1}, &Keep{Files: 3}
	d := start(t, cfg, providertest.Env(t))
	for i := range 8 {
		d.Must([]string{fmt.Sprint(i)})
		d.Flush()
	}
	providertest.Eventually(t, "old files go", func() bool { return len(visible(t, dir)) == 4 })
	d.Close()
	if got := contents(t, dir); !slices.Equal(got, []string{"5", "6", "7"}) {
		t.Errorf("kept %q", got)
	}
}

func TestKeepLeavesFilesOfOthersAlone(t *testing.T) {
	dir := t.TempDir()
	foreign := []string{"app-notes.log", "app.log.bak", "app-1.log"}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := perEvent(`"` + dir + `/${event.body}.log"`)
	cfg.Roll, cfg.Keep = &Roll{Events: 1}, &Keep{Files: 1}
	d := start(t, cfg, providertest.Env(t))
	for range 2 { // the names of one path begin with the other
		d.Must([]string{"app-2"})
		d.Flush()
		d.Must([]string{"app"})
		d.Flush()
	}
	d.Close()
	got := contents(t, dir)
	slices.Sort(got)
	want := append([]string{"app", "app-2"}, foreign...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

func TestIdleAndIntervalEndFiles(t *testing.T) {
	for name, roll := range map[string]Roll{"idle": {Idle: 30 * time.Millisecond}, "interval": {Interval: 30 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := constant(dir + "/all.txt")
			cfg.Roll = &roll
			d := start(t, cfg, providertest.Env(t))
			d.Must([]string{"x"})
			providertest.Eventually(t, "the file appears", func() bool { return len(visible(t, dir)) == 1 })
			d.Close()
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
	s := make1(t, constant(dir+"/file/x.log"), providertest.Env(t))
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

func BenchmarkGrowing(b *testing.B) {
	env := providertest.Env(b)
	env.Pool = flow.NewPool(64 << 20)
	s, err := New(constant(b.TempDir()+"/all.log"), env)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	bodies := slices.Repeat([]string{string(bytes.Repeat([]byte("x"), 174))}, 4096)
	src := providertest.SinkBatch(env.Pool, 1, bodies)
	b.SetBytes(src.Bytes())
	for b.Loop() {
		v := src.Share()
		v.SetDone(func(v *flow.Batch, _ flow.Result) { v.Release() })
		if err := s.Write(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Flush(b.Context())
	b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "events/s")
	_ = s.Close(context.Background())
}
