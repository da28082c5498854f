package tail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collect/providers/providertest"
)

// isOpen says whether this process has a file open.
func isOpen(name string) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == name {
			return true
		}
	}
	return false
}

func TestAFileThatIsRenamedAgainIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second, last := filepath.Join(dir, "new.log"), filepath.Join(dir, "app.log"), filepath.Join(dir, "app.old")
	text, want := numbered(0, 10)
	appendTo(t, first, text)
	out, r := follow(t, config(dir+"/*.log"), providertest.Env(t))
	out.Wait(10)
	if err := os.Rename(first, second); err != nil {
		t.Fatal(err)
	}
	providertest.Until(t, "it is quiet and closed", func() bool { return !isOpen(second) })
	text, more := numbered(10, 10)
	appendTo(t, second, text)
	if err := os.Rename(second, last); err != nil {
		t.Fatal(err)
	}
	out.Wait(20)
	r.Stop()
	equal(t, append(want, more...), out.Bodies())
}

func TestARotatedFileIsFoundWhenItsFolderComesLater(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]bool{"the folder is not there": false, "the folder is empty": true} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir, away := filepath.Join(top, "logs"), filepath.Join(top, "away")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(dir, "app.log")
			text, want := numbered(0, 10)
			appendTo(t, log, text)
			env := providertest.Env(t)
			out, r := follow(t, config(log), env)
			out.Wait(10)
			r.Stop()
			equal(t, want, out.Bodies())

			text, want = numbered(10, 10)
			appendTo(t, log, text)
			if err := os.Rename(log, log+".1"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir, away); err != nil {
				t.Fatal(err)
			}
			if empty {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			env = again(env)
			out, r = follow(t, config(log), env)
			providertest.Until(t, "it has looked", func() bool { return env.Stats.Snapshot().Why != "" })
			if empty {
				if err := os.Remove(dir); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(away, dir); err != nil {
				t.Fatal(err)
			}
			out.Wait(10)
			r.Stop()
			equal(t, want, out.Bodies())
		})
	}
}

func TestACompressedFileThatIsCutOffIsNotDeleted(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "old.log.gz")
	text, want := numbered(0, 5000)
	raw := pack(t, name, text)
	appendTo(t, name, string(raw[:len(raw)/2]))
	cfg := config(name)
	cfg.Delete = "after_ack"
	env := providertest.Env(t)
	out, r := follow(t, cfg, env)
	there := func() bool { _, err := os.Stat(name); return err == nil }
	providertest.Until(t, "it is kept, and status says why", func() bool {
		return !there() || strings.Contains(env.Stats.Snapshot().LastError, "not deleted")
	})
	if !there() {
		t.Fatal("a file that was read in part is deleted")
	}
	appendTo(t, name, string(raw[len(raw)/2:])) // the rest comes
	providertest.Until(t, "it is deleted", func() bool { return !there() })
	r.Stop()
	got := out.Bodies()
	if got[len(got)-1] != want[len(want)-1] {
		t.Errorf("the last line is %q", got[len(got)-1])
	}
}

func TestAFileThatWasCutWhileNobodyFollowedItIsFollowedOnce(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "app.log")
	text, want := numbered(0, 10)
	appendTo(t, log, text)
	env := providertest.Env(t)
	out, r := follow(t, config(log), env)
	out.Wait(10)
	r.Stop()
	equal(t, want, out.Bodies())

	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	text, want = numbered(100, 50)
	appendTo(t, log, text)
	env = again(env)
	out = providertest.NewOut(t, env.Positions.(*providertest.Positions))
	s := providertest.Make(t, New, config(log), env).(*Source)
	r = providertest.Start(t, s, out)
	out.Wait(50)
	r.Stop()
	equal(t, want, out.Bodies())
	if len(s.order) != 1 || len(s.files) != 1 {
		t.Errorf("%d files are read, of %d that are known", len(s.order), len(s.files))
	}
}

func TestACompressedFileThatIsFoundEmptyIsReadUncompressed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name, other := filepath.Join(dir, "old.log.gz"), filepath.Join(dir, "other.log")
	appendTo(t, name, "")
	appendTo(t, other, "found\n")
	out, r := follow(t, config(dir+"/*"), providertest.Env(t))
	out.Wait(1) // so the empty one was found too
	text, want := numbered(0, 100)
	appendTo(t, name, string(pack(t, name, text)))
	out.Wait(101)
	r.Stop()
	equal(t, want, out.Bodies()[1:])
}

func TestACopyInAnInodeThatWasUsedBeforeIsNotReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, copied, other := filepath.Join(dir, "app.log"), filepath.Join(dir, "app.log.1"), filepath.Join(dir, "app.log.2")
	text, want := numbered(0, 10)
	appendTo(t, log, text)
	more, others := numbered(50, 5)
	appendTo(t, other, more)
	env := providertest.Env(t)
	out, r := follow(t, config(dir+"/*"), env)
	out.Wait(15)
	r.Stop()
	equal(t, sorted(append(want, others...)), sorted(out.Bodies()))

	if err := errors.Join(os.Rename(other, copied), os.Truncate(copied, 0)); err != nil {
		t.Fatal(err)
	}
	appendTo(t, copied, text)
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	text, want = numbered(100, 30)
	appendTo(t, log, text)
	if err := os.Chtimes(copied, time.Time{}, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	env = again(env)
	out, r = follow(t, config(dir+"/*"), env)
	out.Wait(30)
	untilDecided(t, env, 2)
	r.Stop()
	equal(t, want, out.Bodies())
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestOnlySoManyRotatedFilesAreRemembered(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]func(t *testing.T, log string, i int){
		"renamed": func(t *testing.T, log string, i int) { rename(t, log, fmt.Sprint(log, ".", i)) },
		"cut": func(t *testing.T, log string, _ int) {
			if err := os.Truncate(log, 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "app.log")
			cfg := config(log)
			cfg.RotateWait = 10 * time.Millisecond
			env := providertest.Env(t)
			s := providertest.Make(t, New, cfg, env).(*Source)
			s.keepOfName = 3
			out := providertest.NewOut(t, env.Positions.(*providertest.Positions))
			r := providertest.Start(t, s, out)
			var want []string
			for i := range 8 {
				text, bodies := numbered(len(want), 20-i) // shorter each time, so that a cut shows
				want = append(want, bodies...)
				appendTo(t, log, text)
				out.Wait(len(want))
				rotate(t, log, i)
				if name == "renamed" {
					providertest.Until(t, "the file is let go", func() bool { return fact(env, "files") == "0" })
				}
			}
			r.Stop()
			equal(t, want, out.Bodies())
			if n := len(env.Positions.Keys()); n > 4 {
				t.Errorf("%d files are remembered", n)
			}
		})
	}
}
