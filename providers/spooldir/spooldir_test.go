package spooldir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(path string) Config {
	c := Defaults()
	c.Path, c.Settle = path, 10*time.Millisecond
	return c
}

func follow(t testing.TB, c Config, env flow.Env) (*providertest.Out, *providertest.Running) {
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	return out, providertest.Start(t, providertest.Make(t, New, c, env), out)
}

func again(env flow.Env) flow.Env {
	env.Positions = env.Positions.(*providertest.Positions).Stopped()
	env.Stats = &flow.Stats{}
	return env
}

// put moves a complete file into the folder, as users should.
func put(t testing.TB, dir, name, text string) string {
	t.Helper()
	tmp := filepath.Join(dir, "."+name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(dir, name)
	if err := os.Rename(tmp, full); err != nil {
		t.Fatal(err)
	}
	return full
}

func numbered(from, n int) (text string, bodies []string) {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		body := fmt.Sprintf("%06d %s", i, strings.Repeat("x", i%50))
		bodies = append(bodies, body)
		b.WriteString(body + "\n")
	}
	return b.String(), bodies
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func untilNames(t testing.TB, dir string, want ...string) {
	t.Helper()
	providertest.Until(t, fmt.Sprint("the folder holds ", want), func() bool { return slices.Equal(names(t, dir), want) })
}

func equal(t testing.TB, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%.3000s", diff)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, done := range []string{"rename", "delete", "track"} {
		t.Run(done, func(t *testing.T) {
			providertest.Test(t, func(t *testing.T) providertest.Source {
				dir, next := t.TempDir(), 0
				cfg := config(dir)
				cfg.Done, cfg.Order = done, "name"
				return providertest.Source{
					New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, cfg, env) },
					Feed: func(t *testing.T, n int) (all []string) {
						for range 5 {
							text, bodies := numbered(next, n/5)
							put(t, dir, fmt.Sprintf("%06d.txt", next), text)
							next += n / 5
							all = append(all, bodies...)
						}
						return all
					},
				}
			})
		})
	}
}

// Folders that others may write: what another user puts there is neither read nor renamed, and a link under the name that a file gets
// when it is done leads nowhere.
func TestForeignFilesAndLinksInSharedFoldersAreLeftAlone(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir, outside := t.TempDir(), t.TempDir()
	put(t, outside, "secret", "secret\n")
	put(t, dir, "foreign", "foreign\n")
	err := errors.Join(
		os.Chmod(dir, 0o777), //nolint:gosec // that is the case under test
		os.Link(filepath.Join(outside, "secret"), filepath.Join(dir, "hard")),
		os.Chown(filepath.Join(dir, "foreign"), 12345, 12345),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "own.COMPLETED")),
		os.Symlink(outside, filepath.Join(dir, "folder")),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666),
	)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "own", "own\n")
	cfg := config(dir)
	cfg.Recursive = true
	env := providertest.Env(t)
	out, r := follow(t, cfg, env)
	out.Wait(1)
	untilNames(t, dir, "fifo", "folder", "foreign", "hard", "own.1.COMPLETED", "own.COMPLETED")
	providertest.Until(t, "the refusals are reported", func() bool { return env.Stats.Snapshot().Errors >= 2 })
	r.Stop()
	equal(t, []string{"own"}, out.Bodies())
	if raw, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(raw) != "secret\n" {
		t.Errorf("what the link leads to holds %q (%v)", raw, err)
	}
	if all, err := os.ReadDir(outside); err != nil || len(all) != 1 {
		t.Errorf("outside: %v, %v", all, err)
	}
}

func TestNamesAndPositionsAreMeta(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full := put(t, dir, "a", "12\n345\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(2)
	r.Stop()
	if e := out.Events()[1]; e.File != full || e.From != 3 || e.After != 7 {
		t.Errorf("the second event is from %s, %d to %d", e.File, e.From, e.After)
	}
}

func TestEmptyFilesAreCompleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "a", "")
	put(t, dir, "b", "x\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(1)
	untilNames(t, dir, "a.COMPLETED", "b.COMPLETED")
	r.Stop()
}

func TestTheLastLineNeedsNoEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "a", "1\n2")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(2)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}

func TestWholeConformance(t *testing.T) {
	t.Parallel()
	providertest.Test(t, func(t *testing.T) providertest.Source {
		dir, next := t.TempDir(), 0
		cfg := config(dir)
		cfg.Format, cfg.Order = "whole", "name"
		return providertest.Source{
			New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, cfg, env) },
			Feed: func(t *testing.T, n int) (all []string) {
				for range n {
					body := fmt.Sprintf("file %06d\nwith a second line", next)
					put(t, dir, fmt.Sprintf("%06d", next), body)
					next++
					all = append(all, body)
				}
				return all
			},
		}
	})
}

func TestLongLinesAreSplit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir)
	cfg.MaxLine = 16
	put(t, dir, "a", strings.Repeat("0123456789", 4)+"\nnext\n")
	out, r := follow(t, cfg, providertest.Env(t))
	out.Wait(4)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"0123456789012345", "6789012345678901", "23456789", "next"}, out.Bodies())
	for i, e := range out.Events() {
		if marked := e.Flags&flow.FlagSplit != 0; marked != (i < 3) {
			t.Errorf("event %d is marked as a part: %v", i, marked)
		}
	}
}

func TestWholeFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Format = "whole"
	bytes := "line\n\x00\xff\nno end"
	put(t, dir, "a", bytes)
	put(t, dir, "b", "second")
	big := put(t, dir, "c", "x")
	if err := os.Truncate(big, flow.MaxBody+1); err != nil {
		t.Fatal(err)
	}
	out, r := follow(t, cfg, env)
	out.Wait(2)
	untilNames(t, dir, "a.COMPLETED", "b.COMPLETED", "c")
	providertest.Until(t, "the large file is named", func() bool { return strings.Contains(env.Stats.Snapshot().LastError, "16 MiB") })
	r.Stop()
	got := out.Bodies()
	slices.Sort(got)
	equal(t, []string{bytes, "second"}, got)
}

func TestAFileOfTheSameNameAndHeadIsAnotherFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "delete"
	head := strings.Repeat("the same head in each file\n", 50)
	for i := range 20 { // freed inodes are taken again at once
		put(t, dir, "day", fmt.Sprint(head, i, "\n"))
		out, r := follow(t, cfg, env)
		out.Wait(51)
		untilNames(t, dir)
		r.Stop()
		if got := out.Bodies(); len(got) != 51 || got[50] != fmt.Sprint(i) {
			t.Fatalf("file %d gave %d events, the last one %q", i, len(got), got[len(got)-1])
		}
		env = again(env)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no path":    func(c *Config) { c.Path = "" },
		"no include": func(c *Config) { c.Include = nil },
		"pattern":    func(c *Config) { c.Ignore = []string{"[a"} },
		"max_line":   func(c *Config) { c.MaxLine = 1 },
		"schedule":   func(c *Config) { c.Schedule = "now and then" },
	} {
		cfg := config("/x")
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
