package hdfs

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/colinmarc/hdfs/v2"
	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
	"collect/testdata/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func config(url string) Config {
	c := Defaults()
	c.Path = schema.Expr{Const: url}
	c.Roll.Size = 1 << 20
	return c
}

func start(t *testing.T, cfg Config, env flow.Env) *providertest.Delivery {
	t.Helper()
	return providertest.Open(t, providertest.Make(t, New, cfg, env), env)
}

func TestConformanceOnADirectory(t *testing.T) {
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		dir := t.TempDir()
		return providertest.Sink{
			New: func(t *testing.T, env flow.Env) flow.Sink {
				return providertest.Make(t, New, config("file://"+dir+"/w/h"), env)
			},
			Received: func(t *testing.T) []string { return providertest.Contents(t, dir) },
			Form:     providertest.Escaped,
		}
	})
}

func TestNamesHoldAgentChannelAndSequence(t *testing.T) {
	dir := t.TempDir()
	cfg := config("")
	cfg.Path = schema.Expr{Src: `"file://` + dir + `/wrk_date=${formatdate("YYYYMMDD", event.time)}"`}
	cfg.Compression = "gzip"
	env := providertest.Env(t)
	env.Component, env.Agent = "sink.warehouse", `agent.car["5"]`
	d := start(t, cfg, env)
	d.Must([]string{"x"})
	d.Flush()
	d.Close()
	names, _ := filepath.Glob(dir + "/*/*")
	want := []string{dir + "/wrk_date=20260101/warehouse-car-5-c011ec70-1-0000000001.txt.gz"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	with := func(f func(*Config)) Config { c := config("hdfs://nn:8020/x"); f(&c); return c }
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no directory":        {config("hdfs://nn:8020"), "host and a directory"},
		"no host":             {config("hdfs:///x"), "host and a directory"},
		"relative":            {config("x/y"), "absolute"},
		"no scheme":           {config("/flume/events"), "hdfs://namenode:8020/, or with file:///"},
		"per-event host":      {with(func(c *Config) { c.Path = schema.Expr{Src: `"hdfs://${event.headers.h}/x"`} }), "host and a directory"},
		"per-event root":      {with(func(c *Config) { c.Path = schema.Expr{Src: `event.headers.h`} }), "constant"},
		"dots":                {config("hdfs://nn/a/../b"), ".."},
		"no limit":            {with(func(c *Config) { c.Roll = Roll{} }), "no file would ever end"},
		"prefix with a slash": {with(func(c *Config) { c.Prefix = "a/b" }), "prefix"},
		"hidden prefix":       {with(func(c *Config) { c.Prefix = ".a" }), "hidden"},
		"no suffix in use":    {with(func(c *Config) { c.InUseSuffix = "" }), "in_use_suffix"},
		"no user":             {with(func(c *Config) { c.User = "" }), "user"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if err := config("hdfs://a:1,b:2/x").Validate(); err != nil {
		t.Error(err)
	}
	if b := schema.Of(Defaults()); len(b.Blocks) != 1 {
		t.Error("roll is no block")
	}
}

func TestAnUnreachableNamenodeIsNamedInBoundedTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := providertest.Make(t, New, config("hdfs://"+addr+"/x"), providertest.Env(t))
	err = s.Open(t.Context())
	if err == nil || err.Error() != "hdfs namenode "+addr+" is not reachable: connection refused" {
		t.Errorf("got %v", err)
	}
	_ = s.Close(context.Background())
}

// ---- with a real HDFS ----

func client(t *testing.T, nn string) *hdfs.Client {
	t.Helper()
	c, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{nn}, User: "collect"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// received reads all final files below a directory.
func received(t *testing.T, c *hdfs.Client, root string) (lines, hidden []string) {
	t.Helper()
	err := c.Walk(root, func(p string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		if strings.HasPrefix(path.Base(p), ".") {
			hidden = append(hidden, p)
			return nil
		}
		f, err := c.Open(p)
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(f)
		lines = append(lines, providertest.Lines(string(raw))...)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return lines, hidden
}

func TestConformanceOnHDFS(t *testing.T) {
	nn := servertest.HDFS(t)
	c := client(t, nn)
	providertest.TestSink(t, func(t *testing.T) providertest.Sink {
		root := servertest.Unique("/conformance")
		return providertest.Sink{
			New: func(t *testing.T, env flow.Env) flow.Sink {
				return providertest.Make(t, New, config("hdfs://"+nn+root), env)
			},
			Received: func(t *testing.T) []string { l, _ := received(t, c, root); return l },
			Form:     providertest.Escaped,
		}
	})
}

func TestHostilePathsStayBelowTheRootOnHDFS(t *testing.T) {
	nn, root := servertest.HDFS(t), servertest.Unique("/hostile")
	c := client(t, nn)
	cfg := config("")
	cfg.Path = schema.Expr{Src: `"hdfs://` + nn + root + `/in/${event.body}"`}
	d := start(t, cfg, providertest.Env(t))
	bodies := []string{"../../out", "/abs", "..", ".", "a:b", "a//b", "%2e%2e", "\x00", "한글", "x\ny", "\xff\xfe", "~", "*", " "}
	d.Must(bodies)
	d.Flush()
	if r, ok := d.Result(1); !ok || r.Err != nil || len(r.Events) > 0 {
		t.Errorf("result %+v", r)
	}
	d.Close()
	lines, _ := received(t, c, root+"/in")
	if len(lines) != len(bodies) {
		t.Errorf("%d of %d below the root", len(lines), len(bodies))
	}
	all, _ := c.ReadDir(root)
	if len(all) != 1 {
		t.Errorf("outside: %v", all)
	}
}

func TestADataNodeThatDiesLosesNothing(t *testing.T) {
	cl := servertest.NewHDFS(t)
	c := client(t, cl.NameNode)
	env := providertest.Env(t)
	cfg := config("hdfs://" + cl.NameNode + "/dies")
	cfg.Roll.Size = 64 << 20
	d := start(t, cfg, env)
	var all []string
	write := func(n int) {
		for range n {
			bodies := make([]string, 500)
			for i := range bodies {
				bodies[i] = fmt.Sprintf("%08d %s", len(all)+i, strings.Repeat("x", 200))
			}
			all = append(all, bodies...)
			if err := d.Write(t.Context(), bodies); err != nil {
				d.Requeue()
			}
		}
	}
	write(20)
	cl.KillDataNode()
	write(20)
	cl.StartDataNode(t)
	d.Retry()
	d.Close()
	lines, hidden := received(t, c, "/dies")
	slices.Sort(lines)
	if !slices.Equal(lines, all) {
		t.Errorf("%d lines arrived, %d different, of %d", len(lines), len(slices.Compact(lines)), len(all))
	}
	if len(hidden) > 0 {
		t.Logf("left for the next start: %v", hidden)
		d = start(t, cfg, env)
		d.Close()
		if _, hidden = received(t, c, "/dies"); len(hidden) > 0 {
			t.Errorf("left behind: %v", hidden)
		}
	}
}
