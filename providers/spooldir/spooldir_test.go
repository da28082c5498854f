package spooldir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
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

func newSource(t testing.TB, c Config, env flow.Env) flow.Source {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := New(c, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func follow(t testing.TB, c Config, env flow.Env) (*providertest.Out, *providertest.Running) {
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	return out, providertest.Start(t, newSource(t, c, env), out)
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
	for _, done := range []string{"rename", "delete", "track"} {
		t.Run(done, func(t *testing.T) {
			providertest.Test(t, func(t *testing.T) providertest.Source {
				dir, next := t.TempDir(), 0
				cfg := config(dir)
				cfg.Done, cfg.Order = done, "name"
				return providertest.Source{
					New: func(t *testing.T, env flow.Env) flow.Source { return newSource(t, cfg, env) },
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

func TestAFileIsRenamedWhenItsLastEventIsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, bodies := numbered(0, 25)
	put(t, dir, "a.txt", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(100)
	r := providertest.Start(t, newSource(t, config(dir), env), out)
	out.Wait(25)
	out.Ack(2, flow.Durable)
	put(t, dir, "b.txt", "later\n") // is read meanwhile
	out.Wait(26)
	if got := names(t, dir); !slices.Equal(got, []string{"a.txt", "b.txt"}) {
		t.Errorf("the folder holds %v before all is acknowledged", got)
	}
	out.Ack(-1, flow.Delivered)
	untilNames(t, dir, "a.txt.COMPLETED", "b.txt.COMPLETED")
	r.Stop()
	equal(t, append(bodies, "later"), out.Bodies())
	if keys := env.Positions.Keys(); len(keys) != 0 {
		t.Errorf("positions of finished files are kept: %v", keys)
	}
}

func TestDone(t *testing.T) {
	for done, want := range map[string][]string{"rename": {"a.COMPLETED"}, "delete": nil, "track": {"a"}} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a", "1\n2\n")
			out, r := follow(t, cfg, env)
			out.Wait(2)
			untilNames(t, dir, want...)
			r.Stop()
			env = again(env)
			put(t, dir, "b", "3\n")
			out, r = follow(t, cfg, env)
			out.Wait(1)
			r.Stop()
			equal(t, []string{"3"}, out.Bodies())
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.COMPLETED", "precious")
	put(t, dir, "a", "1\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(1)
	untilNames(t, dir, "a.1.COMPLETED", "a.COMPLETED")
	r.Stop()
	if raw, err := os.ReadFile(filepath.Join(dir, "a.COMPLETED")); err != nil || string(raw) != "precious" {
		t.Errorf("the file that had the name holds %q (%v)", raw, err)
	}
}

// Folders that others may write: what another user puts there is neither read nor renamed, and a link under the name that a file gets
// when it is done leads nowhere.
func TestForeignFilesAndLinksInSharedFoldersAreLeftAlone(t *testing.T) {
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

func TestAFileThatChangesWhileReadIsSetAside(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, _ := numbered(0, 30)
	full := put(t, dir, "a", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(1)
	r := providertest.Start(t, newSource(t, config(dir), env), out)
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
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Done = "track"
	full := put(t, dir, "a", "1\n2\n")
	out, r := follow(t, cfg, env)
	out.Wait(2)
	providertest.Until(t, "the file is done", func() bool {
		keys := env.Positions.Keys()
		_, note, _ := env.Positions.Frontier(keys[0])
		return strings.Contains(string(note), `"state":"done"`)
	})
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

func TestOrder(t *testing.T) {
	for order, want := range map[string][]string{
		"oldest": {"b", "c", "a"}, "youngest": {"a", "c", "b"}, "name": {"a", "b", "c"},
	} {
		t.Run(order, func(t *testing.T) {
			dir := t.TempDir()
			for name, age := range map[string]int{"a": 1, "b": 3, "c": 2} {
				full := put(t, dir, name, name+"\n")
				at := time.Now().Add(-time.Duration(age) * time.Hour)
				if err := os.Chtimes(full, at, at); err != nil {
					t.Fatal(err)
				}
			}
			cfg := config(dir)
			cfg.Order = order
			out, r := follow(t, cfg, providertest.Env(t))
			out.Wait(3)
			r.Stop()
			equal(t, want, out.Bodies())
		})
	}
}

func TestWhichFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.log", "c.txt.tmp", "d.txt.COMPLETED", ".e.txt", "skip.txt"} {
		put(t, dir, name, name+"\n")
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "sub"), "f.txt", "f.txt\n")
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, recursive := range []bool{false, true} {
		cfg := config(dir)
		cfg.Include, cfg.Ignore, cfg.Recursive, cfg.Done = []string{"*.txt"}, []string{"skip*"}, recursive, "track"
		want := []string{"a.txt"}
		if recursive {
			want = append(want, "f.txt")
		}
		out, r := follow(t, cfg, providertest.Env(t))
		out.Wait(len(want))
		put(t, dir, "z.txt", "last\n")
		out.Wait(len(want) + 1)
		r.Stop()
		if err := os.Remove(filepath.Join(dir, "z.txt")); err != nil {
			t.Fatal(err)
		}
		got := out.Bodies()
		slices.Sort(got)
		equal(t, append(want, "last"), got)
	}
}

func TestNamesAndPositionsAreMeta(t *testing.T) {
	dir := t.TempDir()
	full := put(t, dir, "a", "12\n345\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(2)
	r.Stop()
	if e := out.Events()[1]; e.File != full || e.From != 3 || e.After != 7 {
		t.Errorf("the second event is from %s, %d to %d", e.File, e.From, e.After)
	}
}

func TestAFileWaitsUntilItHasSettled(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Settle = 200 * time.Millisecond
	full := put(t, dir, "a", "")
	start := time.Now()
	out, r := follow(t, cfg, providertest.Env(t))
	f, err := os.OpenFile(full, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for i := range 5 {
		time.Sleep(50 * time.Millisecond) // a slow writer
		fmt.Fprintln(f, i)
		want = append(want, fmt.Sprint(i))
	}
	wrote := time.Now()
	_ = f.Close()
	out.Wait(5)
	if took := time.Since(wrote); took < 150*time.Millisecond {
		t.Errorf("the file was read %v after its last change, %v after the start", took, time.Since(start))
	}
	r.Stop()
	equal(t, want, out.Bodies())
}

func TestEmptyFilesAreCompleted(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "")
	put(t, dir, "b", "x\n")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(1)
	untilNames(t, dir, "a.COMPLETED", "b.COMPLETED")
	r.Stop()
}

func TestTheLastLineNeedsNoEnd(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "1\n2")
	out, r := follow(t, config(dir), providertest.Env(t))
	out.Wait(2)
	untilNames(t, dir, "a.COMPLETED")
	r.Stop()
	equal(t, []string{"1", "2"}, out.Bodies())
}

func TestWholeFiles(t *testing.T) {
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

func TestTheFolderMayComeLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	env := providertest.Env(t)
	out, r := follow(t, config(dir), env)
	providertest.Until(t, "the source says that it waits", func() bool { return env.Stats.Snapshot().Health == flow.Waiting })
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "a", "1\n")
	out.Wait(1)
	r.Stop()
}

func TestAFileOfTheSameNameAndHeadIsAnotherFile(t *testing.T) {
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

func TestSchedule(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Schedule = "0 0 29 2 *" // rarely
	put(t, dir, "a", "1\n")
	src := newSource(t, cfg, env).(*Source)
	src.plan = every{300 * time.Millisecond}
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
	start := time.Now()
	r := providertest.Start(t, src, out)
	out.Wait(1)
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("the file was read after %v, before the schedule said so", took)
	}
	put(t, dir, "b", "2\n")
	out.Wait(2)
	r.Stop()
}

type every struct{ d time.Duration }

func (e every) Next(t time.Time) time.Time { return t.Add(e.d) }

func TestWhatWasBegunIsFinishedOutsideTheSchedule(t *testing.T) {
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, bodies := numbered(0, 30)
	put(t, dir, "a", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(2)
	r := providertest.Start(t, newSource(t, config(dir), env), out)
	out.Wait(20)
	out.Ack(1, flow.Durable)
	r.Stop()
	out.Ack(-1, flow.Abandoned)
	done := len(out.Events())
	cfg := config(dir)
	cfg.Schedule = "0 0 29 2 *"
	put(t, dir, "b", "not now\n")
	out, r = follow(t, cfg, again(env))
	out.Wait(20)
	untilNames(t, dir, "a.COMPLETED", "b")
	r.Stop()
	equal(t, bodies[10:], out.Bodies())
	if done < 20 {
		t.Error("the first run did not read ahead")
	}
}

func TestValidate(t *testing.T) {
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

func TestASourceThatReplacesAnotherCompletesOnlyWhatIsAcknowledged(t *testing.T) {
	for _, done := range []string{"rename", "delete", "track"} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a.txt", "1\n2\n")
			pos := env.Positions.(*providertest.Positions)
			out := providertest.NewOut(t, pos).Hold(100)
			r := providertest.Start(t, newSource(t, cfg, env), out)
			out.Wait(2)
			r.Stop()
			env.Positions, env.Stats = pos.Replaced(), &flow.Stats{}
			r = providertest.Start(t, newSource(t, cfg, env), out)
			put(t, dir, "b.txt", "3\n")
			out.Wait(3) // it has looked at everything
			put(t, dir, "c.txt", "4\n")
			out.Wait(4)
			if got := names(t, dir); !slices.Equal(got, []string{"a.txt", "b.txt", "c.txt"}) {
				t.Errorf("nothing is acknowledged, and the folder holds %v", got)
			}
			r.Stop()
			crashed := env // what nobody acknowledged comes again
			crashed.Positions = pos.Stopped()
			second := providertest.NewOut(t, crashed.Positions.(*providertest.Positions))
			r = providertest.Start(t, newSource(t, cfg, crashed), second)
			second.Wait(4)
			r.Stop()
			equal(t, []string{"1", "2", "3", "4"}, second.Bodies())
			out.Ack(-1, flow.Delivered)
		})
	}
}

// orderFS calls a function before directories are synced.
type orderFS struct {
	flow.FS
	sync func() error
}

func (f orderFS) OpenDir(p string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(p)
	return orderDir{d, f}, err
}

type orderDir struct {
	flow.Dir
	fs orderFS
}

func (d orderDir) RenameNew(name string, _ flow.Dir, newName string) error {
	return d.Dir.RenameNew(name, d.Dir, newName)
}

func (d orderDir) Sync() error {
	if err := d.fs.sync(); err != nil {
		return err
	}
	return d.Dir.Sync()
}

// A power cut may undo a rename that is not durable. Then the file is there again, and its key must be known.
func TestAKeyIsForgottenOnlyWhenTheRenameIsDurable(t *testing.T) {
	for _, done := range []string{"rename", "delete"} {
		t.Run(done, func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			pos := env.Positions.(*providertest.Positions)
			var syncs, early atomic.Int32
			env.FS = orderFS{env.FS, func() error {
				if syncs.Add(1); len(pos.Keys()) == 0 {
					early.Add(1)
				}
				return nil
			}}
			cfg := config(dir)
			cfg.Done = done
			put(t, dir, "a.txt", "1\n2\n")
			_, r := follow(t, cfg, env)
			providertest.Until(t, "the key is forgotten", func() bool { return syncs.Load() > 0 && len(pos.Keys()) == 0 })
			r.Stop()
			if early.Load() > 0 {
				t.Error("the key was forgotten before the change of the folder was durable")
			}
		})
	}
}
