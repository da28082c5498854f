package tail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestStartAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	env := providertest.Env(t)
	cfg := config(dir + "/*.log")
	cfg.StartAt = "end"
	appendTo(t, name, "old\nhal")
	bound := make(chan struct{})
	env.Ready = func() { close(bound) }
	out, r := follow(t, cfg, env)
	<-bound
	appendTo(t, name, "f\nnew\n")
	appendTo(t, filepath.Join(dir, "later.log"), "from its beginning\n")
	out.Wait(3)
	r.Stop()
	got := out.Bodies()
	slices.Sort(got)
	equal(t, []string{"from its beginning", "half", "new"}, got)
	// A file that comes while the agent is down is read from its beginning, too.
	appendTo(t, filepath.Join(dir, "down.log"), "1\n2\n")
	env = again(env)
	env.Ready = func() {}
	out, r = follow(t, cfg, env)
	out.Wait(2)
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}

func TestCapturesBecomeHeaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, car := range []string{"B0042", "C0007"} {
		if err := os.MkdirAll(filepath.Join(dir, "korea", car), 0o700); err != nil {
			t.Fatal(err)
		}
		appendTo(t, filepath.Join(dir, "korea", car, "driver-7.log"), car+"\n")
	}
	appendTo(t, filepath.Join(dir, "korea", "B0042", "driver-8.txt"), "no\n")
	out, r := follow(t, config(dir+"/{land}/{car}/driver-{driver.no}.{log,csv}"), providertest.Env(t))
	out.Wait(2)
	r.Stop()
	for _, e := range out.Events() {
		want := map[string]string{"land": "korea", "car": e.Body, "driver.no": "7"}
		if diff := cmp.Diff(want, e.Headers); diff != "" {
			t.Error(diff)
		}
		if !strings.HasSuffix(e.File, e.Body+"/driver-7.log") {
			t.Errorf("the file is %s", e.File)
		}
	}
}

func TestNewFilesAndFoldersAreFound(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	out, r := follow(t, config(dir+"/**/*.log"), providertest.Env(t))
	if err := os.MkdirAll(filepath.Join(dir, "x", "y"), 0o700); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "x", "y", "1.log"), "1\n")
	out.Wait(1)
	appendTo(t, filepath.Join(dir, "2.log"), "2\n")
	out.Wait(2)
	if err := os.MkdirAll(filepath.Join(dir, "z"), 0o700); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	appendTo(t, filepath.Join(dir, "z", "3.log"), "3\n")
	out.Wait(3)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a file in a new folder was found after %v", took)
	}
	r.Stop()
	equal(t, []string{"1", "2", "3"}, out.Bodies())
}

func TestEventsOfSeveralLines(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	cfg := config(name)
	cfg.Multiline = &Multiline{FirstLine: `^\d`, Timeout: 100 * time.Millisecond}
	env := providertest.Env(t)
	appendTo(t, name, "1 panic\n  at main\n")
	out, r := follow(t, cfg, env)
	appendTo(t, name, "2 next\n")
	out.Wait(2) // the last one after the timeout
	appendTo(t, name, "3 a\n b\n")
	out.Wait(3)
	r.Stop()
	equal(t, []string{"1 panic\n  at main", "2 next", "3 a\n b"}, out.Bodies())
}

func TestDeleteAfterAcknowledgement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a.log")
	cfg := config(dir + "/*.log")
	cfg.Delete = "after_ack"
	env := providertest.Env(t)
	appendTo(t, name, "1\n2\nhalf")
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(100)
	r := providertest.Start(t, newSource(t, cfg, env), out)
	out.Wait(3)
	time.Sleep(3 * cfg.RotateWait)
	if _, err := os.Stat(name); err != nil {
		t.Fatal("the file was deleted before its events were acknowledged:", err)
	}
	out.Ack(-1, flow.Durable)
	providertest.Until(t, "the file is deleted", func() bool {
		_, err := os.Stat(name)
		return os.IsNotExist(err)
	})
	r.Stop()
	equal(t, []string{"1", "2", "half"}, out.Bodies())
}

func TestAnAbandonedFileIsNotDeleted(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a.log")
	cfg := config(name)
	cfg.Delete = "after_ack"
	env := providertest.Env(t)
	appendTo(t, name, "1\n")
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(100)
	r := providertest.Start(t, newSource(t, cfg, env), out)
	out.Wait(1)
	out.Ack(-1, flow.Abandoned)
	time.Sleep(4 * cfg.RotateWait)
	r.Stop()
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

func TestSlowFilesShareABatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		appendTo(t, filepath.Join(dir, fmt.Sprint(i, ".log")), "x\n")
	}
	env := providertest.Env(t)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(100)
	r := providertest.Start(t, newSource(t, config(dir+"/*"), env), out)
	out.Wait(50)
	if n := out.Pending(); n != 1 {
		t.Errorf("50 files with a line each made %d batches", n)
	}
	out.Ack(-1, flow.Durable)
	r.Stop()
}

func TestABusyFileDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, _ := numbered(0, 50000)
	appendTo(t, filepath.Join(dir, "busy.log"), text)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "busy.log"), old, old); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "calm.log"), "calm\n")
	env := providertest.Env(t)
	env.Batch.MaxEvents = 1000
	out, r := follow(t, config(dir+"/*"), env)
	out.Wait(50001)
	r.Stop()
	if at := slices.Index(out.Bodies(), "calm"); at > 2000 {
		t.Errorf("the other file's line came as number %d", at)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, names := range map[string]map[string]bool{
		"/a/*.log":         {"/a/x.log": true, "/a/b/x.log": false, "/a/.log": true, "/b/x.log": false},
		"/a/**/x.log":      {"/a/x.log": true, "/a/b/c/x.log": true, "/x.log": false},
		"/a/**":            {"/a/b": true, "/a/b/c": true},
		"/a/b?[0-9].log":   {"/a/bx1.log": true, "/a/bxx.log": false},
		"/a/[!x]":          {"/a/y": true, "/a/x": false},
		"/a/{b,c*}.log":    {"/a/b.log": true, "/a/cc.log": true, "/a/d.log": false},
		"/a/{name}.log":    {"/a/b.log": true, "/a/.log": false},
		`/a/\*`:            {"/a/*": true, "/a/b": false},
		"/a/x.log":         {"/a/x.log": true, "/a/xxlog": false},
		"/a/{b,{c,d}}/{e}": {"/a/d/x": true, "/a/e/x": false},
	} {
		p, err := parsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for name, want := range names {
			if p.matches(name) != want {
				t.Errorf("%s matches %s: %v", pattern, name, !want)
			}
		}
	}
	for _, pattern := range []string{"a/b", "/a/{b", "/a/[b", `/a/b\`, "/a/{b c}", "/a/{collect.x}"} {
		if _, err := parsePattern(pattern); err == nil {
			t.Errorf("%s: accepted", pattern)
		}
	}
}

func TestExclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.log", "b.log", "b.old"} {
		appendTo(t, filepath.Join(dir, name), name+"\n")
	}
	cfg := config(dir + "/*")
	cfg.Exclude = []string{"*.old", dir + "/a*"}
	out, r := follow(t, cfg, providertest.Env(t))
	out.Wait(1)
	time.Sleep(100 * time.Millisecond)
	r.Stop()
	equal(t, []string{"b.log"}, out.Bodies())
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no include": func(c *Config) { c.Include = nil },
		"include":    func(c *Config) { c.Include = []string{"relative"} },
		"exclude":    func(c *Config) { c.Exclude = []string{"[a"} },
		"max_line":   func(c *Config) { c.MaxLine = 1 << 30 },
		"encoding":   func(c *Config) { c.Encoding = "ebcdic" },
		"first_line": func(c *Config) { c.Multiline = &Multiline{FirstLine: "("} },
		"long regex": func(c *Config) { c.Multiline = &Multiline{FirstLine: strings.Repeat("x", 5000)} },
		"wide lines": func(c *Config) { c.Multiline, c.Encoding = &Multiline{FirstLine: "x"}, "utf-16" },
	} {
		cfg := config("/x")
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// counter takes events and forgets them.
type counter struct {
	n, want int
	done    chan struct{}
}

func BenchmarkTail(b *testing.B) {
	line := strings.Repeat("x", 174) + "\n"
	const count = 500_000
	name := filepath.Join(b.TempDir(), "app.log")
	if err := os.WriteFile(name, []byte(strings.Repeat(line, count)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(count * len(line)))
	for b.Loop() {
		env := providertest.Env(b)
		env.Pool = flow.NewPool(16 << 20)
		out := &counter{want: count, done: make(chan struct{})}
		r := providertest.Start(b, newSource(b, config(name), env), out)
		<-out.done
		r.Stop()
	}
	b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkIdle is what one look at 100 files costs that do not change.
func BenchmarkIdle(b *testing.B) {
	dir := b.TempDir()
	for i := range 100 {
		appendTo(b, filepath.Join(dir, fmt.Sprint(i, ".log")), "x\n")
	}
	env := providertest.Env(b)
	out := &counter{want: 100, done: make(chan struct{})}
	src := newSource(b, config(dir+"/*"), env)
	r := providertest.Start(b, src, out)
	<-out.done
	r.Stop()
	s := src.(*Source)
	s.open()
	defer s.close()
	s.loadNotes()
	s.scan()
	for b.Loop() {
		if _, err := s.round(b.Context(), out); err != nil {
			b.Fatal(err)
		}
	}
}

func (c *counter) Emit(_ context.Context, b *flow.Batch) error {
	c.n += b.Len()
	b.Ack(flow.Delivered)
	b.Release()
	if c.n == c.want {
		close(c.done)
	}
	return nil
}

func TestASourceThatReplacesAnotherDeletesOnlyWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a.log")
	cfg := config(dir + "/*.log")
	cfg.Delete = "after_ack"
	env := providertest.Env(t)
	appendTo(t, name, "1\n2\n")
	pos := env.Positions.(*providertest.Positions)
	out := providertest.NewOut(t, pos).Hold(100)
	r := providertest.Start(t, newSource(t, cfg, env), out)
	out.Wait(2)
	r.Stop()
	env.Positions, env.Stats = pos.Replaced(), &flow.Stats{}
	r = providertest.Start(t, newSource(t, cfg, env), out)
	time.Sleep(4 * cfg.RotateWait)
	if _, err := os.Stat(name); err != nil {
		t.Fatal("the file was deleted before its events were acknowledged:", err)
	}
	out.Ack(-1, flow.Durable)
	providertest.Until(t, "the file is deleted", func() bool {
		_, err := os.Stat(name)
		return os.IsNotExist(err)
	})
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}
