package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collect/providers/providertest"
)

// The tests of this file are about files of equal content. A copy that a rotation made of a file that it then cut must not be read
// again; every other file is one of its own, whatever it holds: a job that writes the same words each day has written them each day.

func TestEqualFilesThatAreDeletedWhenAcknowledgedAreAllRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir + "/*.log")
	cfg.Delete = "after_ack"
	const files = 8
	for i := range files {
		appendTo(t, filepath.Join(dir, fmt.Sprint(i, ".log")), "the job has finished\n")
	}
	out, r := follow(t, cfg, providertest.Env(t))
	providertest.Until(t, "all files are deleted", func() bool {
		left, err := os.ReadDir(dir)
		return err == nil && len(left) == 0
	})
	r.Stop()
	equal(t, slices.Repeat([]string{"the job has finished"}, files), out.Bodies())
}

func TestAFileWithTheWordsOfItsPredecessorIsRead(t *testing.T) {
	t.Parallel()
	for how, leave := range map[string]func(t *testing.T, name, elsewhere string){
		"renamed": func(t *testing.T, name, elsewhere string) {
			rename(t, name, filepath.Join(filepath.Dir(name), elsewhere))
		},
		"moved":   func(t *testing.T, name, elsewhere string) { rename(t, name, filepath.Join(t.TempDir(), elsewhere)) },
		"deleted": func(t *testing.T, name, _ string) { remove(t, name) },
	} {
		for _, down := range []bool{false, true} {
			if down && how == "deleted" {
				continue // the file system may give its number to the next file, and nothing tells them apart
			}
			t.Run(fmt.Sprintf("%s, while down %v", how, down), func(t *testing.T) {
				t.Parallel()
				name := filepath.Join(t.TempDir(), "job.log")
				env := providertest.Env(t)
				out, r := follow(t, config(name), env)
				text := strings.Repeat("the job has finished\n", 100)
				for i, want := 0, 0; i < 3; i++ {
					appendTo(t, name, text)
					out.Wait(want + 100)
					if !down {
						leave(t, name, fmt.Sprint(i))
						providertest.Until(t, "the file is let go", func() bool { return fact(env, "files") == "0" })
						want += 100
						continue
					}
					r.Stop()
					leave(t, name, fmt.Sprint(i))
					appendTo(t, name, text)
					env = again(env)
					out, r = follow(t, config(name), env)
					out.Wait(100)
					leave(t, name, fmt.Sprint(i, "b"))
					providertest.Until(t, "the file is let go", func() bool { return fact(env, "files") == "0" })
					r.Stop()
					env = again(env)
					out, r = follow(t, config(name), env)
				}
				r.Stop()
			})
		}
	}
}

func TestAFileThatBeganAsAnotherOneThatWentAwayIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir + "/*.log")
	cfg.RotateWait = 2 * time.Second
	appendTo(t, filepath.Join(dir, "a.log"), "started\n")
	env := providertest.Env(t)
	out, r := follow(t, cfg, env)
	out.Wait(1)
	appendTo(t, filepath.Join(dir, "b.log"), "started\n")
	providertest.Until(t, "the second file is seen", func() bool { return fact(env, "files") == "2" })
	remove(t, filepath.Join(dir, "a.log"))
	out.Wait(2)
	r.Stop()
}

func TestAFileThatSaysWhatAnotherOneSaidStarvesNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir + "/*.log")
	old := strings.Repeat("ok\n", 10000)
	appendTo(t, filepath.Join(dir, "a.log"), old)
	out, r := follow(t, cfg, providertest.Env(t))
	out.Wait(10000)
	providertest.Until(t, "the second file is read", func() bool {
		appendTo(t, filepath.Join(dir, "b.log"), "ok\n")
		return len(out.Bodies()) > 10000
	})
	r.Stop()
}

func TestEqualFilesKeepTheirNamesOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir + "/*.log")
	env := providertest.Env(t)
	text, _ := numbered(0, 100)
	const files = 6
	for i := range files {
		appendTo(t, filepath.Join(dir, fmt.Sprint(i, ".log")), text)
	}
	out, r := follow(t, cfg, env)
	out.Wait(files * 100)
	r.Stop()
	for i := range files {
		appendTo(t, filepath.Join(dir, fmt.Sprint(i, ".log")), fmt.Sprint("of ", i, ".log\n"))
	}
	out, r = follow(t, cfg, again(env))
	out.Wait(files)
	r.Stop()
	for _, e := range out.Events() {
		if e.Body != "of "+filepath.Base(e.File) {
			t.Errorf("%q came from %s", e.Body, e.File)
		}
	}
}

func TestTheEndIsTheEndAtTheVeryFirstStart(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprint("no file was there ", empty), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "app.log")
			cfg := config(name)
			cfg.StartAt = "end"
			env := providertest.Env(t)
			if !empty {
				appendTo(t, name, "old\n")
			}
			ready := make(chan struct{})
			env.Ready = func() { close(ready) }
			_, r := follow(t, cfg, env)
			<-ready
			r.Stop()
			appendTo(t, name, "written while the agent was down\n")
			env = again(env)
			env.Ready = func() {}
			out, r := follow(t, cfg, env)
			out.Wait(1)
			r.Stop()
			equal(t, []string{"written while the agent was down"}, out.Bodies())
		})
	}
}
