package tail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

// The tests of this file are the rows about files in the matrix of faults that collectors must survive. Every line has a number,
// so what is lost or doubled shows.

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func TestRenameRotationUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	cfg := config(name)
	cfg.RotateWait = time.Minute // on a busy machine a moment is long
	out, r := follow(t, cfg, providertest.Env(t))
	var want []string
	for i := range 60 {
		text, bodies := numbered(len(want), 50)
		want = append(want, bodies...)
		appendTo(t, name, text)
		if i%3 == 2 {
			rename(t, name, fmt.Sprintf("%s.%03d", name, i))
		}
		if i%10 == 9 { // a writer that goes on in the renamed file for a moment
			text, bodies := numbered(len(want), 5)
			want = append(want, bodies...)
			out.Wait(len(want) - 5)
			appendTo(t, fmt.Sprintf("%s.%03d", name, i-i%3-1), text)
		}
		out.Wait(len(want)) // a rotation that is quicker than the look at the folder loses its file for everybody
	}
	r.Stop()
	equal(t, want, out.Bodies())
}

func TestRotatedFilesThatStayIncludedAreReadOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "app.log")
	out, r := follow(t, config(name+"*"), providertest.Env(t))
	var want []string
	for range 30 {
		text, bodies := numbered(len(want), 20)
		want = append(want, bodies...)
		appendTo(t, name, text)
		for n := 5; n > 0; n-- { // as logrotate does
			if _, err := os.Stat(fmt.Sprintf("%s.%d", name, n)); err == nil {
				rename(t, fmt.Sprintf("%s.%d", name, n), fmt.Sprintf("%s.%d", name, n+1))
			}
		}
		rename(t, name, name+".1")
		out.Wait(len(want))
	}
	r.Stop()
	got := out.Bodies()
	slices.Sort(got)
	equal(t, want, got)
}

func TestRotationWhileTheAgentIsDown(t *testing.T) {
	t.Parallel()
	for _, included := range []bool{false, true} {
		t.Run(fmt.Sprint("rotated file included ", included), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "app.log")
			cfg := config(name)
			if included {
				cfg = config(name + "*")
			}
			env := providertest.Env(t)
			text, _ := numbered(0, 100)
			appendTo(t, name, text)
			out, r := follow(t, cfg, env)
			out.Wait(100)
			r.Stop()
			text, want := numbered(100, 50)
			appendTo(t, name, text)
			rename(t, name, name+".1")
			text, bodies := numbered(150, 50)
			want = append(want, bodies...)
			appendTo(t, name, text)
			out, r = follow(t, cfg, again(env))
			out.Wait(100)
			r.Stop()
			got := out.Bodies()
			slices.Sort(got)
			equal(t, want, got)
		})
	}
}

func TestReusedInodesSkipNothing(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	env := providertest.Env(t)
	head := strings.Repeat("equal head of all files\n", 100)
	for i := range 15 {
		out, r := follow(t, config(name), env)
		appendTo(t, name, fmt.Sprint(head, i, "\n"))
		out.Wait(101)
		if i%2 == 0 { // deleted while it is followed, or while nobody looks
			remove(t, name)
			r.Stop()
		} else {
			r.Stop()
			remove(t, name)
		}
		if got := out.Bodies(); len(got) != 101 || got[100] != fmt.Sprint(i) {
			t.Fatalf("file %d gave %d events, the last one %q", i, len(got), got[len(got)-1])
		}
		env = again(env)
	}
}

func TestManyFilesWithTheSameHead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	head := strings.Repeat("SmartCar Status Information\n", 150)
	var want []string
	for i := range 100 {
		body := fmt.Sprintf("car %03d", i)
		want = append(want, body)
		appendTo(t, filepath.Join(dir, fmt.Sprintf("%03d.log", i)), head+body+"\n")
	}
	out, r := follow(t, config(dir+"/*.log"), providertest.Env(t))
	out.Wait(100 * 151)
	r.Stop()
	got := slices.DeleteFunc(out.Bodies(), func(b string) bool { return !strings.HasPrefix(b, "car") })
	slices.Sort(got)
	equal(t, want, got)
}

func TestAHalfLineWaitsForItsEndAlsoOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name, cfg := filepath.Join(dir, "app.log"), config(dir+"/*.log")
	env := providertest.Env(t)
	appendTo(t, name, "one\nha")
	out, r := follow(t, cfg, env)
	out.Wait(1)
	appendTo(t, name, "l")
	appendTo(t, filepath.Join(dir, "other.log"), "other\n")
	out.Wait(2)
	r.Stop()
	equal(t, []string{"one", "other"}, out.Bodies())
	out, r = follow(t, cfg, again(env))
	appendTo(t, name, "f\ntwo\n")
	out.Wait(2)
	r.Stop()
	equal(t, []string{"half", "two"}, out.Bodies())
}

func TestAHalfLineOfAFileThatIsGoneIsEmittedAndMarked(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"renamed", "deleted"} {
		t.Run(how, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "app.log")
			appendTo(t, name, "one\nhalf")
			out, r := follow(t, config(name), providertest.Env(t))
			out.Wait(1)
			if how == "renamed" {
				rename(t, name, name+".old")
			} else {
				remove(t, name)
			}
			out.Wait(2)
			r.Stop()
			e := out.Events()[1]
			if e.Body != "half" || e.Flags&flow.FlagSplit == 0 || e.Flags&flow.FlagNoLine == 0 {
				t.Errorf("the half line came as %+v", e)
			}
		})
	}
}

func TestAHugeLineIsSplitInBoundedMemory(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for range 20 {
		if _, err := f.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString("\nnext\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, r := follow(t, config(name), providertest.Env(t))
	out.Wait(21)
	r.Stop()
	total := 0
	events := out.Events()
	for _, e := range events[:len(events)-1] {
		total += len(e.Body)
		if len(e.Body) > 1<<20 || e.Flags&flow.FlagSplit == 0 {
			t.Errorf("a part of %d bytes, flags %x", len(e.Body), e.Flags)
		}
	}
	if last := events[len(events)-1]; total != 20<<20 || last.Body != "next" || last.Flags&flow.FlagSplit != 0 {
		t.Errorf("%d bytes in parts, then %q", total, last.Body)
	}
}

func TestAnyBytesAreKept(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	var all []byte
	for i := range 256 {
		if i != '\n' {
			all = append(all, byte(i))
		}
	}
	appendTo(t, name, string(all)+"x\n\xff\xfe\n")
	out, r := follow(t, config(name), providertest.Env(t))
	out.Wait(2)
	r.Stop()
	equal(t, []string{string(all) + "x", "\xff\xfe"}, out.Bodies())
}

func TestRandomKillsLoseNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	pos := providertest.NewPositions()
	seen := map[string]int{}
	var want []string
	for round := range 60 {
		env := providertest.Env(t)
		env.Positions = pos
		env.Batch.MaxEvents = 20
		out := providertest.NewOut(t, pos).Hold(1 << 20)
		r := providertest.Start(t, providertest.Make(t, New, config(dir+"/*.log*"), env), out)
		for range 4 {
			name := filepath.Join(dir, fmt.Sprintf("%d.log", rnd.IntN(3)))
			text, bodies := numbered(len(want), 1+rnd.IntN(60))
			want = append(want, bodies...)
			appendTo(t, name, text)
			if rnd.IntN(4) == 0 {
				rename(t, name, fmt.Sprintf("%s.%d", name, len(want)))
			}
			out.Ack(rnd.IntN(3), flow.Durable)
		}
		if rnd.IntN(2) == 0 {
			_ = pos.Save(t.Context())
		}
		out.Ack(rnd.IntN(5), flow.Durable)
		next := pos.Killed()
		done := out.Acked()
		r.Stop()
		out.Ack(-1, flow.Abandoned)
		for _, e := range done {
			seen[e.Body]++
		}
		pos = next
		if round%10 == 9 {
			t.Logf("round %d: %d lines, %d acknowledged", round, len(want), len(seen))
		}
	}
	env := providertest.Env(t)
	env.Positions = pos
	out, r := follow(t, config(dir+"/*.log*"), env)
	providertest.Until(t, "every line came", func() bool {
		all := map[string]bool{}
		for _, b := range out.Bodies() {
			all[b] = true
		}
		return !slices.ContainsFunc(want, func(b string) bool { return seen[b] == 0 && !all[b] })
	})
	r.Stop()
}
