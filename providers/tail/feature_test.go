package tail

import (
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
	env := providertest.Env(t)
	src := providertest.Make(t, New, config(dir+"/**/*.log"), env).(*Source)
	src.fullScan = time.Hour // changes of folders tell of what is new
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	r := providertest.Start(t, src, out)
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
	appendTo(t, filepath.Join(dir, "z", "3.log"), "3\n")
	out.Wait(3)
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

// untilAwaited waits until nothing but an acknowledgement is missing for a file to be deleted.
func untilAwaited(t testing.TB, env flow.Env) {
	t.Helper()
	providertest.Until(t, "a file waits to be deleted", func() bool { return fact(env, "deleted when acknowledged") == "1" })
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
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(3)
	untilAwaited(t, env)
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
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(1)
	out.Ack(-1, flow.Abandoned)
	untilAwaited(t, env)
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
	r := providertest.Start(t, providertest.Make(t, New, config(dir+"/*"), env), out)
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
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(2)
	r.Stop()
	env.Positions, env.Stats = pos.Replaced(), &flow.Stats{}
	r = providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	untilAwaited(t, env)
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
