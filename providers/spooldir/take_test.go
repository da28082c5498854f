package spooldir

import (
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"collect/providers/internal/watched"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestOrder(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// at is a moment, in seconds after some other.
func at(seconds float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestAFileWaitsUntilItHasSettled(t *testing.T) {
	t.Parallel()
	type look struct {
		now, changed float64 // when it is looked at, and what the file says of its last change
		size         int64
		taken        bool
	}
	for name, looks := range map[string][]look{
		"changed long ago":               {{100, 10, 5, true}},
		"still young":                    {{100, 99.5, 5, false}, {100.4, 99.5, 5, false}, {100.5, 99.5, 5, true}},
		"a slow writer":                  {{100, 99.5, 5, false}, {100.4, 100.3, 6, false}, {101.2, 100.9, 7, false}, {101.9, 100.9, 7, true}},
		"it grows but keeps its time":    {{100, 99.5, 5, false}, {100.4, 99.5, 6, false}, {100.5, 99.5, 6, true}},
		"a clock that is ahead":          {{100, 5000, 5, false}, {100.9, 5000, 5, false}, {101, 5000, 5, true}},
		"a clock ahead, a slow writer":   {{100, 5000, 5, false}, {100.9, 5000, 6, false}, {101, 5000, 6, false}, {101.9, 5000, 6, true}},
		"a clock that is set back":       {{100, 99.5, 5, false}, {40, 99.5, 5, false}, {100.6, 99.5, 5, true}},
		"put back under an earlier time": {{100, 99.5, 5, false}, {100.1, 10, 5, true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config("/x")
			cfg.Settle = time.Second
			s := providertest.Make(t, New, cfg, providertest.Env(t)).(*Source)
			for i, l := range looks {
				info := flow.Info{Name: "a", Ino: 1, Size: l.size, ModTime: at(l.changed)}
				s.due = time.Time{}
				got := s.settled(map[watched.ID]candidate{watched.IDOf(info): {info: info}}, at(l.now))
				if taken := len(got) == 1; taken != l.taken {
					t.Errorf("look %d: taken %v", i, taken)
				}
				if !l.taken && (s.due.IsZero() || s.due.Sub(at(l.now)) > 61*time.Second) {
					t.Errorf("look %d: nothing wakes the source before %v", i, s.due)
				}
			}
		})
	}
}

// lookers gives how often a source listed its folder.
type lookers struct {
	flow.FS
	n *atomic.Int32
}

func (l lookers) OpenDir(name string) (flow.Dir, error) {
	l.n.Add(1)
	return l.FS.OpenDir(name)
}

func TestAFileThatIsStillWrittenIsNotTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Settle = time.Hour
	env := providertest.Env(t)
	var looks atomic.Int32
	env.FS = lookers{env.FS, &looks}
	put(t, dir, "a", "half of it")
	old := put(t, dir, "old", "1\n")
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	out, r := follow(t, cfg, env)
	out.Wait(1)
	before := looks.Load()
	put(t, dir, "b", "half of it")
	providertest.Until(t, "the folder is looked at again", func() bool { return looks.Load() > before+1 })
	untilNames(t, dir, "a", "b", "old.COMPLETED")
	r.Stop()
	equal(t, []string{"1"}, out.Bodies())
}

func TestTheFolderMayComeLater(t *testing.T) {
	t.Parallel()
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

func TestSchedule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Schedule = "0 0 29 2 *" // rarely
	put(t, dir, "a", "1\n")
	src := providertest.Make(t, New, cfg, env).(*Source)
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
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	env.Batch.MaxEvents = 10
	text, bodies := numbered(0, 30)
	put(t, dir, "a", text)
	out := providertest.NewOut(t, env.Positions.(*providertest.Positions)).Hold(2)
	r := providertest.Start(t, providertest.Make(t, New, config(dir), env), out)
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
