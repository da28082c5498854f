package spooldir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestAFileThatChangesWhileReadIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, _ := numbered(0, 30)
	full := put(t, dir, "a", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(1)
	r := providertest.Start(t, providertest.Make(t, New, config(dir), env), out)
	out.Wait(10)
	f, err := os.OpenFile(full, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("more\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "b", "other\n")
	providertest.Until(t, "the other file is read", func() bool {
		out.Ack(-1, flow.Delivered)
		return slices.Contains(out.Bodies(), "other")
	})
	providertest.Until(t, "only the other file is renamed", func() bool {
		out.Ack(-1, flow.Delivered)
		return slices.Equal(names(t, dir), []string{"a", "b.COMPLETED"})
	})
	r.Stop()
	if s := env.Stats.Snapshot(); !strings.Contains(s.LastError, "changed while it was read") || s.Errors != 1 {
		t.Errorf("%d errors, the last one %q", s.Errors, s.LastError)
	}
	out, r = follow(t, config(dir), again(env))
	put(t, dir, "c", "third\n")
	out.Wait(1)
	r.Stop()
	equal(t, []string{"third"}, out.Bodies())
}

func TestAFileThatWasSetAsideGoesOnUnderAnotherName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	full := put(t, dir, "a", "1\n2\n")
	out, r := follow(t, cfg, env)
	out.Wait(2)
	untilDone(t, env, 1)
	f, _ := os.OpenFile(full, os.O_APPEND|os.O_WRONLY, 0)
	if _, err := f.WriteString("3\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	providertest.Until(t, "the file is set aside", func() bool {
		return strings.Contains(env.Stats.Snapshot().LastError, "is set aside")
	})
	if err := os.Rename(full, filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	out.Wait(3)
	r.Stop()
	equal(t, []string{"1", "2", "3"}, out.Bodies())
}

// rewrite gives a file other content, without giving it another identity.
func rewrite(t testing.TB, full, text string) {
	t.Helper()
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A folder that may not be changed: the same file gets the next day's content, which begins with the same head.
func TestARememberedFileThatIsWrittenAnewIsReadAnew(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("the same head in each file\n", 50)
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprint("while down ", down), func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = "track"
			full := put(t, dir, "a", head+"monday\n")
			out, r := follow(t, cfg, env)
			out.Wait(51)
			untilDone(t, env, 1)
			if down {
				r.Stop()
				env = again(env)
			}
			rewrite(t, full, head+"tuesday, and more\n")
			if down {
				out, r = follow(t, cfg, env)
				out.Wait(51)
			} else {
				out.Wait(102)
			}
			untilDone(t, env, 1)
			r.Stop()
			if got := out.Bodies(); got[len(got)-1] != "tuesday, and more" {
				t.Errorf("the last event is %q", got[len(got)-1])
			}
			if n := env.Stats.Snapshot().Errors; n != 0 {
				t.Errorf("%d errors: %s", n, env.Stats.Snapshot().LastError)
			}
		})
	}
}

func TestARememberedFileThatGrowsIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	full := put(t, dir, "a", "1\n")
	out, r := follow(t, cfg, env)
	out.Wait(1)
	untilDone(t, env, 1)
	rewrite(t, full, "1\n2\n")
	providertest.Until(t, "the file is set aside", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "set aside") })
	put(t, dir, "b", "3\n")
	out.Wait(2)
	r.Stop()
	equal(t, []string{"1", "3"}, out.Bodies())
}

// Positions count bytes in one format and records in another: a file that was begun in one is begun anew in the other.
func TestAFileIsBegunAnewWhenTheFormatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, _ := numbered(0, 100)
	put(t, dir, "a", text)
	cfg := config(dir)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(2)
	r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
	out.Wait(20)
	out.Ack(1, flow.Durable)
	out.Wait(30)
	r.Stop()
	out.Ack(-1, flow.Abandoned)
	env = again(env)
	cfg.Format = "whole"
	next, r := follow(t, cfg, env)
	next.Wait(1)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	if e := next.Events()[0]; e.Body != text || e.From != 0 {
		t.Errorf("%d bytes from %d, want all %d", len(e.Body), e.From, len(text))
	}
	if keys := env.Positions.Keys(); len(keys) != 0 {
		t.Errorf("keys are left: %v", keys)
	}
}

// What was set aside because the format was the wrong one is read once that is mended.
func TestAFileOfTheWrongFormatIsReadInTheRightOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Format = "avro"
	put(t, dir, "a", "1\n2\n")
	_, r := follow(t, cfg, env)
	providertest.Until(t, "the file is set aside", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "set aside") })
	r.Stop()
	cfg.Format = "line"
	out, r := follow(t, cfg, again(env))
	out.Wait(2)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}
