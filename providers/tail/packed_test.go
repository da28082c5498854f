package tail

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

func pack(t testing.TB, name, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if strings.HasSuffix(name, ".gz") {
		w := gzip.NewWriter(&buf)
		_, err := w.Write([]byte(text))
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	w, err := zstd.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(text))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestCompressedFilesAreRead(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".gz", ".zst"} {
		t.Run(ext, func(t *testing.T) {
			dir := t.TempDir()
			text, want := numbered(0, 20000)
			name := filepath.Join(dir, "old.log"+ext)
			appendTo(t, name, string(pack(t, name, text[:100000]))+string(pack(t, name, text[100000:]))) // two members
			env := providertest.Env(t)
			env.Batch.MaxEvents = 1000
			out, r := follow(t, config(dir+"/*"), env)
			out.Wait(20000)
			r.Stop()
			equal(t, want, out.Bodies())
			env = again(env)
			out, r = follow(t, config(dir+"/*"), env)
			untilDecided(t, env, 1)
			r.Stop()
			equal(t, []string{}, out.Bodies())
		})
	}
}

func TestCompressedConformance(t *testing.T) {
	t.Parallel()
	providertest.Test(t, func(t *testing.T) providertest.Source {
		name, text, next := filepath.Join(t.TempDir(), "old.log.gz"), "", 0
		return providertest.Source{
			New: func(t *testing.T, env flow.Env) flow.Source { return newSource(t, config(name), env) },
			Feed: func(t *testing.T, n int) []string {
				more, bodies := numbered(next, n)
				next += n
				text += more
				appendTo(t, name, string(pack(t, name, more)))
				return bodies
			},
		}
	})
}

func TestATruncatedCompressedFileGivesWhatItHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, want := numbered(0, 5000)
	raw := pack(t, ".gz", text)
	appendTo(t, filepath.Join(dir, "old.log.gz"), string(raw[:len(raw)/2]))
	env := providertest.Env(t)
	out, r := follow(t, config(dir+"/*"), env)
	providertest.Until(t, "the error is reported", func() bool { return env.Stats.Snapshot().LastError != "" })
	r.Stop()
	got := out.Bodies()
	if len(got) < 100 {
		t.Fatalf("%d lines of half a file", len(got))
	}
	equal(t, want[:len(got)-1], got[:len(got)-1]) // the last one is torn
}

func TestAFileThatIsCompressedAfterRotationIsNotReadAgain(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	cfg := config(name + "*")
	env := providertest.Env(t)
	text, want := numbered(0, 3000)
	appendTo(t, name, text)
	out, r := follow(t, cfg, env)
	out.Wait(3000)
	rename(t, name, name+".1")
	appendTo(t, name+".1.gz", string(pack(t, ".gz", text))) // both are there for a while
	text2, bodies := numbered(3000, 10)
	appendTo(t, name, text2)
	want = append(want, bodies...)
	for end := time.Now().Add(5 * cfg.RotateWait); time.Now().Before(end); { // as long as both are there
		more, bodies := numbered(len(want), 10)
		appendTo(t, name, more)
		text2, want = text2+more, append(want, bodies...)
		out.Wait(len(want))
	}
	if held := fact(env, "perhaps copies"); held != "1" {
		t.Errorf("%q files are held back", held)
	}
	remove(t, name+".1")
	untilDecided(t, env, 2)
	r.Stop()
	equal(t, want, out.Bodies())
	// The same while the agent is down.
	rename(t, name, name+".2")
	appendTo(t, name+".2.gz", string(pack(t, ".gz", text2)))
	remove(t, name+".2")
	appendTo(t, name, "new\n")
	env = again(env)
	out, r = follow(t, cfg, env)
	out.Wait(1)
	untilDecided(t, env, 3)
	r.Stop()
	equal(t, []string{"new"}, out.Bodies())
}
