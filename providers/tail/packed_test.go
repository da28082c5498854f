package tail

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
			New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, config(name), env) },
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

// The rest of a file that was rotated, compressed and removed while its reader was behind comes once, and so does all of a
// compressed file over kills: from the open handle, or from what is left on the disk.
func TestAFileThatIsCompressedBehindALaggingReaderIsReadOnce(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".gz", ".zst"} {
		for _, kills := range []int{0, 1, 5} {
			t.Run(fmt.Sprint(ext, ", killed ", kills), func(t *testing.T) {
				t.Parallel()
				name := filepath.Join(t.TempDir(), "app.log")
				cfg := config(name + "*")
				env := providertest.Env(t)
				env.Batch.MaxEvents = 10
				text, want := numbered(0, 1000)
				appendTo(t, name, text)
				pos := env.Positions.(*providertest.Positions)
				out := providertest.NewOut(t, pos).Hold(2)
				r := providertest.Start(t, providertest.Make(t, New, cfg, env), out)
				out.Wait(20)
				out.Ack(1, flow.Durable)
				rename(t, name, name+".1")
				appendTo(t, name+".1"+ext, string(pack(t, ext, text)))
				remove(t, name+".1")
				more, bodies := numbered(1000, 10)
				want = append(want, bodies...)
				appendTo(t, name, more)
				var got []string
				for kill := range kills {
					out.Wait(10 + 10*kill)
					_ = pos.Save(t.Context())
					next := pos.Killed()
					for _, e := range out.Acked() {
						got = append(got, e.Body)
					}
					r.Stop()
					out.Ack(-1, flow.Abandoned)
					pos = next
					env.Positions, env.Stats = pos, &flow.Stats{}
					out = providertest.NewOut(t, pos).Hold(2)
					r = providertest.Start(t, providertest.Make(t, New, cfg, env), out)
					for range kill {
						out.Wait(len(out.Acked()) + 1)
						out.Ack(1, flow.Durable)
					}
				}
				providertest.Until(t, "all is acknowledged", func() bool {
					out.Ack(-1, flow.Durable)
					return len(got)+len(out.Acked()) >= len(want)
				})
				untilDecided(t, env, 2)
				r.Stop()
				for _, e := range out.Acked() {
					got = append(got, e.Body)
				}
				slices.Sort(got) // the new file may be read first
				equal(t, want, got)
			})
		}
	}
}
